# SPDX-License-Identifier: Apache-2.0
"""A service's clock that is a day ahead or behind: policies, exemptions."""

import datetime
import logging
import os

import pytest

from nova_vhard.policy import watch
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.policy.watch import PolicyFile
from nova_vhard.request import image
from tests.unit.helpers import TODAY, write

DAY = datetime.timedelta(days=1)
EXEMPTING = f"""\
version: '1'
guest_devices: {{disk_bus: {{allow: [virtio]}}}}
exemptions:
  - id: last-day
    reason: ends tonight
    projects: [{"a1" * 16}]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: {TODAY}
"""
WARN = "version: '1'\nmode: warn\n"
AUDIT = "version: '1'\nmode: audit\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "policy.yaml"


@pytest.fixture
def clock(monkeypatch):
    """Call to set the day."""

    def set_to(day):
        monkeypatch.setattr(watch, "today", lambda: day)

    set_to(TODAY)
    return set_to


def test_an_exemption_ends_and_holds_again_when_the_clock_is_set(
    path, clock, caplog
):
    # given
    caplog.set_level(logging.WARNING)
    file = PolicyFile(write(path, EXEMPTING))
    request = image.read({"hw_disk_bus": "ide"})
    subject = Subject(operation=BOOT, project="a1" * 16)

    def refused():
        policy = file.current()
        return bool(evaluate(policy, request, subject, watch.today()).refusals)

    assert not refused()
    assert "last-day ends on" in caplog.messages[-1]
    # when a day ahead
    clock(TODAY + DAY)
    # then it is void, and the log says why
    assert refused()
    assert "last-day ended on" in caplog.messages[-1]
    # and when the clock is correct or a day behind, it is in force again
    for day in (TODAY, TODAY - DAY):
        clock(day)
        assert not refused()
        assert "last-day ends on" in caplog.messages[-1]
    # each change of the day was said once
    assert len(caplog.messages) == 4


@pytest.mark.parametrize("shift", [DAY, -DAY], ids=["ahead", "behind"])
def test_a_file_is_taken_up_whatever_its_date(path, shift):
    # given
    file = PolicyFile(write(path, WARN))
    assert file.current().mode == "warn"
    stamp = os.stat(path).st_mtime + shift.total_seconds()
    # when: the same size, and a date in the future or the past
    write(path, AUDIT)
    os.utime(path, (stamp, stamp))
    assert file.current().mode == "audit"
    # and back, with the date of the first
    write(path, WARN)
    os.utime(path, (stamp - shift.total_seconds(),) * 2)
    assert file.current().mode == "warn"


def test_a_day_is_one_of_utc(monkeypatch):
    class Clock(datetime.datetime):
        """One hour before midnight in Greenwich, and past it elsewhere."""

        @classmethod
        def now(cls, tz=None):
            late = cls(2026, 6, 15, 23, tzinfo=datetime.UTC)
            east = datetime.timezone(datetime.timedelta(hours=9))
            return late.astimezone(tz or east)

    monkeypatch.setattr(watch.datetime, "datetime", Clock)
    assert watch.today() == TODAY

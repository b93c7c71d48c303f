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

    return lambda day: monkeypatch.setattr(watch, "today", lambda: day)


def test_an_exemption_ends_and_holds_again_when_the_clock_is_set(
    path, clock, caplog
):
    caplog.set_level(logging.WARNING)
    file = PolicyFile(write(path, EXEMPTING))
    request = image.read({"hw_disk_bus": "ide"})
    subject = Subject(operation=BOOT, project="a1" * 16)

    # A day ahead it is void, and the log says why. When the clock is correct
    # or a day behind, it is in force again.
    for day, outcome, said in (
        (TODAY, "allow", "ends on"),
        (TODAY + DAY, "refuse", "ended on"),
        (TODAY, "allow", "ends on"),
        (TODAY - DAY, "allow", "ends on"),
    ):
        clock(day)
        verdict = evaluate(file.current(), request, subject, watch.today())
        assert verdict.outcome == outcome
        assert f"last-day {said}" in caplog.messages[-1]
    # each change of the day was said once
    assert len(caplog.messages) == 4


@pytest.mark.parametrize("shift", [DAY, -DAY], ids=["ahead", "behind"])
def test_a_file_is_taken_up_whatever_its_date(path, shift):
    file = PolicyFile(str(path))
    stamp = 1_700_000_000
    # the same size, and a date in the future or the past; and back
    for text, mode, seconds in (
        (WARN, "warn", 0),
        (AUDIT, "audit", shift.total_seconds()),
        (WARN, "warn", 0),
    ):
        os.utime(write(path, text), (stamp + seconds,) * 2)
        assert file.current().mode == mode


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

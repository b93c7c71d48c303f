# SPDX-License-Identifier: Apache-2.0
"""A watched policy file: reload, last good copy, exemptions that end."""

import datetime
import logging
import os
import stat
import threading
import time

import pytest

from nova_vhard.policy import watch
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable
from tests.unit.helpers import write

WARN = "version: '1'\nmode: warn\n"
AUDIT = "version: '1'\nmode: audit\n"
BROKEN = "version: '1'\nmode: [\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "policy.yaml"


@pytest.fixture
def state(tmp_path):
    return str(tmp_path / "state" / "policy-test.json")


def test_a_change_is_obeyed_without_a_restart(path):
    file = PolicyFile(write(path, WARN))
    assert file.current().mode == "warn"
    write(path, AUDIT)
    assert file.current().mode == "audit"


def test_a_change_of_an_extended_file_is_obeyed(path, tmp_path):
    write(tmp_path / "base.yaml", WARN)
    file = PolicyFile(write(path, "version: '1'\nextends: base.yaml\n"))
    assert file.current().mode == "warn"
    write(tmp_path / "base.yaml", AUDIT)
    assert file.current().mode == "audit"


def test_an_extended_file_that_appears_later_is_seen(path, tmp_path):
    file = PolicyFile(write(path, "version: '1'\nextends: base.yaml\n"))
    with pytest.raises(PolicyUnavailable, match="there is no file"):
        file.current()
    write(tmp_path / "base.yaml", AUDIT)
    assert file.current().mode == "audit"


@pytest.mark.parametrize("breakage", ["broken", "deleted", "truncated"])
def test_a_bad_file_keeps_the_last_good_policy(path, breakage, caplog):
    file = PolicyFile(write(path, WARN))
    file.current()
    if breakage == "broken":
        write(path, BROKEN)
    elif breakage == "deleted":
        path.unlink()
    else:
        path.write_text("")
    for _ in range(5):
        assert file.current().mode == "warn"
    errors = [one for one in caplog.records if one.levelname == "ERROR"]
    assert len(errors) == 1
    assert "still holds" in errors[0].getMessage()
    assert file.error is not None
    write(path, AUDIT)
    assert file.current().mode == "audit"
    assert file.error is None


def test_no_good_policy_ever(path):
    file = PolicyFile(write(path, BROKEN))
    with pytest.raises(PolicyUnavailable, match=r"policy.yaml:3: not YAML"):
        file.current()
    with pytest.raises(PolicyUnavailable):
        file.current()
    write(path, WARN)
    assert file.current().mode == "warn"


def test_a_new_process_has_the_last_good_copy(path, state):
    PolicyFile(write(path, WARN), state).current()
    assert stat.S_IMODE(os.stat(state).st_mode) == 0o600
    write(path, BROKEN)
    assert PolicyFile(str(path), state).current().mode == "warn"


def test_the_copy_of_another_file_is_not_taken(path, state, tmp_path):
    PolicyFile(write(path, WARN), state).current()
    other = write(tmp_path / "other.yaml", BROKEN)
    with pytest.raises(PolicyUnavailable):
        PolicyFile(other, state).current()


@pytest.mark.parametrize("copy", ["{", "[]", '{"path": 1}', "\x00"])
def test_a_damaged_copy_counts_as_none(path, state, copy):
    PolicyFile(write(path, WARN), state).current()
    with open(state, "w", encoding="utf-8") as file:
        file.write(copy)
    write(path, BROKEN)
    with pytest.raises(PolicyUnavailable):
        PolicyFile(str(path), state).current()


def test_where_the_copy_cannot_be_written_there_is_one_warning(
    path, tmp_path, caplog
):
    (tmp_path / "state").write_text("a file, no folder")
    file = PolicyFile(write(path, WARN), str(tmp_path / "state" / "copy"))
    assert file.current().mode == "warn"
    write(path, AUDIT)
    assert file.current().mode == "audit"
    said = [one for one in caplog.records if "memory only" in one.message]
    assert len(said) == 1


def test_switched_off_is_said_once(path, caplog):
    file = PolicyFile(write(path, "version: '1'\nenabled: false\n"))
    for _ in range(3):
        assert not file.current().enabled
    said = [one for one in caplog.records if "Nothing is refused" in one.msg]
    assert len(said) == 1


def test_exemptions_that_end_soon_are_named_once_a_day(
    path, caplog, monkeypatch
):
    exemption = (
        "{{id: {0}, reason: r, until: {1}, projects: [p], "
        "rules: {{guest_devices.disk_bus: '*'}}}}"
    )
    ends = {"over": "2026-06-14", "soon": "2026-06-29", "late": "2026-06-30"}
    listed = ",".join(exemption.format(*one) for one in ends.items())
    write(path, f"version: '1'\nexemptions: [{listed}]\n")
    day = datetime.date(2026, 6, 15)
    monkeypatch.setattr(watch, "today", lambda: day)
    file = PolicyFile(str(path))
    caplog.set_level(logging.WARNING)
    file.current()
    file.current()
    said = [one.getMessage() for one in caplog.records]
    assert len(said) == 2
    assert "over ended on 2026-06-14 and is void" in said[0]
    assert "soon ends on 2026-06-29" in said[1]
    day += datetime.timedelta(days=1)
    file.current()
    assert len(caplog.records) == 5


def test_nobody_is_judged_by_the_old_one_while_another_reads_the_new(
    path, monkeypatch
):
    # given a policy, and another that has been on the disk for a while
    file = PolicyFile(write(path, WARN))
    assert file.current().mode == "warn"
    write(path, AUDIT)
    real, reading = file._reload, threading.Event()

    def slow(stamp):
        reading.set()
        time.sleep(0.2)
        real(stamp)

    monkeypatch.setattr(file, "_reload", slow)
    # when one caller reads it, then the others wait for what it says
    first = threading.Thread(target=file.current)
    first.start()
    assert reading.wait(5)
    assert file.current().mode == "audit"
    first.join()


def test_readers_see_one_of_the_two_policies_while_it_changes(path):
    file = PolicyFile(write(path, WARN))
    file.current()
    seen = set()
    stop = threading.Event()

    def read():
        while not stop.is_set():
            seen.add(str(file.current().mode))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for turn in range(200):
        write(path, (AUDIT, WARN, BROKEN)[turn % 3])
    stop.set()
    for thread in threads:
        thread.join()
    assert seen <= {"warn", "audit"}
    write(path, AUDIT)
    assert file.current().mode == "audit"

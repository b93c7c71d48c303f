# SPDX-License-Identifier: Apache-2.0
"""A watched policy file: reload, last good copy, exemptions that end."""

import datetime
import errno
import json
import logging
import os
import pathlib
import stat
import threading

import pytest
import yaml
from packaging.version import Version

from nova_vhard.common import files, mounts, source
from nova_vhard.policy import document, release, watch
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable
from tests.unit.helpers import write

WARN = "version: '1'\nmode: warn\n"
AUDIT = "version: '1'\nmode: audit\n"
BROKEN = "version: '1'\nmode: [\n"

#: Seconds after which what does not happen counts as missing.
PATIENCE = 60


@pytest.fixture
def path(tmp_path):
    return tmp_path / "policy.yaml"


@pytest.fixture
def state(tmp_path):
    return str(tmp_path / "state" / "policy-test.json")


def test_nothing_is_wrong_with_what_was_not_read(path):
    assert PolicyFile(str(path)).error is None


def test_a_policy_that_holds_is_named_once(path, caplog):
    caplog.set_level(logging.INFO)
    file = PolicyFile(write(path, WARN))
    digest = file.current().digest
    # a comment does not make it another policy
    write(path, f"# a comment\n{WARN}")
    assert file.current().digest == digest
    assert caplog.messages == [f"Policy {digest} of {path} is in force."]


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
    with pytest.raises(PolicyUnavailable, match="not found"):
        file.current()
    write(tmp_path / "base.yaml", AUDIT)
    assert file.current().mode == "audit"


@pytest.mark.parametrize("breakage", ["broken", "deleted", "truncated"])
def test_a_bad_file_keeps_the_last_good_policy(path, breakage, caplog):
    file = PolicyFile(write(path, WARN))
    digest = file.current().digest
    if breakage == "broken":
        write(path, BROKEN)
    elif breakage == "deleted":
        path.unlink()
    else:
        path.write_text("")
    for _ in range(5):
        assert file.current().mode == "warn"
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert file.error is not None
    assert record.getMessage() == (
        f"Policy cannot be used, the last valid policy, {digest}, stays "
        f"in force: {file.error}"
    )
    write(path, AUDIT)
    assert file.current().mode == "audit"
    assert file.error is None


def test_a_fault_that_another_change_leaves_is_not_told_again(path, caplog):
    caplog.set_level("WARNING", "nova_vhard.policy.watch")
    file = PolicyFile(write(path, WARN))
    file.current()
    for _ in range(2):
        write(path, BROKEN)
        file.current()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("before", [WARN, None])
def test_a_file_that_cannot_be_opened_for_a_while(
    path, before, caplog, monkeypatch
):
    """For example, the process has too many open files."""
    file = PolicyFile(str(path))
    if before:
        write(path, before)
        file.current()
    write(path, AUDIT)

    def fails(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fails)
        # None, the stamp of a missing file, would hide that it is deleted
        assert document.Reading(str(path)).stamps == {str(path): ()}
        for _ in range(3):
            if before:
                assert file.current().mode == "warn"
            else:
                with pytest.raises(PolicyUnavailable):
                    file.current()
    # then it is read again without a change of the file
    assert file.current().mode == "audit"
    assert [each.levelname for each in caplog.records].count("ERROR") == 1


def test_no_good_policy_ever(path, caplog):
    file = PolicyFile(write(path, BROKEN))
    with pytest.raises(PolicyUnavailable, match=r"policy.yaml:3: "):
        file.current()
    assert caplog.messages == [
        f"Policy cannot be used, there is no last valid policy: {file.error}"
    ]
    with pytest.raises(PolicyUnavailable):
        file.current()
    write(path, WARN)
    assert file.current().mode == "warn"


def test_a_new_process_has_the_last_good_copy(path, state):
    PolicyFile(write(path, WARN), state).current()
    assert stat.S_IMODE(os.stat(state).st_mode) == 0o600
    write(path, BROKEN)
    assert PolicyFile(str(path), state).current().mode == "warn"


def test_a_copy_of_what_two_files_come_to_holds_as_they_did(path, state):
    """baseline has vga take the place of some."""
    rule = "video_model: {allow: [virtio, none]}"
    text = f"version: '1'\nextends: baseline\nguest_devices:\n  {rule}\n"
    digest = PolicyFile(write(path, text), state).current().digest
    write(path, BROKEN)
    assert PolicyFile(str(path), state).current().digest == digest


def test_a_worker_without_requests_has_what_the_others_held_last(path, state):
    """No policy older than the last good one holds again, in no worker."""
    idle, busy = (PolicyFile(write(path, WARN), state) for _ in range(2))
    assert idle.current().mode == "warn"
    write(path, AUDIT)
    assert busy.current().mode == "audit"
    write(path, BROKEN)
    assert idle.current().mode == "audit"
    assert busy.current().mode == "audit"


def test_a_worker_that_has_read_the_last_one_keeps_it(path, state):
    """The policy that other workers kept is older than its own."""
    quick, other = (PolicyFile(write(path, WARN), state) for _ in range(2))
    assert quick.current().mode == "warn"
    write(path, AUDIT)
    assert other.current().mode == "audit"
    write(path, WARN)
    assert quick.current().mode == "warn"
    write(path, BROKEN)
    assert quick.current().mode == "warn"
    assert other.current().mode == "warn"


def test_a_copy_that_cannot_be_replaced_is_no_newer_one(
    path, state, monkeypatch, caplog
):
    caplog.set_level(logging.WARNING)
    PolicyFile(write(path, WARN), state).current()

    def read_only(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(files, "replace", read_only)
    monkeypatch.setattr(os, "unlink", read_only)
    file = PolicyFile(write(path, AUDIT), state)
    assert file.current().mode == "audit"
    (line,) = caplog.messages
    assert line.startswith("The last valid policy is kept in memory only: ")
    write(path, BROKEN)
    assert file.current().mode == "audit"


def test_the_copy_of_another_file_is_not_taken(path, state, tmp_path):
    PolicyFile(write(path, WARN), state).current()
    other = write(tmp_path / "other.yaml", BROKEN)
    with pytest.raises(PolicyUnavailable):
        PolicyFile(other, state).current()


@pytest.mark.parametrize(
    "copy",
    [
        "{",
        "[]",
        '{"path": 1}',
        "\x00",
        "[" * 100_000,
        '{"path": "PATH"}',
        '{"path": "PATH", "data": null}',
        '{"path": "PATH", "data": [1]}',
        '{"path": "PATH", "data": {"version": "1", "hosts": "strict"}}',
        '{"path": "PATH", "data": {"version": "1", "mode": 1e999}}',
    ],
)
def test_a_damaged_copy_counts_as_none(path, state, copy, caplog):
    PolicyFile(write(path, WARN), state).current()
    with open(state, "w", encoding="utf-8") as file:
        file.write(copy.replace("PATH", str(path)))
    write(path, BROKEN)
    with pytest.raises(PolicyUnavailable, match=r"policy\.yaml:3: "):
        PolicyFile(str(path), state).current()
    lines = [each for each in caplog.messages if "last valid policy" in each]
    assert len(lines) == (1 if copy == '{"path": 1}' else 2), lines


@pytest.mark.parametrize(
    ("copy", "words"),
    [
        ('{"odd": 1}', "KeyError: 'path'"),
        (
            '{"path": "PATH", "data": {"version": "9"}}',
            "PolicyError: STATE:1: version: '9' must be 1",
        ),
    ],
)
def test_why_a_copy_is_not_taken(path, state, copy, words, caplog):
    caplog.set_level(logging.WARNING)
    PolicyFile(write(path, WARN), state).current()
    pathlib.Path(state).write_text(copy.replace("PATH", str(path)))
    write(path, BROKEN)
    file = PolicyFile(str(path), state)
    with pytest.raises(PolicyUnavailable):
        file.current()
    # The next fault of the file does not name the copy again.
    write(path, f"# a comment\n{BROKEN}")
    with pytest.raises(PolicyUnavailable):
        file.current()
    why, error, _ = caplog.records
    assert why.levelname == error.levelname == "ERROR"
    start = "The copy of the last valid policy cannot be used: "
    assert why.getMessage().startswith(start)
    assert words.replace("STATE", state) in why.getMessage()
    assert f": {path}:3: " in error.getMessage()
    assert os.path.exists(f"{state}.damaged")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("x" * 512, "x" * 512), ("x" * 513, "x" * 511 + "…")],
    ids=["fits", "long"],
)
def test_why_a_copy_is_not_taken_is_bounded(
    path, state, text, shown, caplog, monkeypatch
):
    def failing(*_):
        raise RuntimeError(text)

    PolicyFile(write(path, WARN), state).current()
    write(path, BROKEN)
    monkeypatch.setattr(document, "restore", failing)
    with pytest.raises(PolicyUnavailable):
        PolicyFile(str(path), state).current()
    assert caplog.messages[-2].endswith(f": RuntimeError: {shown}")


def runs(state):
    """Return what a service has written of itself, without the time."""
    content = json.loads(pathlib.Path(f"{state}.runs").read_text())
    return content, content.pop("since")


def test_a_service_writes_what_it_runs(path, state, monkeypatch):
    version = "1.2.0.dev5+g1"
    monkeypatch.setattr(release, "INSTALLED", Version(version))
    file = PolicyFile(write(path, WARN), state)
    good = {
        "file": str(path),
        "release": version,
        "policy": file.current().digest,
        "refused": None,
    }
    assert runs(state)[0] == good
    write(path, BROKEN)
    file.current()
    assert runs(state)[0] == {**good, "refused": str(file.error)}
    assert stat.S_IMODE(os.stat(f"{state}.runs").st_mode) == 0o600
    # it looks itself, for the bus
    write(path, AUDIT)
    told = file.runs()
    assert (told["refused"], told["policy"]) == (None, file.current().digest)


def test_since_when_is_the_first_workers_word(path, state, monkeypatch):
    """Also after a restart, and of a policy that there never was."""
    PolicyFile(write(path, BROKEN), state).runs()
    content, since = runs(state)
    assert content["policy"] is None
    assert datetime.datetime.fromisoformat(since).utcoffset() is not None
    earlier = "2026-01-01T00:00:00+00:00"
    pathlib.Path(f"{state}.runs").write_text(
        json.dumps({**content, "since": earlier})
    )
    assert PolicyFile(str(path), state).runs()["since"] == earlier
    assert runs(state) == (content, earlier)
    write(path, WARN)
    PolicyFile(str(path), state).runs()
    assert runs(state)[1] > earlier


@pytest.mark.parametrize("content", ["{", "[1]", "\x00", "null", None])
def test_a_damaged_word_of_what_runs_is_replaced(path, state, content):
    PolicyFile(write(path, WARN), state).runs()
    # None: all of it, but not since when
    content = content or json.dumps(runs(state)[0])
    pathlib.Path(f"{state}.runs").write_text(content)
    digest = PolicyFile(str(path), state).runs()["policy"]
    assert runs(state)[0]["policy"] == digest


def test_a_copy_is_as_long_as_what_it_was_made_of_can_be(
    path, state, caplog, monkeypatch
):
    """JSON is longer than YAML, and a policy can extend other files."""
    caplog.set_level("WARNING", "nova_vhard.policy.watch")
    monkeypatch.setattr(source, "MAX_LIMIT", len(WARN))
    PolicyFile(write(path, WARN), state).current()
    write(path, BROKEN)
    copy = pathlib.Path(state)
    longest = 16 * len(WARN)
    copy.write_text(copy.read_text().ljust(longest))
    assert PolicyFile(str(path), state).current().mode == "warn"
    copy.write_text(f"{copy.read_text()} ")
    with pytest.raises(PolicyUnavailable):
        PolicyFile(str(path), state).current()
    assert f"it is larger than {longest} bytes" in caplog.messages[1]


def test_the_folder_of_a_copy_is_not_for_everybody(path, state):
    before = os.umask(0)
    try:
        PolicyFile(write(path, WARN), state).current()
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(os.path.dirname(state)).st_mode) == 0o750


@pytest.mark.parametrize("broken", [True, False], ids=["broken", "missing"])
def test_a_copy_that_cannot_be_read_is_read_later(path, state, caplog, broken):
    caplog.set_level(logging.WARNING)
    good = PolicyFile(write(path, WARN), state).current().digest
    if broken:
        write(path, BROKEN)
    else:
        os.unlink(path)
    os.rename(state, f"{state}.away")
    os.symlink(state, state)
    file = PolicyFile(str(path), state)
    for _ in range(3):
        with pytest.raises(PolicyUnavailable):
            file.current()
    os.rename(f"{state}.away", state)
    assert file.current().digest == good
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "Too many levels of symbolic links" in record.getMessage()


def test_a_policy_in_memory_waits_for_no_copy(path, state, monkeypatch):
    file = PolicyFile(write(path, WARN), state)
    good = file.current().digest
    os.unlink(state)
    os.symlink(state, state)
    write(path, BROKEN)
    assert file.current().digest == good
    monkeypatch.setattr(document, "Reading", None)
    assert file.current().digest == good


def test_a_good_file_replaces_a_copy_that_cannot_be_read(path, state):
    PolicyFile(write(path, WARN), state).current()
    os.unlink(state)
    os.symlink(state, state)
    write(path, AUDIT)
    assert PolicyFile(str(path), state).current().mode == "audit"
    write(path, BROKEN)
    assert PolicyFile(str(path), state).current().mode == "audit"


def test_a_copy_that_is_no_file_counts_as_none(path, state):
    PolicyFile(write(path, WARN), state).current()
    os.unlink(state)
    os.mkfifo(state)
    write(path, BROKEN)
    with pytest.raises(PolicyUnavailable, match=r"policy\.yaml:3: "):
        PolicyFile(str(path), state).current()


@pytest.mark.parametrize(
    ("name", "reason"), [("copy", "File exists"), ("a\0b", "embedded null")]
)
def test_where_the_copy_cannot_be_written_there_is_one_warning(
    path, tmp_path, caplog, name, reason
):
    caplog.set_level(logging.WARNING)
    if name == "copy":
        (tmp_path / "state").write_text("a file, no folder")
    file = PolicyFile(write(path, WARN), str(tmp_path / "state" / name))
    assert file.current().mode == "warn"
    write(path, AUDIT)
    assert file.current().mode == "audit"
    (line,) = caplog.messages
    assert line.startswith("The last valid policy is kept in memory only: ")
    assert reason in line


def test_a_copy_takes_the_room_of_the_old_one(
    path, state, caplog, monkeypatch
):
    caplog.set_level(logging.WARNING)
    # given an old copy that fills the disk
    real = os.fsync
    failures = [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))]

    def fsync(descriptor):
        if failures:
            raise failures.pop()
        real(descriptor)

    file = PolicyFile(write(path, WARN), state)
    file.current()
    monkeypatch.setattr(os, "fsync", fsync)
    # when another policy is kept
    write(path, AUDIT)
    digest = file.current().digest
    # then the copy is of the new one, and nothing is told
    assert not failures
    assert not caplog.messages
    write(path, BROKEN)
    restarted = PolicyFile(str(path), state).current()
    assert (restarted.mode, restarted.digest) == ("audit", digest)


def test_an_old_copy_goes_where_no_new_one_can_be_written(
    path, state, caplog, monkeypatch
):
    caplog.set_level(logging.WARNING)
    tries = []

    def full(descriptor):
        tries.append(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = PolicyFile(write(path, WARN), state)
    file.current()
    monkeypatch.setattr(os, "fsync", full)
    write(path, AUDIT)
    file.current()
    # with the room of the old one it was tried once more, and what runs too
    assert len(tries) == 4
    assert not os.path.exists(f"{state}.runs")
    assert not os.path.exists(state)
    (record,) = caplog.records
    assert os.strerror(errno.ENOSPC) in record.getMessage()


def test_switched_off_is_said_once(path, caplog):
    caplog.set_level(logging.WARNING)
    file = PolicyFile(write(path, "version: '1'\nenabled: false\n"))
    for _ in range(3):
        assert not file.current().enabled
    assert caplog.messages == [
        f"{path} says enabled: false. Nothing is refused."
    ]
    (record,) = caplog.records
    assert record.levelname == "WARNING"


def test_exemptions_that_end_soon_are_named_once_a_day(
    path, caplog, monkeypatch
):
    exemption = (
        "{{id: {0}, reason: r, until: {1}, domains: [default], "
        "rules: {{guest_devices.disk_bus: '*'}}}}"
    )
    ends = {"over": "2026-06-14", "soon": "2026-06-29", "late": "2026-06-30"}
    listed = ",".join(exemption.format(*each) for each in ends.items())
    write(path, f"version: '1'\nexemptions: [{listed}]\n")
    day = datetime.date(2026, 6, 15)
    monkeypatch.setattr(watch, "today", lambda: day)
    file = PolicyFile(str(path))
    caplog.set_level(logging.WARNING)
    file.current()
    file.current()
    assert caplog.messages == [
        "Exemption over ended on 2026-06-14 and no longer applies.",
        "Exemption soon ends on 2026-06-29. Renew or remove it.",
    ]
    day += datetime.timedelta(days=1)
    file.current()
    assert len(caplog.records) == 5


class Slow:
    """Reads a policy only when it is let, as from a slow file system."""

    def __init__(self, monkeypatch):
        self.reading = threading.Event()
        self.go_on = threading.Event()
        self.times = 0
        self._real = document.Reading
        monkeypatch.setattr(document, "Reading", self)

    def __call__(self, *arguments):
        self.times += 1
        result = self._real(*arguments)
        self.reading.set()
        assert self.go_on.wait(PATIENCE)
        return result


class Caller(threading.Thread):
    """Asks for the policy; keeps what it gets."""

    def __init__(self, file):
        super().__init__(daemon=True)
        self._file = file
        self.start()

    def run(self):
        try:
            self.mode = str(self._file.current().mode)
        except PolicyUnavailable as error:
            self.mode = str(error)

    def result(self):
        self.join(PATIENCE)
        return self.mode


def test_others_go_on_with_the_last_good_one_while_one_reads(
    path, monkeypatch
):
    # given a policy, and another that takes long to read
    file = PolicyFile(write(path, WARN))
    assert file.current().mode == "warn"
    slow = Slow(monkeypatch)
    write(path, AUDIT)
    reader = Caller(file)
    assert slow.reading.wait(PATIENCE)
    # when others ask in the meantime, then none waits, and only one reads
    for _ in range(5):
        assert file.current().mode == "warn"
    assert slow.times == 1
    # and the new one holds for everybody as soon as it has been read
    slow.go_on.set()
    assert reader.result() == "audit"
    assert file.current().mode == "audit"
    assert slow.times == 1


def test_a_change_while_one_reads_is_not_lost(path, monkeypatch):
    # given one that has read a new policy, and does not know it yet
    file = PolicyFile(write(path, WARN))
    file.current()
    slow = Slow(monkeypatch)
    write(path, AUDIT)
    reader = Caller(file)
    assert slow.reading.wait(PATIENCE)
    # when the file changes once more
    write(path, "version: '1'\nmode: enforce\n")
    slow.go_on.set()
    # then the next call sees it
    assert reader.result() == "audit"
    assert file.current().mode == "enforce"


@pytest.mark.parametrize(
    ("text", "answer"), [(WARN, "warn"), (BROKEN, "policy.yaml:3: ")]
)
def test_the_first_policy_is_waited_for(path, monkeypatch, text, answer):
    slow = Slow(monkeypatch)
    file = PolicyFile(write(path, text))
    reader = Caller(file)
    if text == WARN:
        assert slow.reading.wait(PATIENCE)
    others = [Caller(file) for _ in range(8)]
    slow.go_on.set()
    for caller in (reader, *others):
        assert answer in caller.result()
    assert slow.times == 1


OURS = [
    AttributeError("'str' object has no attribute 'get'"),
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    UnicodeError("surrogates not allowed"),
    ValueError("Exceeds the limit (4300 digits)"),
    OSError(5, "Input/output error"),
    KeyError("hosts"),
    yaml.YAMLError("of another kind"),
]


@pytest.mark.parametrize("error", OURS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(
    "place",
    [
        "check.faults",
        "source.read_text",
        "yaml_lines.read",
        "provenance.plain",
        "assemble.policy",
    ],
)
def test_any_exception_while_it_is_read_keeps_the_last_good_policy(
    path, monkeypatch, caplog, place, error
):
    # given
    file = PolicyFile(write(path, WARN))
    file.current()
    caplog.clear()

    def fail(*_, **__):
        raise error

    # when
    with monkeypatch.context() as patch:
        patch.setattr(f"nova_vhard.policy.document.{place}", fail)
        write(path, AUDIT)
        for _ in range(3):
            assert file.current().mode == "warn"
    # then one error names the file, with the traceback of our fault
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert f"{path}:1: cannot be read, because of a bug" in record.getMessage()
    assert type(error).__name__ in record.getMessage()
    assert "raise error" in caplog.text
    # and a change is taken up again
    write(path, "version: '1'\nmode: enforce\n")
    assert file.current().mode == "enforce"


def test_a_fault_of_the_file_has_no_traceback(path, caplog):
    file = PolicyFile(write(path, WARN))
    file.current()
    write(path, "version: '1'\nhosts: strict\n")
    assert file.current().mode == "warn"
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert f"{path}:2: hosts: 'strict' must be" in record.getMessage()
    assert not record.exc_info


def test_a_file_that_is_too_large_is_no_policy(path, monkeypatch):
    monkeypatch.setattr(source, "MAX_LIMIT", len(WARN) - 1)
    with pytest.raises(PolicyUnavailable, match=f"than {len(WARN) - 1} bytes"):
        PolicyFile(write(path, WARN)).current()


def test_a_pipe_holds_nobody_up(path):
    file = PolicyFile(write(path, WARN))
    file.current()
    path.unlink()
    os.mkfifo(path)
    assert file.current().mode == "warn"
    assert "it is a named pipe" in str(file.error)
    path.unlink()
    write(path, AUDIT)
    assert file.current().mode == "audit"


def test_a_name_that_no_file_can_have_is_looked_at_for_ever(path):
    file = PolicyFile(write(path, WARN))
    file.current()
    write(path, 'version: "1"\nextends: "a\\0b"\n')
    for _ in range(3):
        assert file.current().mode == "warn"
    write(path, AUDIT)
    assert file.current().mode == "audit"


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


def test_a_file_beside_it_disables_the_policy_at_once(path, caplog):
    caplog.set_level(logging.WARNING)
    file = PolicyFile(write(path, WARN))
    digest = file.current().digest
    flag = path.with_name("policy.yaml.disabled")
    flag.touch()
    for _ in range(2):
        policy = file.current()
        assert (policy.enabled, policy.digest) == (False, digest)
    assert caplog.messages == [f"{flag} exists. Nothing is refused."]
    flag.unlink()
    assert file.current().enabled
    assert caplog.messages[1:] == [f"{flag} is gone."]
    flag.touch()
    assert not file.current().enabled
    assert caplog.messages[2:] == [f"{flag} exists. Nothing is refused."]


def test_what_is_disabled_is_the_policy_of_the_moment(path):
    file = PolicyFile(write(path, WARN))
    path.with_name("policy.yaml.disabled").touch()
    assert file.current().mode == "warn"
    write(path, AUDIT)
    assert (file.current().mode, file.current().enabled) == ("audit", False)


def test_no_policy_at_all_can_be_disabled(path):
    write(path, BROKEN)
    flag = path.with_name("policy.yaml.disabled")
    flag.touch()
    file = PolicyFile(str(path))
    assert not file.current().enabled
    flag.unlink()
    with pytest.raises(PolicyUnavailable):
        file.current()


def test_a_flag_that_cannot_be_seen_is_none(path):
    file = PolicyFile(write(path, WARN))
    path.with_name("policy.yaml.disabled").symlink_to("nowhere")
    assert file.current().enabled


@pytest.fixture
def mountinfo(tmp_path, monkeypatch):
    """Return a list of mounts that can be written."""
    file = tmp_path / "mountinfo"
    monkeypatch.setattr(mounts, "_MOUNTS", str(file))
    return file


ROW = "36 35 98:0 /etc/x {} rw,noatime master:1 - ext4 /dev/root rw\n"


def test_names_in_the_list_of_mounts_are_unescaped():
    text = ROW.format("/a\\040b\\134c") + "nonsense\n"
    assert mounts.mount_points(text) == {"/a b\\c"}


@pytest.mark.parametrize("name", ["/a\x0bb\rc\u2028d", "/a\tb", "/", "/ä"])
def test_what_a_name_in_the_list_of_mounts_may_have(name):
    escaped = name.replace("\t", "\\011")
    text = ROW.format("/first") + ROW.format(escaped)
    assert mounts.mount_points(text) == {"/first", name}


@pytest.mark.parametrize("text", ["", "\n", "36 35 98:0 /etc/x\n"])
def test_a_list_without_mounts(text):
    assert mounts.mount_points(text) == frozenset()


def test_a_name_of_any_bytes(tmp_path, mountinfo):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml")
    mountinfo.write_bytes(os.fsencode(ROW.format(name)))
    with open(name, "w"):
        pass
    assert mounts.warning(name) == (
        f"{name} is a bind mount of a single file: a replacement of the file "
        "would not be visible here. Mount its directory instead, and restart."
    )


def test_a_list_of_mounts_is_read_so_far(tmp_path, mountinfo, monkeypatch):
    path = tmp_path / "policy.yaml"
    path.touch()
    mountinfo.write_text(ROW.format(path))
    monkeypatch.setattr(mounts, "_LIMIT", len(ROW.format(path)))
    assert mounts.warning(str(path))
    mountinfo.write_text(ROW.format("/") + ROW.format(path))
    assert mounts.warning(str(path)) is None


def test_a_mount_whose_file_was_replaced(tmp_path, mountinfo, monkeypatch):
    path = tmp_path / "policy.yaml"
    path.touch()
    mountinfo.write_text(ROW.format(path))
    stat_of = os.stat

    def without_name(*arguments, **options):
        mode, inode, device, _, *rest = stat_of(*arguments, **options)
        return os.stat_result((mode, inode, device, 0, *rest))

    monkeypatch.setattr(os, "stat", without_name)
    assert mounts.warning(str(path)) == (
        f"{path} was replaced at its source, but the mount here still has "
        "the old file. Mount its directory instead, and restart."
    )


def test_a_list_of_mounts_that_cannot_be_read_says_nothing(path, mountinfo):
    assert mounts.warning(write(path, WARN)) is None

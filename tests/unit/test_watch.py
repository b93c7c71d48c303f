# SPDX-License-Identifier: Apache-2.0
"""A watched policy file: reload, last good copy, exemptions that end."""

import concurrent.futures
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
#: What baseline says of video_model has vga take the place of others.
EXTENDS = (
    "version: '1'\nextends: baseline\n"
    "guest_devices: {video_model: {allow: [virtio, none]}}\n"
)
PIPE = "a named pipe, and no text"

#: Seconds after which what does not happen counts as missing.
PATIENCE = 60


@pytest.fixture
def path(tmp_path):
    return tmp_path / "policy.yaml"


@pytest.fixture
def state(tmp_path):
    return str(tmp_path / "state" / "policy-test.json")


@pytest.fixture
def file(path):
    """Return a policy file that was read with mode warn."""
    result = PolicyFile(write(path, WARN))
    assert result.error is None
    result.current()
    return result


@pytest.fixture
def logged(caplog):
    """Return a function that gives level and text of each record."""
    caplog.set_level(logging.WARNING)
    return lambda: [(x.levelname, x.getMessage()) for x in caplog.records]


def failing(error):
    """Return a function that always raises the error."""

    def fail(*_, **__):
        raise error

    return fail


def unavailable(path, state=None):
    """Return why a service that starts has no policy."""
    with pytest.raises(PolicyUnavailable) as caught:
        PolicyFile(str(path), state).current()
    return str(caught.value)


def loop(path):
    """Replace the file by one that cannot be read for now."""
    os.unlink(path)
    os.symlink(path, path)


def test_a_policy_that_holds_is_named_once(path, caplog):
    caplog.set_level(logging.INFO)
    file = PolicyFile(write(path, WARN))
    digest = file.current().digest
    # a comment does not make it another policy
    write(path, f"# a comment\n{WARN}")
    assert file.current().digest == digest
    assert caplog.messages == [f"Policy {digest} of {path} is in force."]


def test_a_change_of_an_extended_file_is_obeyed(path, tmp_path):
    file = PolicyFile(write(path, "version: '1'\nextends: base.yaml\n"))
    with pytest.raises(PolicyUnavailable, match="not found"):
        file.current()
    for text, mode in ((WARN, "warn"), (AUDIT, "audit")):
        write(tmp_path / "base.yaml", text)
        assert file.current().mode == mode


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (BROKEN, ":3: "),
        (None, "policy.yaml"),
        ("", ""),
        ("version: '1'\nhosts: strict\n", ":2: hosts: 'strict' must be"),
        ('version: "1"\nextends: "a\\0b"\n', ":2: "),
        (PIPE, "it is a named pipe"),
    ],
    ids=["broken", "deleted", "empty", "invalid", "no file's name", "pipe"],
)
def test_a_bad_file_keeps_the_last_good_policy(file, path, bad, words, caplog):
    digest = file.current().digest
    path.unlink()
    if bad == PIPE:
        os.mkfifo(path)
    elif bad is not None:
        write(path, bad)
    for _ in range(3):
        assert file.current().mode == "warn"
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.getMessage() == (
        f"Policy cannot be used, the last valid policy, {digest}, stays "
        f"in force: {file.error}"
    )
    assert words in str(file.error)
    # not a fault of ours
    assert not record.exc_info
    write(path, AUDIT)
    assert (file.current().mode, file.error) == ("audit", None)


def test_a_fault_that_another_change_leaves_is_not_told_again(
    file, path, logged
):
    for _ in range(2):
        write(path, BROKEN)
        file.current()
    assert [level for level, _ in logged()] == ["ERROR"]


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
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(OSError(errno.EMFILE, "too many")))
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
    for _ in range(2):
        with pytest.raises(PolicyUnavailable, match=r"policy.yaml:3: "):
            file.current()
    assert caplog.messages == [
        f"Policy cannot be used, there is no last valid policy: {file.error}"
    ]
    write(path, WARN)
    assert file.current().mode == "warn"


# Steps: which worker reads which text, and the text whose policy it uses.
@pytest.mark.parametrize(
    "steps",
    [
        [("old", WARN, WARN), ("old", AUDIT, AUDIT)],
        [("old", WARN, WARN), ("new", BROKEN, WARN)],
        [("old", EXTENDS, EXTENDS), ("new", BROKEN, EXTENDS)],
        # no policy older than the last good one holds again, in no worker
        [
            ("idle", WARN, WARN),
            ("busy", AUDIT, AUDIT),
            ("idle", BROKEN, AUDIT),
            ("busy", BROKEN, AUDIT),
        ],
        # the policy that another worker kept is older than its own
        [
            ("quick", WARN, WARN),
            ("other", AUDIT, AUDIT),
            ("quick", WARN, WARN),
            ("quick", BROKEN, WARN),
            ("other", BROKEN, WARN),
        ],
    ],
    ids=["change", "restart", "restart of two files", "idle", "own"],
)
def test_workers_share_the_last_good_copy(path, state, steps):
    workers, digests = {}, {}
    for worker, text, holds in steps:
        write(path, text)
        file = workers.setdefault(worker, PolicyFile(str(path), state))
        digest = file.current().digest
        assert digests.setdefault(holds, digest) == digest
    assert len(set(digests.values())) == len(digests)


def test_files_of_a_service_are_not_for_everybody(path, state):
    before = os.umask(0)
    try:
        PolicyFile(write(path, WARN), state).current()
    finally:
        os.umask(before)
    modes = {
        name: stat.S_IMODE(os.stat(name).st_mode)
        for name in (state, f"{state}.runs", os.path.dirname(state))
    }
    assert [*modes.values()] == [0o600, 0o600, 0o750]


def test_a_copy_that_cannot_be_replaced_is_no_newer_one(
    path, state, monkeypatch, logged
):
    PolicyFile(write(path, WARN), state).current()
    read_only = failing(OSError(errno.EROFS, os.strerror(errno.EROFS)))
    monkeypatch.setattr(files, "replace", read_only)
    monkeypatch.setattr(os, "unlink", read_only)
    file = PolicyFile(write(path, AUDIT), state)
    assert file.current().mode == "audit"
    assert [level for level, _ in logged()] == ["WARNING"]
    write(path, BROKEN)
    assert file.current().mode == "audit"


OURS = '{"path": "PATH", "data": '


@pytest.mark.parametrize(
    ("copy", "words"),
    [
        ("{", "JSON"),
        ("[]", "TypeError"),
        ('{"odd": 1}', "KeyError: 'path'"),
        ("\x00", "JSON"),
        ("[" * 100_000, "RecursionError"),
        ('{"path": "PATH"}', "KeyError: 'data'"),
        (f"{OURS}null}}", ""),
        (f"{OURS}[1]}}", ""),
        (f'{OURS}{{"version": "1", "hosts": "strict"}}}}', "ValueError"),
        (f'{OURS}{{"version": "1", "mode": 1e999}}}}', ""),
        (
            f'{OURS}{{"version": "9"}}}}',
            "PolicyError: STATE:1: version: '9' must be 1",
        ),
        # of another policy file
        ('{"path": "/else.yaml", "data": {"version": "1"}}', None),
    ],
)
def test_a_damaged_copy_counts_as_none(path, state, copy, words, logged):
    PolicyFile(write(path, WARN), state).current()
    pathlib.Path(state).write_text(copy.replace("PATH", str(path)))
    write(path, BROKEN)
    file = PolicyFile(str(path), state)
    # The next fault of the file does not name the copy again.
    for text in (BROKEN, f"# a comment\n{BROKEN}"):
        write(path, text)
        with pytest.raises(PolicyUnavailable, match=r"policy\.yaml:\d: "):
            file.current()
    *why, error, _ = logged()
    assert error[0] == "ERROR" and f": {path}:3: " in error[1]
    if words is None:
        assert why == []
        return
    ((level, text),) = why
    start = "The copy of the last valid policy cannot be used: "
    assert level == "ERROR" and text.startswith(start)
    assert words.replace("STATE", state) in text
    assert os.path.exists(f"{state}.damaged")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("x" * 512, "x" * 512), ("x" * 513, "x" * 511 + "…")],
    ids=["fits", "long"],
)
def test_why_a_copy_is_not_taken_is_bounded(
    path, state, text, shown, logged, monkeypatch
):
    PolicyFile(write(path, WARN), state).current()
    write(path, BROKEN)
    monkeypatch.setattr(document, "restore", failing(RuntimeError(text)))
    unavailable(path, state)
    assert logged()[-2][1].endswith(f": RuntimeError: {shown}")


def runs(state):
    """Return what a service has written of itself, and since when."""
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
    # it looks itself, for the bus
    write(path, AUDIT)
    told = file.runs()
    assert (told["refused"], told["policy"]) == (None, file.current().digest)


def test_since_when_is_the_first_workers_word(path, state):
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
    path, state, logged, monkeypatch
):
    """JSON is longer than YAML, and a policy can extend other files."""
    monkeypatch.setattr(source, "MAX_LIMIT", len(WARN))
    PolicyFile(write(path, WARN), state).current()
    write(path, BROKEN)
    copy = pathlib.Path(state)
    longest = 16 * len(WARN)
    copy.write_text(copy.read_text().ljust(longest))
    assert PolicyFile(str(path), state).current().mode == "warn"
    copy.write_text(f"{copy.read_text()} ")
    unavailable(path, state)
    assert f"it is larger than {longest} bytes" in logged()[1][1]
    # nor is a file larger
    write(path, f"{WARN}# a comment")
    assert f"than {len(WARN)} bytes" in unavailable(path)


@pytest.mark.parametrize("missing", [False, True])
def test_a_copy_that_cannot_be_read_is_read_later(
    path, state, logged, missing
):
    good = PolicyFile(write(path, WARN), state).current().digest
    write(path, BROKEN)
    if missing:
        path.unlink()
    kept = pathlib.Path(state).read_text()
    loop(state)
    file = PolicyFile(str(path), state)
    for _ in range(3):
        with pytest.raises(PolicyUnavailable):
            file.current()
    os.unlink(state)
    pathlib.Path(state).write_text(kept)
    assert file.current().digest == good
    ((level, words),) = logged()
    assert level == "ERROR"
    assert "Too many levels of symbolic links" in words


def test_a_policy_in_memory_waits_for_no_copy(path, state, monkeypatch):
    file = PolicyFile(write(path, WARN), state)
    good = file.current().digest
    loop(state)
    write(path, BROKEN)
    assert file.current().digest == good
    monkeypatch.setattr(document, "Reading", None)
    assert file.current().digest == good


def test_a_good_file_replaces_a_copy_that_cannot_be_read(path, state):
    PolicyFile(write(path, WARN), state).current()
    loop(state)
    for text in (AUDIT, BROKEN):
        write(path, text)
        assert PolicyFile(str(path), state).current().mode == "audit"


def test_a_copy_that_is_no_file_counts_as_none(path, state):
    PolicyFile(write(path, WARN), state).current()
    os.unlink(state)
    os.mkfifo(state)
    write(path, BROKEN)
    assert "policy.yaml:3: " in unavailable(path, state)


@pytest.mark.parametrize(
    ("name", "reason"), [("copy", "File exists"), ("a\0b", "embedded null")]
)
def test_where_the_copy_cannot_be_written_there_is_one_warning(
    path, tmp_path, logged, name, reason
):
    if name == "copy":
        (tmp_path / "state").write_text("a file, no folder")
    file = PolicyFile(str(path), str(tmp_path / "state" / name))
    for text, mode in ((WARN, "warn"), (AUDIT, "audit")):
        write(path, text)
        assert file.current().mode == mode
    ((_, line),) = logged()
    assert line.startswith("The last valid policy is kept in memory only: ")
    assert reason in line


# Tries: of the copy, and of what runs; each once more with its room.
@pytest.mark.parametrize(("failures", "kept"), [(1, True), (4, False)])
def test_a_copy_takes_the_room_of_the_old_one(
    path, state, logged, monkeypatch, failures, kept
):
    """No old copy is left where no new one can be written."""
    file = PolicyFile(write(path, WARN), state)
    file.current()
    real = os.fsync
    full = [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))] * failures

    def fsync(descriptor):
        if full:
            raise full.pop()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write(path, AUDIT)
    digest = file.current().digest
    assert not full
    assert os.path.exists(state) == os.path.exists(f"{state}.runs") == kept
    assert [os.strerror(errno.ENOSPC) in text for _, text in logged()] == (
        [] if kept else [True]
    )
    if kept:
        write(path, BROKEN)
        assert PolicyFile(str(path), state).current().digest == digest


def test_switched_off_is_said_once(path, logged):
    file = PolicyFile(write(path, "version: '1'\nenabled: false\n"))
    for _ in range(3):
        assert not file.current().enabled
    assert logged() == [
        ("WARNING", f"{path} says enabled: false. Nothing is refused.")
    ]


def test_exemptions_that_end_soon_are_named_once_a_day(
    path, logged, monkeypatch
):
    exemption = (
        "{{id: {0}, reason: r, until: {1}, domains: [default], "
        "rules: {{guest_devices.disk_bus: '*'}}}}"
    )
    ends = {"over": "2026-06-14", "soon": "2026-06-29", "late": "2026-06-30"}
    listed = ",".join(exemption.format(*each) for each in ends.items())
    day = datetime.date(2026, 6, 15)
    monkeypatch.setattr(watch, "today", lambda: day)
    file = PolicyFile(write(path, f"version: '1'\nexemptions: [{listed}]\n"))
    file.current()
    file.current()
    assert [text for _, text in logged()] == [
        "Exemption over ended on 2026-06-14 and no longer applies.",
        "Exemption soon ends on 2026-06-29. Renew or remove it.",
    ]
    day += datetime.timedelta(days=1)
    file.current()
    assert len(logged()) == 5


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


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(4) as result:
        yield result


def test_others_go_on_with_the_last_good_one_while_one_reads(
    file, path, monkeypatch, pool
):
    # given a policy, and another that takes long to read
    slow = Slow(monkeypatch)
    write(path, AUDIT)
    reader = pool.submit(file.current)
    assert slow.reading.wait(PATIENCE)
    # when others ask in the meantime, then none waits, and only one reads
    for _ in range(5):
        assert file.current().mode == "warn"
    # and the new one holds for everybody as soon as it has been read
    slow.go_on.set()
    assert reader.result().mode == file.current().mode == "audit"
    assert slow.times == 1


def test_a_change_while_one_reads_is_not_lost(file, path, monkeypatch, pool):
    # given one that has read a new policy, and does not know it yet
    slow = Slow(monkeypatch)
    write(path, AUDIT)
    reader = pool.submit(file.current)
    assert slow.reading.wait(PATIENCE)
    # when the file changes once more, then the next call sees it
    write(path, "version: '1'\nmode: enforce\n")
    slow.go_on.set()
    assert reader.result().mode == "audit"
    assert file.current().mode == "enforce"


@pytest.mark.parametrize("text", [WARN, BROKEN])
def test_the_first_policy_is_waited_for(path, monkeypatch, pool, text):
    slow = Slow(monkeypatch)
    file = PolicyFile(write(path, text))
    callers = [pool.submit(file.current) for _ in range(4)]
    assert slow.reading.wait(PATIENCE)
    slow.go_on.set()
    for each in callers:
        if text == WARN:
            assert each.result().mode == "warn"
        else:
            assert "policy.yaml:3: " in str(each.exception())
    assert slow.times == 1


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("check.faults", AttributeError("'str' has no attribute 'get'")),
        ("check.faults", RecursionError("maximum recursion depth exceeded")),
        ("check.faults", MemoryError()),
        ("source.read_text", UnicodeError("surrogates not allowed")),
        ("source.read_text", OSError(5, "Input/output error")),
        ("yaml_lines.read", yaml.YAMLError("of another kind")),
        ("yaml_lines.read", ValueError("Exceeds the limit (4300 digits)")),
        ("provenance.plain", KeyError("hosts")),
        ("assemble.policy", KeyError("hosts")),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_any_exception_while_it_is_read_keeps_the_last_good_policy(
    file, path, monkeypatch, caplog, place, error
):
    with monkeypatch.context() as patch:
        patch.setattr(f"nova_vhard.policy.document.{place}", failing(error))
        write(path, AUDIT)
        for _ in range(3):
            assert file.current().mode == "warn"
    # one error names the file, with the traceback of our fault
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert f"{path}:1: cannot be read, because of a bug" in record.getMessage()
    assert type(error).__name__ in record.getMessage()
    assert "raise error" in caplog.text
    # and a change is taken up again
    write(path, "version: '1'\nmode: enforce\n")
    assert file.current().mode == "enforce"


def test_a_file_beside_it_disables_the_policy_at_once(file, path, logged):
    digest = file.current().digest
    flag = path.with_name("policy.yaml.disabled")
    for _ in range(2):
        flag.touch()
        for _ in range(2):
            policy = file.current()
            assert (policy.enabled, policy.digest) == (False, digest)
        flag.unlink()
        assert file.current().enabled
    assert [text for _, text in logged()] == [
        f"{flag} exists. Nothing is refused.",
        f"{flag} is gone.",
    ] * 2
    # the current policy is disabled
    flag.touch()
    write(path, AUDIT)
    assert (file.current().mode, file.current().enabled) == ("audit", False)
    # an unreadable flag counts as missing
    flag.unlink()
    flag.symlink_to(flag)
    assert file.current().enabled


def test_no_policy_at_all_can_be_disabled(path):
    flag = path.with_name("policy.yaml.disabled")
    flag.touch()
    assert not PolicyFile(write(path, BROKEN)).current().enabled
    flag.unlink()
    unavailable(path)


ROW = "36 35 98:0 /etc/x {} rw,noatime master:1 - ext4 /dev/root rw\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ROW.format("/a\\040b\\134c") + "nonsense\n", {"/a b\\c"}),
        (ROW.format("/a") + ROW.format("/a\\011b"), {"/a", "/a\tb"}),
        (ROW.format("/a\x0bb\rc\u2028d"), {"/a\x0bb\rc\u2028d"}),
        (ROW.format("/"), {"/"}),
        (ROW.format("/ä"), {"/ä"}),
        ("", set()),
        ("\n", set()),
        ("36 35 98:0 /etc/x\n", set()),
    ],
)
def test_names_in_the_list_of_mounts(text, names):
    assert mounts.mount_points(text) == names


MOUNTED = (
    "{} is a bind mount of a single file: a replacement of the file "
    "would not be visible here. Mount its directory instead, and restart."
)
REPLACED = (
    "{} was replaced at its source, but the mount here still has "
    "the old file. Mount its directory instead, and restart."
)


@pytest.mark.parametrize(
    ("name", "rows", "links", "warning"),
    [
        (b"policy.yaml", ["{}"], 1, MOUNTED),
        (b"\xff.yaml", ["{}"], 1, MOUNTED),
        (b"policy.yaml", ["{}"], 0, REPLACED),
        (b"policy.yaml", ["/"], 1, None),
        # behind what is read of the list
        (b"policy.yaml", ["/", "{}"], 1, None),
        # a list that cannot be read
        (b"policy.yaml", None, 1, None),
    ],
    ids=["mount", "bytes", "replaced", "none", "long list", "no list"],
)
def test_a_file_that_is_a_mount(
    tmp_path, monkeypatch, name, rows, links, warning
):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    pathlib.Path(path).touch()
    table = tmp_path / "mountinfo"
    monkeypatch.setattr(mounts, "_MOUNTS", str(table))
    if rows:
        text = "".join(ROW.format(row.format(path)) for row in rows)
        table.write_bytes(os.fsencode(text))
    limit = len(os.fsencode(ROW.format(path)))
    monkeypatch.setattr(mounts, "_LIMIT", limit)
    found = list(os.stat(path))
    found[stat.ST_NLINK] = links
    monkeypatch.setattr(os, "stat", lambda *_, **__: os.stat_result(found))
    assert mounts.warning(path) == (warning and warning.format(path))

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
from unittest import mock

import pytest
import yaml
from packaging.version import Version

from nova_vhard.common import files, mounts, source
from nova_vhard.policy import document, release, watch
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable
from tests.unit.helpers import TODAY, write

pytestmark = pytest.mark.refused_policy
WARN, AUDIT = "version: '1'\nmode: warn\n", "version: '1'\nmode: audit\n"
BROKEN = "version: '1'\nmode: [\n"
#: What baseline says of video_model has vga take the place of others.
EXTENDS = (
    "version: '1'\nextends: baseline\n"
    "guest_devices: {video_model: {allow: [virtio, none]}}\n"
)

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
    result.current()
    return result


@pytest.fixture
def logged(caplog):
    """Return a function that gives level and text of each record."""
    caplog.set_level(logging.WARNING)
    return lambda: [(x.levelname, x.getMessage()) for x in caplog.records]


def failing(error):
    """Return a function that always raises the error."""
    return mock.Mock(side_effect=error)


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [
        (WARN, "INFO", "Policy {1} of {0} is in force."),
        (
            "version: '1'\nenabled: false\n",
            "WARNING",
            "{0} says enabled: false. Nothing is refused.",
        ),
    ],
    ids=["mode warn", "switched off"],
)
def test_a_policy_that_holds_is_named_once(path, caplog, text, level, said):
    caplog.set_level(logging.INFO)
    file = PolicyFile(write(path, text))
    digest = file.current().digest
    # a comment does not make it another policy
    write(path, f"# a comment\n{text}")
    assert file.current().digest == digest
    ((_, number, message),) = caplog.record_tuples
    assert logging.getLevelName(number) == level
    assert message == said.format(path, digest)


READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS))
LOOPS = "Too many levels of symbolic links"
OUTER = "version: '1'\nextends: base.yaml\n"
OFF = ("WARNING", "policy.yaml.disabled exists. Nothing is refused.")
ON = ("WARNING", "policy.yaml.disabled is gone.")
OURS = '{"path": "PATH", "data": '
KEPT = [("write", WARN), ("start", 1), ("mode", "warn")]
#: JSON is longer than YAML, and a policy can extend other files.
LONGEST = 16 * len(WARN)
#: A copy, and the reason why it is not used; None if it is a copy of another
#: policy file.
DAMAGED = (
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
    (f'{OURS}{{"version": "9"}}}}', "test.json:1: version: '9' must be 1"),
    ('{"path": "/else.yaml", "data": {"version": "1"}}', None),
)
#: Actions and assertions, with their arguments. Workers have names; a policy
#: is identified by its mode, or by the text with the same digest.
SCENARIOS = {
    "a change of an extended file": [
        *(("write", OUTER), ("start", 1), ("none", "not found")),
        *(
            ("base", WARN),
            ("mode", "warn"),
            ("base", AUDIT),
            ("mode", "audit"),
        ),
    ],
    "no good policy ever": [
        *(("write", BROKEN), ("start", 1)),
        *(("none", r"policy.yaml:3: "), ("none", r"policy.yaml:3: ")),
        ("said", [("ERROR", "used, there is no last valid policy: ")]),
        *(("write", WARN), ("mode", "warn")),
    ],
    "restart": [
        *(("write", WARN), ("start", 1), ("digest", WARN)),
        *(("write", BROKEN), ("start", 2), ("digest", WARN)),
    ],
    "restart of two files": [
        *(("write", EXTENDS), ("start", 1), ("digest", EXTENDS)),
        *(("write", BROKEN), ("start", 2), ("digest", EXTENDS)),
    ],
    # no worker goes back to a policy that is older than the last good one
    "idle worker": [
        *(("write", WARN), ("start", "idle"), ("mode", "warn")),
        *(("write", AUDIT), ("start", "busy"), ("mode", "audit")),
        *(("write", BROKEN), ("start", "idle"), ("mode", "audit")),
        *(("start", "busy"), ("mode", "audit")),
    ],
    # the copy that another worker saved is older than the worker's own policy
    "own policy": [
        *(("write", WARN), ("start", "quick"), ("mode", "warn")),
        *(("write", AUDIT), ("start", "other"), ("mode", "audit")),
        *(("write", WARN), ("start", "quick"), ("mode", "warn")),
        *(("write", BROKEN), ("start", "quick"), ("mode", "warn")),
        *(("start", "other"), ("mode", "warn")),
    ],
    "a copy that cannot be replaced stays the older one": [
        *(("write", WARN), ("start", 1), ("mode", "warn")),
        *(("read only", None), ("write", AUDIT), ("start", 2)),
        *(("mode", "audit"), ("said", [("WARNING", "in memory only")])),
        *(("write", BROKEN), ("mode", "audit")),
    ],
    **{
        f"a copy that cannot be read is read later, {name} file": [
            *(("write", WARN), ("start", 1), ("digest", WARN)),
            *(("write", text), ("loop", None), ("start", 2)),
            *(
                ("none", "policy.yaml"),
                ("none", "policy.yaml"),
                ("none", "policy.yaml"),
            ),
            *(("back", None), ("digest", WARN), ("said", [("ERROR", LOOPS)])),
        ]
        for name, text in (("bad", BROKEN), ("no", None))
    },
    "a policy in memory waits for no copy": [
        *(("write", WARN), ("start", 1), ("mode", "warn"), ("loop", None)),
        *(("write", BROKEN), ("mode", "warn")),
        *(("not read", None), ("mode", "warn")),
    ],
    "a good file replaces a copy that cannot be read": [
        *(("write", WARN), ("start", 1), ("mode", "warn"), ("loop", None)),
        *(("write", AUDIT), ("start", 2), ("mode", "audit")),
        *(("write", BROKEN), ("start", 3), ("mode", "audit")),
        # a copy that is not a regular file counts as missing
        *(("pipe", None), ("start", 4), ("none", "policy.yaml:3: ")),
    ],
    "a file beside it disables the policy at once": [
        *(("write", WARN), ("start", 1), ("digest", WARN)),
        *(
            *(("flag", True), ("enabled", False), ("enabled", False)),
            *(("digest", WARN), ("flag", False), ("enabled", True)),
        )
        * 2,
        ("said", [OFF, ON, OFF, ON]),
        # the current policy is disabled
        *(("flag", True), ("write", AUDIT)),
        *(("mode", "audit"), ("enabled", False)),
        # an unreadable flag counts as missing
        *(("flag", None), ("enabled", True)),
    ],
    **{
        f"{name} file": [
            *(("write", WARN), ("start", 1), ("mode", "warn")),
            # a fault that remains after another change is not reported again
            *(step, ("mode", "warn"), step, ("mode", "warn")),
            ("said", [("ERROR", "policy, {warn}, stays in force: ", words)]),
            *(("write", AUDIT), ("mode", "audit"), ("error", None)),
        ]
        for name, step, words in (
            ("broken", ("write", BROKEN), ":3: "),
            ("deleted", ("write", None), "policy.yaml"),
            ("empty", ("write", ""), ""),
            (
                "invalid",
                ("write", "version: '1'\nhosts: strict\n"),
                ":2: hosts: 'strict' must be",
            ),
            (
                "unnamed",
                ("write", 'version: "1"\nextends: "a\\0b"\n'),
                ":2: ",
            ),
            ("pipe", ("fifo", None), "it is a named pipe"),
        )
    },
    **{
        f"damaged copy {copy[:40]}": [
            *(*KEPT, ("copy", copy)),
            # The next fault of the file does not name the copy again.
            *(("write", BROKEN), ("start", 2), ("none", r"\.yaml:3: ")),
            *(("write", f"# more\n{BROKEN}"), ("none", r"\.yaml:4: ")),
            (
                "said",
                [
                    *[("ERROR", "cannot be used: ", words)]
                    * (words is not None),
                    *(("ERROR", ".yaml:3: "), ("ERROR", ".yaml:4: ")),
                ],
            ),
            ("set aside", words is not None),
        ]
        for copy, words in DAMAGED
    },
    "a copy is as long as what it was made of can be": [
        *(("largest", len(WARN)), *KEPT, ("write", BROKEN)),
        *(("padded", LONGEST), ("start", 2), ("mode", "warn")),
        *(("padded", LONGEST + 1), ("start", 3), ("none", "policy.yaml")),
        (
            "said",
            [
                ("ERROR", ""),
                ("ERROR", f"it is larger than {LONGEST} bytes"),
                ("ERROR", ""),
            ],
        ),
        # a larger file is not read, either
        *(("write", f"{WARN}# a comment"), ("start", 4)),
        ("none", f"than {len(WARN)} bytes"),
    ],
    # For example, the process has too many open files. The file is then read
    # again even if it has not changed.
    "a file that cannot be opened for a while": [
        *(*KEPT, ("write", AUDIT), ("open", False)),
        *(("mode", "warn"), ("mode", "warn"), ("open", True)),
        *(("mode", "audit"), ("said", [("ERROR", "")])),
    ],
    "a first file that cannot be opened for a while": [
        *(("write", AUDIT), ("start", 1), ("open", False)),
        *(("none", "policy.yaml"), ("none", "policy.yaml"), ("open", True)),
        *(("mode", "audit"), ("said", [("ERROR", "")])),
    ],
    # the same size, and a date in the future or in the past, then back
    **{
        f"a date {shift} seconds away": [
            *(("write", WARN), ("date", 0), ("start", 1), ("mode", "warn")),
            *(("write", AUDIT), ("date", shift), ("mode", "audit")),
            *(("write", WARN), ("date", 0), ("mode", "warn")),
        ]
        for shift in (86_400, -86_400)
    },
    # one warning if the copy cannot be written
    **{
        f"no copy: {reason}": [
            *(step, ("write", WARN), ("start", 1), ("mode", "warn")),
            *(("write", AUDIT), ("mode", "audit")),
            ("said", [("WARNING", "policy is kept in memory only: ", reason)]),
        ]
        for step, reason in (
            (("no folder", None), "File exists"),
            (("suffix", "\0"), "embedded null"),
        )
    },
    **{
        f"the reason for a rejected copy, {len(text)} characters": [
            *(*KEPT, ("write", BROKEN), ("restoring", RuntimeError(text))),
            *(("start", 2), ("none", "policy.yaml")),
            ("said", [("ERROR", f": RuntimeError: {shown}"), ("ERROR", "")]),
        ]
        for text, shown in (
            ("x" * 512, "x" * 512),
            ("x" * 513, "x" * 511 + "…"),
        )
    },
    "no policy at all can be disabled": [
        *(("flag", True), ("write", BROKEN), ("start", 1)),
        *(("enabled", False), ("flag", False), ("none", "policy.yaml")),
    ],
}


@pytest.mark.parametrize("steps", SCENARIOS.values(), ids=SCENARIOS)
def test_what_holds(path, state, monkeypatch, caplog, logged, steps):
    workers, digests = {}, {}
    closed = mock.patch.object(
        os, "open", side_effect=OSError(errno.EMFILE, "too many")
    )
    copy, flag = pathlib.Path(state), path.with_name("policy.yaml.disabled")
    for step, value in steps:
        match step:
            case "write":
                if value is None:
                    path.unlink(missing_ok=True)
                else:
                    write(path, value)
            case "fifo":
                path.unlink(missing_ok=True)
                os.mkfifo(path)
            case "base":
                write(path.with_name("base.yaml"), value)
            case "date":
                os.utime(path, (1_700_000_000 + value,) * 2)
            case "no folder":
                copy.parent.write_text("a file")
            case "suffix":
                state += value
            case "restoring":
                monkeypatch.setattr(document, "restore", failing(value))
            case "start":
                file = workers.setdefault(value, PolicyFile(str(path), state))
            case "mode":
                policy = file.current()
                assert policy.mode == value
                digests[value] = policy.digest
            case "error":
                assert file.error is value
            case "enabled":
                assert file.current().enabled is value
            case "digest":
                digest = file.current().digest
                assert digests.setdefault(value, digest) == digest
            case "none":
                with pytest.raises(PolicyUnavailable, match=value):
                    file.current()
            case "loop":
                kept = copy.read_text()
                copy.unlink()
                copy.symlink_to(copy)
            case "back":
                copy.unlink()
                copy.write_text(kept)
            case "pipe":
                copy.unlink()
                os.mkfifo(state)
            case "read only":
                monkeypatch.setattr(files, "replace", failing(READ_ONLY))
                monkeypatch.setattr(os, "unlink", failing(READ_ONLY))
            case "not read":
                monkeypatch.setattr(document, "Reading", None)
            case "flag":
                flag.unlink(missing_ok=True)
                if value is None:
                    flag.symlink_to(flag)
                elif value:
                    flag.touch()
            case "open":
                (closed.stop if value else closed.start)()
            case "copy":
                copy.write_text(value.replace("PATH", str(path)))
            case "padded":
                copy.write_text(copy.read_text().ljust(value))
            case "largest":
                monkeypatch.setattr(source, "MAX_LIMIT", value)
            case "set aside":
                assert os.path.exists(f"{state}.damaged") is value
            case "said":
                found = [
                    (level, [word.format(**digests) in text for word in words])
                    for (level, text), (_, *words) in zip(
                        logged(), value, strict=True
                    )
                ]
                assert found == [
                    (level, [True] * len(words)) for level, *words in value
                ]
    # no step logs a traceback
    assert not [each for each in caplog.records if each.exc_info]


def test_a_file_that_cannot_be_opened_has_another_stamp(path, monkeypatch):
    """None, the stamp of a missing file, would hide a later deletion."""
    full = OSError(errno.EMFILE, "too many")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(full))
        stamps = document.Reading(write(path, WARN)).stamps
    assert stamps == {str(path): ()}


def test_files_of_a_service_are_not_for_everybody(path, state):
    before = os.umask(0)
    try:
        PolicyFile(write(path, WARN), state).current()
    finally:
        os.umask(before)
    names = (state, f"{state}.runs", os.path.dirname(state))
    assert [stat.S_IMODE(os.stat(name).st_mode) for name in names] == [
        0o600,
        0o600,
        0o750,
    ]


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
    # With enough space, the same policy is saved when it is written again.
    os.utime(write(path, AUDIT), (1, 1))
    file.current()
    write(path, BROKEN)
    assert PolicyFile(str(path), state).current().digest == digest


def test_exemptions_that_end_soon_are_named_once_a_day(
    path, logged, monkeypatch
):
    """A clock that is a day ahead is set back until it is a day behind."""
    exemption = (
        "{{id: {0}, reason: r, until: {1}, domains: [default], "
        "rules: {{guest_devices.disk_bus: '*'}}}}"
    )
    listed = ",".join(
        exemption.format(*each)
        for each in {
            "over": "2026-06-14",
            "soon": "2026-06-29",
            "late": "2026-06-30",
        }.items()
    )
    file = PolicyFile(write(path, f"version: '1'\nexemptions: [{listed}]\n"))
    over = "Exemption over ended on 2026-06-14 and no longer applies."
    soon = "Exemption soon ends on 2026-06-29. Renew or remove it."
    said = []
    for days, texts in (
        (0, [over, soon]),
        (0, []),
        (1, [over, soon, soon.replace("soon", "late").replace("29", "30")]),
        (0, [over, soon]),
        (-1, ["Exemption over ends on 2026-06-14. Renew or remove it."]),
    ):
        monkeypatch.setattr(
            watch,
            "today",
            mock.Mock(return_value=TODAY + datetime.timedelta(days=days)),
        )
        file.current()
        said += texts
        assert [text for _, text in logged()] == said


def test_a_day_is_one_of_utc(monkeypatch):
    late = datetime.datetime(2026, 6, 15, 23, tzinfo=datetime.UTC)
    clock = mock.Mock(UTC=datetime.UTC)
    clock.datetime.now.return_value = late
    monkeypatch.setattr(watch, "datetime", clock)
    assert watch.today() == TODAY
    clock.datetime.now.assert_called_once_with(datetime.UTC)


class Slow:
    """Block the reading of a policy, as a slow file system would."""

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
        assert (file.current().mode, slow.times) == ("warn", 1)
    # a change of the file in the meantime is not lost
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
        error = each.exception()
        assert (error is None) is (text == WARN)
        assert "policy.yaml:3: " in str(error) or each.result().mode == "warn"
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
    assert record.exc_info
    # and a change is taken up again
    write(path, "version: '1'\nmode: enforce\n")
    assert file.current().mode == "enforce"


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
        table.write_bytes(
            os.fsencode("".join(ROW.format(row.format(path)) for row in rows))
        )
    monkeypatch.setattr(mounts, "_LIMIT", len(os.fsencode(ROW.format(path))))
    found = list(os.stat(path))
    found[stat.ST_NLINK] = links
    monkeypatch.setattr(os, "stat", lambda *_, **__: os.stat_result(found))
    assert mounts.warning(path) == (warning and warning.format(path))

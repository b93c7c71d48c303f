# SPDX-License-Identifier: Apache-2.0
"""A host's report, the command that prints it, and the files it reads."""

import datetime
import itertools
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from nova_vhard.catalogue.checks import CHECKS, OURS, is_name
from nova_vhard.cmd import reporter
from nova_vhard.host import report
from nova_vhard.host.check import Result, Status
from nova_vhard.host.host import Host
from nova_vhard.host.report import HostReport
from nova_vhard.host.root import LIMIT, HostRoot, Unreadable
from nova_vhard.policy import document, release
from tests import golden
from tests.trees import build, capture
from tests.unit.host.test_cases import CHECKS as CHECKED

ZERO = datetime.timedelta(0)
NOW = datetime.datetime(2026, 6, 15, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("statuses", "code", "passed"),
    [
        ([], 0, set()),
        ([Status.PASS, Status.NOT_APPLICABLE], 0, {"iommu"}),
        ([Status.PASS, Status.FAIL], 1, {"iommu"}),
        ([Status.UNKNOWN, Status.PASS], 2, {"iommu"}),
        ([Status.UNKNOWN, Status.FAIL, Status.NOT_APPLICABLE], 1, set()),
    ],
)
def test_exit_status(statuses, code, passed):
    results = tuple(Result("iommu", status, "why") for status in statuses)
    made = HostReport(NOW, results)
    assert (made.exit_status, made.passed) == (code, passed)


def test_every_check_of_the_catalogue_is_installed():
    assert [*CHECKED] == [*CHECKS]
    result = report.inspect(Host(HostRoot("/nowhere")), NOW, report.load())
    assert "not installed" not in "".join(x.reason for x in result.results)


#: A check of each status on the captured host, and one that needs a policy.
SHOWN = (
    "iommu",
    "iommu_strict",
    "passthrough_disabled",
    "selinux_booleans",
    "qemu_minimal",
)
#: Arguments of each format, and of tables.
WHOLE = (
    "-f json",
    "-f yaml",
    "-f csv",
    "-f junit",
    "-f csv -c Check -c Result",
    "-f json -c Check -c Result",
    "--policy baseline -f json",
)
TABLES = (
    "-c Check -c Result",
    "-c ID -c Evidence -c 'Next step'",
    "",
    "--long",
    "-f long",
)
#: Columns of a terminal in which no cell is wrapped.
WIDE = 2000
#: Times, durations, and the digest of the policy.
_CHANGES = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00|\b[0-9a-f]{16,}\b"
    r"|(?<=seconds: )[\d.e-]+|(?<=seconds\": )[\d.e-]+|(?<=time=\")[\d.e-]+"
    r"|(?<=,\")[\d.e-]+(?=\"$)",
    re.MULTILINE,
)


@pytest.fixture
def printed(tmp_path, capsys, monkeypatch):
    """Return what "check" prints for arguments, at a width of the terminal."""
    root = capture("vtd-on", tmp_path)
    chosen = [CHECKED[name] for name in SHOWN]
    monkeypatch.setattr(report, "load", lambda: chosen)

    def run(words, width=WIDE):
        monkeypatch.setenv("COLUMNS", str(width))
        command = ["check", "--root", root, *shlex.split(words)]
        assert reporter.main(command) == 1
        out = capsys.readouterr().out
        return _CHANGES.sub("-", out).replace(str(release.INSTALLED), "-")

    return run


def test_printed_output(printed):
    """Every format; tables in a terminal in which no cell is wrapped."""
    said = []
    for words in (*WHOLE, *TABLES):
        said += [f"$ check {words}".rstrip(), *printed(words).splitlines()]
    golden.check(pathlib.Path(__file__).with_name("printed.golden"), said)


def _cells(table):
    """Return the rows of a table, the cells without any white space.

    Where a cell is wrapped is for prettytable to decide, and for wcwidth: it
    changes with their releases.
    """
    border, *rows = re.split(r"^(\+[-=+]+\+)\n", table, flags=re.M)[1:-1]
    edges = [at for at, sign in enumerate(border) if sign == "+"]
    return [
        [
            "".join("".join(line[start + 1 : end] for line in row).split())
            for start, end in itertools.pairwise(edges)
        ]
        for row in map(str.splitlines, rows[::2])
    ]


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("words", TABLES)
def test_a_table_fits_the_terminal_and_says_the_same(printed, words, width):
    whole, narrow = printed(words), printed(words, width)
    if narrow.startswith("+"):
        assert max(map(len, narrow.splitlines())) <= width
        assert _cells(narrow) == _cells(whole)
    else:
        assert narrow == whole


BASELINE = document.load(document.shipped("baseline")).digest


@pytest.mark.parametrize(
    ("words", "digest"), [([], None), (["--policy", "baseline"], BASELINE)]
)
def test_json_names_host_version_policy_and_time(
    tmp_path, capsys, words, digest
):
    root = build(tmp_path, {"/etc/hostname": "compute7\n"})
    assert reporter.main(["check", "-f", "json", "--root", root, *words]) == 2
    named = json.loads(capsys.readouterr().out)
    fields = named["host"], named["version"], named["policy"]
    assert fields == ("compute7", str(release.INSTALLED), digest)
    assert datetime.datetime.fromisoformat(named["time"]).utcoffset() == ZERO
    assert [each["check"] for each in named["results"]] == list(CHECKS)


CHECK = "check --root {root}"
ONCE = "--config-file {root}/reporter.conf run --once"
BAD_POLICY = "nova-vhard-reporter: --policy: {root}/policy.yaml:"


def conf(*lines):
    return {"/reporter.conf": "\n".join(["[vhard_reporter]", *lines, ""])}


@pytest.mark.parametrize(
    ("content", "words", "code", "said"),
    [
        # No check runs if the policy has errors.
        (
            {"/policy.yaml": "version: 1\nmodes: x\n"},
            f"{CHECK} --policy {{root}}/policy.yaml",
            *(255, BAD_POLICY),
        ),
        ({}, f"{CHECK} --policy {{root}}/policy.yaml", 255, BAD_POLICY),
        # A root that does not exist.
        ({}, f"{CHECK}/missing", 2, "{root}/missing"),
        ({}, f"{CHECK}/missing", 2, "--root"),
        ({"/file": ""}, f"{CHECK}/file", 2, "{root}/file"),
        ({}, f"{CHECK}/pipe", 2, "{root}/pipe"),
        # A broken configuration.
        (conf("interval = 1"), ONCE, 1, "greater than or equal to 30"),
        (conf("publishers = palcement"), ONCE, 1, "publishers: no palcement"),
        # No vulnerability is accepted without a reason.
        *(
            (
                conf(f"accepted_vulnerabilities = {entry}"),
                "--config-file {root}/reporter.conf check --root {root}",
                *(1, "accepted_vulnerabilities"),
            )
            for entry in ("mds", "mds:", "MDS: why", ": why")
        ),
    ],
)
def test_what_cannot_be_is_one_line(
    tmp_path, capsys, content, words, code, said
):
    build(tmp_path, {"/pipe": "|", **content})
    words = [each.format(root=tmp_path) for each in words.split()]
    assert reporter.main(words) == code
    out, err = capsys.readouterr()
    assert out == ""
    # Each fault of a policy has its own line.
    assert code == 255 or err.count("\n") == 1
    assert said.format(root=tmp_path) in err


def test_a_crash_ends_with_255_and_a_wrong_argument_with_2(
    monkeypatch, capsys
):
    monkeypatch.setattr(report, "load", lambda: 1 / 0)
    assert reporter.main(["check"]) == 255
    assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        reporter.main(["check", "--format", "xml"])
    assert caught.value.code == 2


# HostRoot: does not leave the root, does not hang, and does not guess.


@pytest.fixture
def root(tmp_path):
    (tmp_path / "secret").write_text("of the machine that reads")
    tree = build(
        tmp_path / "tree",
        {
            "/sys/fact": "true\n",
            "/sys/folder/b": "",
            "/sys/folder/a": "",
            "/sys/relative": "-> folder/../fact",
            "/sys/absolute": "-> /sys/fact",
            "/sys/out": "-> ../../secret",
            "/sys/loop": "-> loop",
            "/etc/secret": "-> /secret",
            "/sys/device": "-> ../devices/0000:00:1f.0",
            "/big": "x" * (LIMIT + 10),
            "/pipe": "|",
        },
    )
    return HostRoot(tree)


def test_read(root):
    paths = ("/sys/fact", "/sys/relative", "/sys/absolute")
    assert [root.read(path) for path in paths] == ["true"] * 3
    assert len(root.read("/big")) == LIMIT


def test_a_table_is_read_to_its_end(tmp_path):
    wide = " 1" * 600_000
    content = {
        "/table": f"{wide[:500_000]}\n" * 5 + "last",
        "/wide": wide,
        # 65 MiB
        "/long": (b"x" * 63 + b"\n") * (65 << 14),
    }
    root = HostRoot(build(tmp_path, content))
    *others, last = root.lines("/table")
    assert (len(others), last) == (5, "last")
    assert sum(1 for _ in root.lines("/long")) == 65 << 14
    with pytest.raises(Unreadable, match="longer") as caught:
        list(root.lines("/wide"))
    assert not caught.value.missing


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        # Paths that lead out of the root.
        ("/sys/out", True),
        ("/etc/secret", True),
        ("/../secret", True),
        # A folder is unreadable.
        ("/sys/loop", False),
        ("/sys/folder", False),
        ("/pipe", False),
    ],
)
def test_what_cannot_be_read(root, path, missing):
    with pytest.raises(Unreadable) as caught:
        root.read(path)
    assert (caught.value.missing, caught.value.path) == (missing, path)


def test_names_links_and_existence(root):
    assert root.names("/sys/folder") == ["a", "b"]
    links = [root.link(f"/sys/{name}") for name in ("device", "fact", "no")]
    assert links == ["0000:00:1f.0", None, None]
    assert root.exists("/sys/absolute") and not root.exists("/sys/nothing")
    with pytest.raises(Unreadable):
        root.names("/sys/nothing")


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("/sys/class/iommu", False),
        ("/sys/class/iommu/dmar0", False),
        ("/sys/class/net", True),
    ],
)
def test_what_a_capture_could_not_read_is_unreadable(tmp_path, path, missing):
    content = {"/ERRORS.json": '[["/sys/class/iommu", "EACCES"]]'}
    with pytest.raises(Unreadable) as caught:
        HostRoot(build(tmp_path, content)).names(path)
    assert caught.value.missing is missing


@pytest.mark.parametrize(
    "damage",
    [
        "[" * 100_000,
        '[["/sys/class/iommu", "EACCES"]',
        '["/sys/class/iommu"]',
        "7",
        '[["/sys", "__name__"]]',
        b"\xff",
        "|",
        # A link to an endless file, and a folder.
        "-> /dev/zero",
        None,
    ],
    ids=lambda text: str(text)[:12],
)
def test_a_list_of_errors_that_is_damaged_lets_nothing_be_missing(
    tmp_path, damage, capsys
):
    content = {"/sys/fact": "true\n", "/ERRORS.json": damage}
    root = HostRoot(build(tmp_path, content))
    for path in ("/sys/fact", "/sys/nothing"):
        with pytest.raises(Unreadable, match=r"ERRORS\.json") as caught:
            root.read(path)
        assert not caught.value.missing
    assert reporter.main(["check", "--root", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), "ERRORS.json" in err) == ("", 1, True)


def test_a_process_is_read_where_the_kernel_shows_it():
    path = pathlib.Path(f"/proc/{os.getpid()}/comm")
    assert HostRoot().read(str(path)) == path.read_text().strip()
    with pytest.raises(Unreadable) as error:
        HostRoot().read("/proc/0/comm")
    assert error.value.missing


@pytest.mark.parametrize(
    ("link", "target"),
    [("/proc", "/proc"), (f"/proc/{os.getpid()}", f"/proc/{os.getpid()}")],
    ids=["all of them", "one"],
)
def test_a_process_of_a_tree_is_not_one_of_this_machine(
    tmp_path, link, target
):
    root = HostRoot(build(tmp_path, {link: f"-> {target}"}))
    for name in ("comm", "mountinfo"):
        with pytest.raises(Unreadable):
            root.read(f"/proc/{os.getpid()}/{name}")
    assert not root.live or link == "/proc"


# Checks of other packages work like ours, and faulty ones are UNKNOWN.


TINY = """
from nova_vhard.host.check import Answer, Check, Status

class NoKexec(Check):
    '''No other kernel starts.'''
    name = "no_kexec"
    id = "Site-01"
    title = "No other kernel starts"
    guide = "Beyond the guide"
    meaning = "What was booted is what runs."
    remediation = "Disable kexec."

    def answer(self, host):
        host.root.note("a fact")
        return Status.PASS, "none can be"

class Named(NoKexec):
    name = "another"

class Silent(NoKexec):
    name = "silent"
    meaning = ""

class Ours(NoKexec):
    name = "ours"
    id = "Check-Virt-01"

class Iommu(NoKexec):
    name = "iommu"

class Reported(NoKexec):
    name = "reported_2026112612"

class Breaks(NoKexec):
    name = "breaks"
    def __init__(self):
        raise OSError("no disk")

class Late(NoKexec):
    name = "late"
    def answer(self, host):
        raise ZeroDivisionError("oops")

def function():
    return 7
"""

ENTRIES = {
    "no_kexec": "NoKexec",
    "misnamed": "Named",
    "silent": "Silent",
    "ours": "Ours",
    "iommu": "Iommu",
    "reported_2026112612": "Reported",
    "breaks": "Breaks",
    "late": "Late",
    "seven": "function",
    "gone": "Gone",
    "Two Words": "NoKexec",
}

PROGRAM = """
import datetime, json, sys
from importlib import metadata
from nova_vhard.catalogue import checks, traits
from nova_vhard.gates.extra_specs import register
from nova_vhard.host import report
from nova_vhard.host.processes import check_process
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
from nova_vhard.policy import document
document.load(sys.argv[1])
(validator,) = register()
validator.validate("vhard:require", "no_kexec,iommu")
points = metadata.entry_points(group=checks.NAMESPACE)
said = {
    "loaded": [name for name in sys.modules if name.startswith("tiny")],
    "known": list(checks.CHECKS),
    "plugged": sorted({each.name for each in points}),
}
now = datetime.datetime.now(datetime.UTC)
host = Host(HostRoot("/nowhere"))
found = report.inspect(host, now, report.load(), check_process.in_process)
said["results"] = found.content()["results"]
said["passed"] = [traits.of_check(name) for name in found.passed]
json.dump(said, sys.stdout)
"""


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Return the output of a program that can import a tiny package."""
    lines = [f"{name} = tiny:{kind}" for name, kind in ENTRIES.items()]
    info = "/tiny-1.0.dist-info"
    content = {
        "/tiny.py": TINY,
        f"{info}/METADATA": "Metadata-Version: 2.1\n"
        "Name: tiny\nVersion: 1.0\n",
        f"{info}/entry_points.txt": "\n".join(
            ["[nova_vhard.host_checks]", *lines, ""]
        ),
        "/policy.yaml": 'version: "1"\nextends: baseline\n'
        "hosts: {require: [no_kexec]}\n",
    }
    folder = build(tmp_path_factory.mktemp("site"), content)
    path = os.pathsep.join([*filter(None, sys.path), folder])
    words = ["-W", "ignore", "-c", PROGRAM, f"{folder}/policy.yaml"]
    environment = {**os.environ, "PYTHONPATH": path}
    said = subprocess.check_output([sys.executable, *words], env=environment)
    return json.loads(said)


def test_a_check_of_another_package_is_one_like_ours(reported):
    results = {each["check"]: each for each in reported["results"]}
    assert [*results][: len(OURS)] == [*OURS]
    fields = ("status", "id", "evidence")
    found = [results["no_kexec"][field] for field in fields]
    assert found == ["PASS", "Site-01", ["a fact"]]
    assert reported["passed"] == ["CUSTOM_VHARD_NO_KEXEC"]
    # Policies and flavors can require the check without loading it, and every
    # check with an entry point and a valid name can be required.
    known, plugged = reported["known"], reported["plugged"]
    assert (reported["loaded"], known[: len(OURS)]) == ([], [*OURS])
    assert sorted(known) == [name for name in plugged if is_name(name)]
    assert "no_kexec" in known


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("iommu", "several packages have a check of this name"),
        ("misnamed", "calls itself 'another'"),
        ("silent", "it has no meaning"),
        ("ours", "a number of nova-vhard's own"),
        ("reported_2026112612", "cannot be part of a trait"),
        ("Two Words", "cannot be part of a trait"),
        ("breaks", "cannot be loaded: OSError: no disk"),
        ("late", "the check failed: ZeroDivisionError: oops"),
        ("seven", "it is not a nova_vhard.host.check.Check"),
        ("gone", "cannot be loaded: AttributeError"),
    ],
)
def test_a_faulty_one_is_unknown_with_its_reason(reported, name, reason):
    (result,) = [x for x in reported["results"] if x["check"] == name]
    assert (result["status"], reason in result["reason"]) == ("UNKNOWN", True)
    # The other package has the fault, so nova-vhard is not reinstalled.
    assert result["remediation"]
    assert "pip install" not in result["remediation"]


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("smt", True),
        ("cpu_2", True),
        ("reported", False),
        ("reported_2026112612", False),
        ("Smt", False),
        ("2smt", False),
        ("a-b", False),
        ("", False),
        ("a" * 65, False),
    ],
)
def test_a_name_makes_a_trait(name, good):
    assert is_name(name) is good

# SPDX-License-Identifier: Apache-2.0
"""A host's report, the command that prints it, and the files it reads."""

import collections
import csv
import datetime
import io
import json
import os
import pathlib
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import yaml

from nova_vhard.catalogue.checks import CHECKS, OURS, is_name
from nova_vhard.cmd import reporter
from nova_vhard.host import report
from nova_vhard.host.check import Check, Result, Status
from nova_vhard.host.evidence import MAX_EVIDENCE
from nova_vhard.host.host import Host
from nova_vhard.host.report import HostReport
from nova_vhard.host.root import LIMIT, HostRoot, Unreadable
from nova_vhard.policy import document, release
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


class Broken(Check):
    name = "iommu"

    def answer(self, host):
        host.root.note(*map(str, range(MAX_EVIDENCE + 3)))
        raise ZeroDivisionError("oops")


def test_a_check_that_crashes_is_unknown_and_takes_no_other_down():
    checks = [Broken(), CHECKED["kernel_aslr"]]
    first, second = report.inspect(Host(), NOW, checks).results
    assert first.status is Status.UNKNOWN
    assert "ZeroDivisionError: oops" in first.reason
    counts = len(first.evidence), first.evidence[-1]
    assert counts == (MAX_EVIDENCE + 1, "and 3 more")
    assert second.check == "kernel_aslr"


def test_every_check_of_the_catalogue_is_installed():
    assert [*CHECKED] == [*CHECKS]
    result = report.inspect(Host(HostRoot("/nowhere")), NOW, report.load())
    assert "not installed" not in "".join(x.reason for x in result.results)


@pytest.fixture
def checked(tmp_path, capsys):
    """Return what prints the check of a captured tree."""
    root = capture("vtd-on", tmp_path)

    def printed(*words):
        assert reporter.main(["check", "--root", root, *words]) == 1
        return capsys.readouterr().out

    return printed


@pytest.fixture
def results(checked):
    """Return a function that returns the results of a tree, by check."""

    def found(*words):
        results = json.loads(checked("-f", "json", *words))["results"]
        return {each["check"]: each for each in results}

    return found


def test_command_on_a_capture(checked, results):
    result = results()
    assert list(result) == list(CHECKS)
    for name, *expected in (
        ("iommu", "PASS", True, False),
        ("iommu_strict", "FAIL", True, True),
        ("passthrough_disabled", "UNKNOWN", False, True),
    ):
        each = result[name]
        fields = bool(each["evidence"]), bool(each["remediation"])
        assert [each["status"], *fields] == expected
    assert result["iommu"]["id"] == "Check-Virt-01"
    # Without a policy one check says that there is none.
    assert "no policy" in result["qemu_minimal"]["reason"]
    assert "check --policy" in result["qemu_minimal"]["remediation"]
    with_policy = results("--policy", "baseline")["qemu_minimal"]
    assert "no policy" not in with_policy["reason"]
    assert "Boot without iommu=pt" in " ".join(checked().split())


@pytest.mark.parametrize("policy", [None, "baseline"])
def test_json_names_host_version_policy_and_time(tmp_path, capsys, policy):
    root = build(tmp_path, {"/etc/hostname": "compute7\n"})
    words = ["--policy", policy] if policy else []
    reporter.main(["check", "-f", "json", "--root", root, *words])
    named = json.loads(capsys.readouterr().out)
    shipped = document.load(document.shipped("baseline"))
    fields = named["host"], named["version"], named["policy"]
    digest = shipped.digest if policy else None
    assert fields == ("compute7", str(release.INSTALLED), digest)
    assert datetime.datetime.fromisoformat(named["time"]).utcoffset() == ZERO


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
    build(tmp_path, content)
    os.mkfifo(tmp_path / "pipe")
    words = [each.format(root=tmp_path) for each in words.split()]
    assert reporter.main(words) == code
    out, err = capsys.readouterr()
    assert out == ""
    # Each fault of a policy has its own line.
    assert code == 255 or err.count("\n") == 1
    assert said.format(root=tmp_path) in err


def test_every_format_says_the_same(checked):
    whole = json.loads(checked("-f", "json"))
    statuses = {item["check"]: item["status"] for item in whole["results"]}
    counts = collections.Counter(statuses.values())
    order = ("FAIL", "UNKNOWN", "NOT_APPLICABLE", "PASS")
    assert list(whole["totals"].items()) == [(x, counts[x]) for x in order]
    assert list(yaml.safe_load(checked("-f", "yaml"))) == list(whole)
    rows = list(csv.DictReader(io.StringIO(checked("-f", "csv"))))
    assert {row["Check"]: row["Result"] for row in rows} == statuses
    places = [order.index(row["Result"]) for row in rows]
    assert places == sorted(places)
    suite = ElementTree.fromstring(checked("-f", "junit"))
    assert {each.get("name") for each in suite} == set(statuses)
    for name, kind in (("FAIL", "failure"), ("UNKNOWN", "error")):
        assert len(suite.findall(f"testcase/{kind}")) == counts[name]
    *table, total = checked().splitlines()[2:]
    assert total == ", ".join(f"{counts[name]} {name}" for name in order)
    shown = re.findall(r"^\| (?!Check\b)(\w+)", "\n".join(table), re.M)
    assert shown == [row["Check"] for row in rows]


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize(
    ("words", "evidence"),
    [
        ((), False),
        (("--long",), True),
        (("-f", "long"), True),
        (("-c", "ID", "-c", "Evidence", "-c", "Next step"), True),
    ],
)
def test_the_table_fits_the_terminal(
    checked, monkeypatch, width, words, evidence
):
    monkeypatch.setenv("COLUMNS", str(width))
    printed = checked(*words)
    assert max(map(len, printed.splitlines())) <= width
    assert ("iommu_groups" in printed) == evidence


def test_columns(checked):
    words = ("-c", "Check", "-c", "Result")
    header, *rows = checked("-f", "csv", *words).splitlines()
    assert header == '"Check","Result"' and '"iommu","PASS"' in rows
    content = json.loads(checked("-f", "json", *words))
    assert set(content["results"][0]) == {"check", "status"}
    assert "Check-Virt" not in checked(*words)


def test_command_where_nothing_can_be_read(tmp_path, capsys):
    assert reporter.main(["check", "--root", build(tmp_path, {})]) == 2
    assert "UNKNOWN" in capsys.readouterr().out


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
        },
    )
    os.mkfifo(os.path.join(tree, "pipe"))
    return HostRoot(tree)


def test_read(root):
    paths = ("/sys/fact", "/sys/relative", "/sys/absolute")
    assert [root.read(path) for path in paths] == ["true"] * 3
    assert len(root.read("/big")) == LIMIT


def test_a_table_is_read_to_its_end(tmp_path):
    wide = " 1" * 600_000
    content = {"/table": f"{wide[:500_000]}\n" * 5 + "last", "/wide": wide}
    root = HostRoot(build(tmp_path, content))
    *others, last = root.lines("/table")
    assert (len(others), last) == (5, "last")
    (tmp_path / "long").write_bytes((b"x" * 63 + b"\n") * (65 << 14))
    for path in ("/wide", "/long"):
        with pytest.raises(Unreadable, match="longer") as caught:
            list(root.lines(path))
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


def test_what_a_capture_could_not_read_is_unreadable(tmp_path):
    tree = build(
        tmp_path,
        {"/ERRORS.json": json.dumps([["/sys/class/iommu", "EACCES"]])},
    )
    root = HostRoot(tree)
    for path in ("/sys/class/iommu", "/sys/class/iommu/dmar0"):
        with pytest.raises(Unreadable, match="Permission denied") as caught:
            root.names(path)
        assert not caught.value.missing
    with pytest.raises(Unreadable, match="No such file"):
        root.names("/sys/class/net")


@pytest.mark.parametrize(
    "damage",
    [
        "[" * 100_000,
        '[["/sys/class/iommu", "EACCES"]',
        '["/sys/class/iommu"]',
        "7",
        '[["/sys", "__name__"]]',
        "\xff",
        "a pipe",
        # A link to an endless file, and a folder.
        "-> /dev/zero",
        None,
    ],
    ids=lambda text: str(text)[:12],
)
def test_a_list_of_errors_that_is_damaged_lets_nothing_be_missing(
    tmp_path, damage, capsys
):
    build(tmp_path, {"/sys/fact": "true\n", "/ERRORS.json": damage})
    place = tmp_path / "ERRORS.json"
    if damage == "\xff":
        place.write_bytes(b"\xff")
    elif damage == "a pipe":
        place.unlink()
        os.mkfifo(place)
    root = HostRoot(str(tmp_path))
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


def test_a_process_of_a_tree_is_not_one_of_this_machine(tmp_path):
    # neither if /proc is a link, nor if the folder of a process is a link
    name = f"/proc/{os.getpid()}"
    linked = build(tmp_path / "linked", {"/proc": "-> /proc"})
    (tmp_path / "copied" / "proc").mkdir(parents=True)
    (tmp_path / "copied" / name[1:]).symlink_to(name)
    for folder in (linked, str(tmp_path / "copied")):
        for path in (f"{name}/comm", f"{name}/mountinfo"):
            with pytest.raises(Unreadable):
                HostRoot(folder).read(path)
        assert not HostRoot(folder).live or folder == linked


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
    folder = tmp_path_factory.mktemp("site")
    lines = [f"{name} = tiny:{kind}" for name, kind in ENTRIES.items()]
    points = "\n".join(["[nova_vhard.host_checks]", *lines, ""])
    info = "/tiny-1.0.dist-info"
    content = {
        "/tiny.py": TINY,
        f"{info}/METADATA": "Metadata-Version: 2.1\n"
        "Name: tiny\nVersion: 1.0\n",
        f"{info}/entry_points.txt": points,
        "/policy.yaml": 'version: "1"\nextends: baseline\n'
        "hosts: {require: [no_kexec]}\n",
    }
    build(folder, content)
    path = os.pathsep.join([*filter(None, sys.path), str(folder)])
    words = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    said = subprocess.check_output(
        [*words, folder / "policy.yaml"],
        env={**os.environ, "PYTHONPATH": path},
    )
    return json.loads(said)


def test_a_check_of_another_package_is_one_like_ours(reported):
    results = {each["check"]: each for each in reported["results"]}
    assert [*results][: len(OURS)] == [*OURS]
    result = results["no_kexec"]
    fields = result["status"], result["id"], result["evidence"]
    assert fields == ("PASS", "Site-01", ["a fact"])
    assert reported["passed"] == ["CUSTOM_VHARD_NO_KEXEC"]
    # Policies and flavors can require the check without loading it, and every
    # check with an entry point and a valid name can be required.
    known, plugged = reported["known"], reported["plugged"]
    assert reported["loaded"] == []
    assert known[: len(OURS)] == [*OURS]
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

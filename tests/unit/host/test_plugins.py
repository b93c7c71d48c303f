# SPDX-License-Identifier: Apache-2.0
"""A check of another package is one like ours, and a faulty one is UNKNOWN."""

import json
import os
import subprocess
import sys

import pytest

from nova_vhard.catalogue.checks import OURS, is_name

GOOD = """
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

REPORT = """
import datetime, json, sys
from nova_vhard.catalogue import traits
from nova_vhard.host import report
from nova_vhard.host.processes import check_process
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
now = datetime.datetime.now(datetime.UTC)
host = Host(HostRoot("/nowhere"))
found = report.inspect(host, now, report.load(), check_process.in_process)
content = found.content()["results"]
passed = [traits.of_check(name) for name in found.passed]
json.dump([content, passed], sys.stdout)
"""

POLICY = """
import sys
from nova_vhard.gates.extra_specs import register
from nova_vhard.policy import document
document.load(sys.argv[1])
(validator,) = register()
validator.validate("vhard:require", "no_kexec,iommu")
print(*[name for name in sys.modules if name.startswith("tiny")])
"""

KNOWN = """
import json, sys
from importlib import metadata
from nova_vhard.catalogue import checks
points = metadata.entry_points(group=checks.NAMESPACE)
json.dump([list(checks.CHECKS), sorted({each.name for each in points})],
          sys.stdout)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Install a tiny package; return what runs a program that sees it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "tiny.py").write_text(GOOD)
    info = folder / "tiny-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
    )
    lines = [f"{name} = tiny:{kind}" for name, kind in ENTRIES.items()]
    text = "\n".join(["[nova_vhard.host_checks]", *lines])
    (info / "entry_points.txt").write_text(text + "\n")

    def run(code, *words):
        path = os.pathsep.join([*filter(None, sys.path), str(folder)])
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert not done.returncode, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def reported(package):
    results, passed = json.loads(package(REPORT))
    return {each["check"]: each for each in results}, passed


def test_it_is_run_and_reported_like_ours(reported):
    results, passed = reported
    assert list(results)[: len(OURS)] == list(OURS)
    result = results["no_kexec"]
    assert (result["status"], result["id"]) == ("PASS", "Site-01")
    assert result["evidence"] == ["a fact"]
    assert passed == ["CUSTOM_VHARD_NO_KEXEC"]


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
    result = reported[0][name]
    assert result["status"] == "UNKNOWN"
    assert reason in result["reason"]
    assert result["remediation"]


def test_policies_and_flavors_require_it_and_load_nothing_of_it(
    package, tmp_path
):
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        'version: "1"\nextends: baseline\nhosts: {require: [no_kexec]}\n'
    )
    assert package(POLICY, str(policy)).split() == []


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


def test_those_that_a_policy_may_require_are_those_that_python_knows(package):
    known, plugged = json.loads(package(KNOWN))
    assert known[: len(OURS)] == list(OURS)
    assert sorted(known) == [name for name in plugged if is_name(name)]
    assert "no_kexec" in known

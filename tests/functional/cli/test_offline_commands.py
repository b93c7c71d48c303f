# SPDX-License-Identifier: Apache-2.0
"""The real ``openstack`` executable, without a cloud and without a network.

A hook of the interpreter ends the process at the first look-up of a name and
at the first connection, so that a command which passes made neither.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nova_vhard.policy import document
from tests.unit.docs import ETC

OPENSTACK = Path(sys.executable).with_name("openstack")

HOOK = """\
import os, sys

def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        os.write(2, f"the network was used: {event}".encode())
        os._exit(99)

sys.addaudithook(hook)
"""
#: A cloud that is configured and must not be asked.
LOGIN = {
    "OS_AUTH_URL": "http://keystone.invalid/v3",
    "OS_USERNAME": "admin",
    "OS_PASSWORD": "SECRET",
    "OS_PROJECT_NAME": "admin",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_PROJECT_DOMAIN_NAME": "Default",
}
SAMPLE = str(ETC / "policy-tests.yaml")
STRICT = document.shipped("strict")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory in which plugins are found that were looked for."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def environment(tmp_path: Path, cache: Path) -> dict[str, str]:
    """Return an environment without a cloud, and without a network."""
    pytest.importorskip("openstackclient.shell")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OS_")
    }
    return kept | {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(cache),
        "XDG_CONFIG_HOME": str(tmp_path),
        "PYTHONPATH": str(hooks),
    }


def run(
    environment: dict[str, str], *arguments: str, given: str = ""
) -> tuple[int, str, str]:
    """Return status, output and what was said beside it."""
    done = subprocess.run(
        [OPENSTACK, *arguments],
        env=environment,
        cwd=environment["HOME"],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def test_the_hook_sees_the_network(environment: dict[str, str]) -> None:
    """Otherwise none of these tests could fail."""
    login = environment | LOGIN
    status, _, text = run(login, "vhard", "host", "list")
    assert (status, text) == (99, "the network was used: socket.getaddrinfo")


def test_check(environment: dict[str, str], tmp_path: Path) -> None:
    # given a policy that ships with the package, and one with errors
    bad = tmp_path / "policy.yaml"
    bad.write_text('version: "1"\nmode: enforc\nmods: x\n', encoding="utf-8")
    check = ("vhard", "policy", "check", "-f", "json")
    # when there is no cloud, then one status tells them apart
    status, output, text = run(environment, *check, STRICT)
    notes = json.loads(output)
    assert (status, {row["Severity"] for row in notes}) == (0, {"note"})
    assert text.startswith("0 errors, 0 warnings")
    status, output, _ = run(environment, *check, str(bad))
    assert status == 1
    assert [each["Line"] for each in json.loads(output)] == [2, 3]
    # and when there is one, it is not asked
    status, again, _ = run(environment | LOGIN, *check, STRICT)
    assert (status, json.loads(again)) == (0, notes)


def test_show(environment: dict[str, str]) -> None:
    status, output, _ = run(
        environment,
        *("vhard", "policy", "show", "strict", "--effective"),
        *("-f", "value", "-c", "Key", "-c", "Line", "--sort-column", "Key"),
    )
    assert status == 0
    lines = output.splitlines()
    assert lines == sorted(lines)
    assert any(
        each.startswith("guest_devices.usb_model.allow") for each in lines
    )


def test_qemu(environment: dict[str, str]) -> None:
    status, output, _ = run(
        environment | LOGIN,
        *("vhard", "qemu", "plan", "--policy", "strict", "--arch", "x86_64"),
        *("-f", "json"),
    )
    assert status == 0
    result = {each["Name"]: each for each in json.loads(output)}
    assert result["virtio-net-pci"]["Needed"]
    assert not result["e1000"]["Needed"]
    build = ("vhard", "qemu", "build-config", "--policy", "strict")
    status, _, text = run(environment, *build, "--output", "minimal")
    assert status == 0
    folder = Path(environment["HOME"], "minimal")
    assert text.endswith(f"Written: {folder}, see README.rst there")
    # once more it is not overwritten
    status, _, text = run(environment, *build, "--output", "minimal")
    assert status == 1
    assert text.startswith(f"{folder} is not empty")


def test_a_file_that_is_not_there(environment: dict[str, str]) -> None:
    status, output, text = run(environment, "vhard", "policy", "show", "x")
    assert (status, output) == (1, "")
    path = Path(environment["HOME"], "x")
    assert text == f"{path}: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("policy", "status"), [("baseline", 0), ("strict", 1)]
)
def test_test(environment: dict[str, str], policy: str, status: int) -> None:
    test = ("vhard", "policy", "test", SAMPLE, "--policy", policy)
    result, output, _ = run(environment, *test, "-f", "csv", "-c", "Result")
    assert result == status
    assert ('"differs"' in output) == bool(status)


@pytest.mark.parametrize(("bus", "status"), [("virtio", 0), ("ide", 1)])
def test_explain(environment: dict[str, str], bus: str, status: int) -> None:
    result, output, text = run(
        environment,
        *("vhard", "policy", "explain", "--policy", "baseline"),
        *("--property", f"hw_disk_bus={bus}", "--project", "p1"),
        *("--operation", "upload", "-f", "json"),
    )
    assert (result, text) == (status, "")
    explanation = json.loads(output)["explanation"]
    assert ("upload it with `--property" in str(explanation)) == bool(status)


def test_summary(environment: dict[str, str]) -> None:
    # given
    event: dict[str, Any] = {
        "request": "req-1",
        "gate": "nova-api",
        "operation": "boot",
        "subject": {"project": "p1", "roles": []},
        "violations": [{"rule": "guest_devices.disk_bus", "mode": "warn"}],
        "mode": "warn",
        "outcome": "warn",
        "service": False,
    }
    line = f"2026-11-25 09:14:02.1 1 INFO nova_vhard.decisions [-] {event}\n"
    good = line.replace(str(event), json.dumps(event))
    # when
    status, output, text = run(
        environment,
        *("vhard", "decision", "summary", "-", "-f", "json"),
        given=good + line,
    )
    # then
    assert status == 0
    assert json.loads(output) == [
        {
            "Rule": "guest_devices.disk_bus",
            "Project": "p1",
            "Image": None,
            "Requests": 1,
            "Refused": 0,
            "Would Be Refused": 1,
            "Passed": 0,
            "First": "2026-11-25 09:14:02",
            "Last": "2026-11-25 09:14:02",
        }
    ]
    assert text.startswith("1 event, 1 line that cannot be read, 0 lines")

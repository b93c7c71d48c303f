# SPDX-License-Identifier: Apache-2.0
"""The real ``openstack`` executable, without a network.

A hook of the interpreter ends the process at the first look-up of a name and
at the first connection, so that a command which passes made neither. What the
commands print is in tests/unit/cli.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

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
BAD = "version: '1'\nmode: enforc\nmods: x\n"
EVENT = {
    "request": "req-1",
    "gate": "nova-api",
    "operation": "boot",
    "subject": {"project": "p1", "roles": []},
    "violations": [{"rule": "guest_devices.disk_bus", "mode": "warn"}],
    "mode": "warn",
    "outcome": "warn",
    "service": False,
}
LOG = "2026-11-25 09:14:02.1 1 INFO nova_vhard.decisions [-] "


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


EXPLAIN = (
    *("policy", "explain", "--policy", "baseline", "--project", "p1"),
    *("--operation", "upload", "--property"),
)
#: What is typed behind ``openstack vhard``, the status, what is printed, and
#: what is printed next to it.
COMMANDS = [
    (("policy", "check", "-f", "json", STRICT), 0, '"note"', "0 errors, 0 "),
    (("policy", "check", "-f", "json", "bad.yaml"), 1, '"Line": 2', "2 err"),
    (
        ("policy", "show", "strict", "--effective", "-f", "value"),
        0,
        "guest_devices.usb_model.allow",
        "",
    ),
    (("policy", "show", "x"), 1, "", "x: cannot be read: No such file"),
    (("policy", "test", SAMPLE, "--policy", "baseline"), 0, "", ""),
    (("policy", "test", SAMPLE, "--policy", "strict"), 1, "differs", ""),
    (
        (*EXPLAIN, "hw_disk_bus=ide"),
        1,
        "upload it with `--property",
        "",
    ),
    ((*EXPLAIN, "hw_disk_bus=virtio"), 0, "", ""),
    (
        ("qemu", "plan", "--policy", "strict", "--arch", "x86_64"),
        0,
        "virtio-net-pci",
        "",
    ),
    (
        ("qemu", "build-config", "--policy", "strict", "--output", "minimal"),
        0,
        "",
        "minimal, see README.rst there",
    ),
    (
        ("decision", "summary", "-", "-f", "json"),
        0,
        '"Would Be Refused": 1',
        "1 event, 1 line that cannot be read, 0 lines",
    ),
]


@pytest.mark.parametrize(("words", "status", "output", "said"), COMMANDS)
def test_a_command(
    environment: dict[str, str],
    words: tuple[str, ...],
    status: int,
    output: str,
    said: str,
) -> None:
    """There is a cloud, which is not asked."""
    Path(environment["HOME"], "bad.yaml").write_text(BAD, encoding="utf-8")
    lines = f"{LOG}{json.dumps(EVENT)}\n{LOG}{EVENT}\n"
    done = run(environment | LOGIN, "vhard", *words, given=lines)
    assert done[0] == status
    assert output in done[1]
    assert said in done[2]

# SPDX-License-Identifier: Apache-2.0
"""The real ``openstack`` executable, without a network.

A hook of the interpreter ends the process at the first look-up of a name and
at the first connection, so that a command which passes made neither. What the
commands print is in tests/unit/cli.
"""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
#: An event of a gate's log that is not JSON.
LINE = "2026-11-25 09:14:02.1 1 INFO nova_vhard.decisions [-] {\n"
#: Commands for which openstackclient does not log in.
OFFLINE = {
    *("vhard", "vhard_decision_summary", "vhard_policy_check"),
    *("vhard_policy_explain", "vhard_policy_schema", "vhard_policy_show"),
    *("vhard_policy_test", "vhard_qemu_build-config", "vhard_qemu_plan"),
}


def test_which_commands_need_no_login() -> None:
    commands = importlib.metadata.entry_points(group="openstack.vhard.v1")
    assert {
        each.name
        for each in commands
        if not getattr(each.load().resolve(), "auth_required", True)
    } == OFFLINE


#: What is typed behind ``openstack vhard``, the status, and what is printed;
#: the first one shows that the hook sees the network.
COMMANDS = [
    (("host", "list"), 99, "", "the network was used: socket.getaddrinfo"),
    (("decision", "summary", "-"), 0, "", "1 line that cannot be read"),
    (("policy", "show", "strict", "-f", "value"), 0, "disk_bus", ""),
    (("policy", "show", "x"), 1, "", "x: cannot be read: No such file"),
]


@pytest.mark.parametrize(("words", "status", "output", "said"), COMMANDS)
def test_a_command(
    tmp_path: Path, words: tuple[str, ...], status: int, output: str, said: str
) -> None:
    """There is a cloud, which is not asked."""
    pytest.importorskip("openstackclient.shell")
    (tmp_path / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OS_")
    }
    places = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PYTHONPATH")
    done = subprocess.run(
        [OPENSTACK, "vhard", *words],
        env=kept | LOGIN | dict.fromkeys(places, str(tmp_path)),
        cwd=tmp_path,
        input=LINE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert output in done.stdout
    assert said in done.stderr

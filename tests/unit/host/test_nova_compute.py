# SPDX-License-Identifier: Apache-2.0
"""Settings of Nova's count only where nova-compute runs with them."""

import json
import os

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.root import HostRoot
from tests.trees import FACTS, build, facts

BOOT = 1_000_000_000
STARTED = BOOT + 1000
TLS = {"live_migration_with_native_tls": True}
NOVA = "/etc/nova/nova.conf"
HERE = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
THERE = "700 1 0:55 / / rw,relatime - overlay overlay rw\n"
CHECKS = {each.name: each for each in report.load()}
#: How distributions and images start it.
COMMANDS = [
    "/usr/bin/python3\0/usr/bin/nova-compute\0--config-file=/etc/nova/nova.conf\0",
    "/usr/bin/python3\0-s\0/usr/bin/nova-compute\0",
    "/venv/bin/python3.12\0/venv/bin/nova-compute",
    "/usr/bin/nova-compute\0",
]
OTHERS = [
    "/usr/bin/python3\0/usr/bin/privsep-helper\0nova-compute\0",
    "sudo\0-u\0nova\0/usr/bin/nova-compute\0",
    "/usr/bin/python3\0",
    "",
]


def tree(folder, command, known, files=(NOVA,), **more):
    """Return a host whose nova-compute started 1000 seconds after boot.

    :param known: when the pre-step saw that the files had been changed last
    """
    fields = ["S", *("0" for _ in range(18)), "100000", "0"]
    known_facts = json.loads(facts(libvirt=TLS)[FACTS])
    known_facts |= {"changed": known, "files": list(files)}
    content = {
        "/CMD": None,
        "/proc/stat": f"cpu 1\nbtime {BOOT}\n",
        "/proc/7/cmdline": command,
        "/proc/7/mountinfo": HERE,
        "/proc/1/mountinfo": HERE,
        "/proc/7/stat": f"7 (a) b) {' '.join(fields)}",
        FACTS: json.dumps(known_facts),
        **more,
    }
    return build(folder, {k: v for k, v in content.items() if v != "-"})


def run(root, name="migration_encrypted"):
    result = CHECKS[name].run(Host(HostRoot(root)))
    assert "check failed" not in result.reason
    return result


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_nova_compute_has_not_read(tmp_path, command):
    result = run(tree(tmp_path, command, STARTED + 1.5))
    assert result.status is Status.UNKNOWN
    assert "nova-compute, process 7, started" in result.reason
    assert result.remediation.startswith("Restart nova-compute")


@pytest.mark.parametrize("name", ["nova_defaults", "passthrough_disabled"])
def test_every_check_that_needs_it(tmp_path, name):
    result = run(tree(tmp_path, COMMANDS[0], STARTED + 1.5), name)
    assert result.remediation.startswith("Restart nova-compute")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_it_has_read(tmp_path, command):
    root = tree(tmp_path, command, STARTED - 1.5)
    assert run(root).status is Status.PASS


@pytest.mark.parametrize(
    ("words", "mounts", "status"),
    [
        ("--config-file=/etc/nova/nova-cpu.conf", HERE, Status.UNKNOWN),
        ("--config-file\0/etc/nova/nova-cpu.conf", HERE, Status.UNKNOWN),
        ("--config-dir\0/etc/nova/more.d\0", HERE, Status.UNKNOWN),
        ("--config-file=/nova.conf", HERE, Status.UNKNOWN),
        ("--config-file\0/etc/nova/./nova.conf\0--debug", HERE, Status.PASS),
        ("--config-file", HERE, Status.PASS),
        ("--log-file=/etc/nova/nova-cpu.conf", HERE, Status.PASS),
        # In a container it is this one's /etc/kolla/nova-compute.
        ("--config-file=/etc/nova/nova-cpu.conf", THERE, Status.PASS),
    ],
)
def test_a_file_that_it_names(tmp_path, words, mounts, status):
    """DevStack's nova-compute does not read what is in nova.conf."""
    more = {"/proc/7/mountinfo": mounts, "/proc/1/mountinfo": HERE}
    command = f"/usr/bin/python3\0/usr/bin/nova-compute\0{words}"
    root = tree(tmp_path, command, STARTED - 1.5, **more)
    result = run(root)
    assert result.status is status
    if status is Status.UNKNOWN:
        assert "--nova-config-file" in result.remediation


@pytest.mark.parametrize("command", OTHERS)
def test_no_nova_compute_runs(tmp_path, command):
    root = tree(tmp_path, command, STARTED + 1.5)
    assert run(root).status is Status.PASS


def test_where_it_would_be_out_of_sight(tmp_path):
    root = tree(tmp_path, OTHERS[0], STARTED + 1.5, **{"/CMD": "-"})
    result = run(root)
    assert result.status is Status.UNKNOWN
    assert "PID namespace" in result.remediation


@pytest.mark.parametrize(
    ("name", "written"),
    [(NOVA, NOVA), ("--config-dir=/etc/n.d", "/etc/n.d/a.conf")],
)
def test_a_file_that_the_pre_step_has_not_read(tmp_path, name, written):
    known = STARTED - 500
    root = tree(tmp_path, COMMANDS[1], known, (name,), **{written: ""})
    place = f"{root}{written}"

    def at(when):
        os.utime(os.path.dirname(place), (known, known))
        os.utime(place, (when, when))
        return run(root)

    assert at(known).status is Status.PASS
    result = at(known + 100)
    assert result.status is Status.UNKNOWN
    assert "run nova-vhard-reporter facts again" in result.reason
    # What nova-compute has not read does not matter to the host.
    assert at(STARTED + 100).status is Status.PASS


def test_a_pre_step_that_did_not_look(tmp_path):
    root = tree(tmp_path, COMMANDS[0], None)
    assert nova_facts.read(Host(HostRoot(root))).changed is None

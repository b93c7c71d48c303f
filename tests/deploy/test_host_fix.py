# SPDX-License-Identifier: Apache-2.0
"""The playbook of ``openstack vhard host fix`` by ansible-core itself.

What writes into /etc alone is run, on a copy of it; the rest is read.
"""

import json
import os
import re
import subprocess

import pytest
import yaml

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.osc.host import fix
from nova_vhard.placement.fleet import FRESH, HostPosture
from tests.deploy.places import PREFIX

#: Checks whose tasks need no running libvirt, systemd or GRUB, and a line
#: that is in a file of /etc afterwards.
ALONE = {
    "nested_off": ("modprobe.d/nova-vhard-nested.conf", "kvm_amd nested=0")
}
_IN_A_COPY = 'mount --bind "$1" /etc && shift && exec "$@"'


@pytest.fixture(scope="module")
def playbook(tmp_path_factory):
    path = tmp_path_factory.mktemp("fix") / "fix.yml"
    every = dict.fromkeys(CHECKS, "FAIL")
    host = HostPosture("localhost", FRESH, frozenset(), others=every)
    plays = fix._plays([host])
    for play in plays:
        play["connection"] = "local"
    path.write_text(yaml.safe_dump(plays))
    return path


def ansible(playbook, *arguments, before=()):
    """Run ansible-playbook; return what it printed."""
    python = {"ansible_python_interpreter": str(PREFIX / "bin" / "python")}
    command = [*before, PREFIX / "bin" / "ansible-playbook"]
    command += ["--inventory", "localhost,", playbook, *arguments]
    command += ["--extra-vars", json.dumps(python)]
    done = subprocess.run(
        [str(word) for word in command],
        env={
            **os.environ,
            "ANSIBLE_HOME": str(playbook.parent / "home"),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ansible_reads_it(playbook):
    ansible(playbook, "--syntax-check")
    listed = ansible(playbook, "--list-tasks", "--tags", ",".join(CHECKS))
    for name, number in CHECKS.items():
        assert f"{name} ({number}) - " in listed


def test_nothing_runs_by_itself(playbook):
    shown = ansible(playbook)
    assert re.search(r"ok=1 +changed=0 ", shown)
    assert "TASK [Gathering Facts]" in shown
    assert shown.count("TASK [") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a copy of /etc")
@pytest.mark.parametrize("check", ALONE)
def test_a_check_that_is_chosen(playbook, tmp_path, check):
    copy = tmp_path / "etc"
    subprocess.run(["cp", "-a", "/etc", copy], check=True)
    before = ("unshare", "--mount", "--propagation", "private")
    before += ("sh", "-ec", _IN_A_COPY, "sh", copy)
    first, second = (
        ansible(playbook, "--tags", check, before=before) for _ in range(2)
    )
    path, line = ALONE[check]
    assert line in (copy / path).read_text()
    assert re.search(r"changed=1 ", first)
    assert re.search(r"changed=0 ", second)

# SPDX-License-Identifier: Apache-2.0
"""The playbook of ``openstack vhard host fix``, run by ansible-core itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.osc.host import fix
from nova_vhard.placement.fleet import FRESH, HostPosture

PREFIX = Path(sys.prefix)


def write(path):
    """Write the playbook for a host, this one, that fails every check."""
    every = dict.fromkeys(CHECKS, "FAIL")
    host = HostPosture("localhost", FRESH, frozenset(), others=every)
    plays = fix._plays([host])
    for play in plays:
        play["connection"] = "local"
    path.write_text(yaml.safe_dump(plays))


def run(playbook, *arguments, before=(), path=os.environ["PATH"]):
    """Run ansible-playbook; return its status and what it printed.

    :param before: command that runs it
    """
    python = {"ansible_python_interpreter": str(PREFIX / "bin" / "python")}
    command = [*before, PREFIX / "bin" / "ansible-playbook"]
    command += ["--inventory", "localhost,", playbook, *arguments]
    command += ["--extra-vars", json.dumps(python)]
    done = subprocess.run(
        [str(word) for word in command],
        env={
            **os.environ,
            "PATH": path,
            "ANSIBLE_HOME": str(playbook.parent / "home"),
            "ANSIBLE_NOCOLOR": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout

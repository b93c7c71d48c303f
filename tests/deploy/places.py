# SPDX-License-Identifier: Apache-2.0
"""Where the recipes and the deployers' own files are."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PREFIX = Path(sys.prefix)
#: The paste files of Nova and Glance as their wheels install them.
PASTE = {
    "nova": PREFIX / "etc" / "nova" / "api-paste.ini",
    "glance": PREFIX / "etc" / "glance" / "glance-api-paste.ini",
}


def run(name, *arguments, **more):
    """Run a command of this environment; return what it printed."""
    return output(PREFIX / "bin" / name, *arguments, **more)


def output(*command, **more):
    """Run a command of the system; return what it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **more,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def playbook(folder, part, extra, **environment):
    """Run a play on this host; return what was printed.

    :param part: what the play has besides its host
    :param extra: values of ``--extra-vars``
    """
    here = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    (folder / "play.yml").write_text(
        yaml.safe_dump([here | part], sort_keys=False)
    )
    return run(
        "ansible-playbook",
        "--inventory",
        "localhost,",
        *(word for each in extra for word in ("--extra-vars", each)),
        "play.yml",
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            **environment,
        },
    )

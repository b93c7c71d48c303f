# SPDX-License-Identifier: Apache-2.0
"""Where the recipes and the deployers' own files are."""

import subprocess
import sys
from pathlib import Path

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

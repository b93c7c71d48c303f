# SPDX-License-Identifier: Apache-2.0
"""Commands that are run as a person would."""

import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """Output of a command, and whether it was successful."""

    text: str
    success: bool


def run(name, *words, environment, seconds=120):
    """Run a command of this Python's environment."""
    done = subprocess.run(
        [pathlib.Path(sys.executable).with_name(name), *words],
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    return Answer(done.stdout.strip(), done.returncode == 0)


def environment():
    """Return the environment without the caller's cloud and proxies."""
    unwanted = ("OS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(unwanted)
    }

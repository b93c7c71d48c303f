# SPDX-License-Identifier: Apache-2.0
"""Commands that the story runs as a person would."""

import concurrent.futures
import pathlib
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What a command printed, and whether it was successful."""

    text: str
    success: bool


def run(name, *words, environment):
    """Run a command of this Python's environment.

    :returns: Answer
    """
    program = pathlib.Path(sys.executable).with_name(name)
    done = subprocess.run(
        [program, *words],
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return Answer(done.stdout.strip(), done.returncode == 0)


def at_once(call, arguments):
    """Call a function with each of some arguments, all at the same time.

    :returns: what came of it, in the order of the arguments
    """
    with concurrent.futures.ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(call, arguments))

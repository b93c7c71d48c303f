# SPDX-License-Identifier: Apache-2.0
"""Output of clean lines to the terminal."""

import json
import sys
from typing import Any, TextIO

from nova_vhard.common.text import line, lines


def say(text: object, stream: TextIO | None = None) -> None:
    """Print a line.

    :param stream: where to; by default standard output
    """
    # in one piece, as progress and other threads write beside it
    (stream or sys.stdout).write(f"{line(text)}\n")


def complain(text: object) -> None:
    """Print a line on standard error."""
    say(text, sys.stderr)


def show(text: str) -> None:
    """Print a text of several lines, such as a table."""
    print(lines(text))


def show_data(text: str) -> None:
    """Print a text for a machine; who made it has made each value safe."""
    print(text)


def show_json(content: Any) -> None:
    """Print an object for a machine, in ASCII."""
    print(json.dumps(content, indent=2))

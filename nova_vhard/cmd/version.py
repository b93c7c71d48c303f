# SPDX-License-Identifier: Apache-2.0
"""The option --version, which every program of ours has."""

import argparse
import importlib.metadata


def of(program: str) -> str:
    """Return what --version prints.

    :param program: name of a program, ``nova-vhard-paste``
    """
    return f"{program} {importlib.metadata.version('nova-vhard')}"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add the option to a parser whose ``prog`` is the program's name."""
    parser.add_argument(
        "--version",
        action="version",
        version=of(parser.prog),
        help="Print the version and exit.",
    )

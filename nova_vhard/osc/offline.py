# SPDX-License-Identifier: Apache-2.0
"""Common code of the commands that do not need a cloud."""

import argparse
import datetime
from collections.abc import Sequence
from typing import Any

from nova_vhard.osc import output


class Offline(output.Command):
    """A command that asks no cloud, and so needs no login."""

    # openstackclient asks for no password and no token then.
    auth_required = False


class OfflineLister(Offline, output.Lister):
    """A command without a cloud whose output is a table."""


class OfflineShowOne(Offline, output.ShowOne):
    """A command without a cloud whose output is one thing."""


def add_date(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the day by which exemptions are judged."""
    parser.add_argument(
        "--date",
        metavar="<date>",
        type=date,
        help="Day (UTC, 2027-03-31) by which exemptions are judged; default "
        "today.",
    )


def date(text: str) -> datetime.date:
    """Parse a date.

    :raises ArgumentTypeError: if it is not one
    """
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a date; write 2027-03-31"
        ) from error


def counted(count: int, word: str, plural: str | None = None) -> str:
    """Return ``1 error`` or ``2 errors``."""
    return f"{count} {word if count == 1 else plural or word + 's'}"


Rows = tuple[Sequence[str], list[tuple[Any, ...]]]

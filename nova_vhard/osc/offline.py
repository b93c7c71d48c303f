# SPDX-License-Identifier: Apache-2.0
"""What the commands share that need no cloud."""

import argparse
import datetime
from collections.abc import Sequence
from typing import Any

from cliff.columns import FormattableColumn

from nova_vhard.common.text import clean
from nova_vhard.osc import output

#: Characters of a cell. A policy's reasons are longer than other values.
_LONG = 1024


class Cell(FormattableColumn):  # type: ignore[misc]
    """A value: words in a table, the value itself in JSON and YAML.

    :param value: text, boolean, number, None, or a list of texts
    :param none: the word for None and for an empty list
    :param separator: between the items of a list
    """

    def __init__(
        self, value: Any, none: str = "", separator: str = ", "
    ) -> None:
        """Keep the value; what an outsider wrote into it is made safe."""
        super().__init__(_cleaned(value))
        self._none = none
        self._separator = separator

    def human_readable(self) -> str:
        """Return words."""
        if isinstance(self._value, list):
            words = (_word(item) for item in self._value)
            return self._separator.join(words) or self._none
        return self._none if self._value is None else _word(self._value)

    def __lt__(self, other: object) -> bool:
        """Sort values of one type by value, others by their words."""
        if isinstance(other, Cell) and type(self._value) is type(other._value):
            return bool(self._value < other._value)
        return str(self) < str(other)


def _cleaned(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return clean(value, _LONG) if isinstance(value, str) else value


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Offline(output.Command):
    """A command that asks no cloud, and so needs no login.

    :ivar status: exit status, where the command itself came to an end
    """

    # openstackclient asks for no password and no token then.
    auth_required = False
    status = 0

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run as any command, and end with this one's exit status."""
        failed = super().run(parsed_args)
        return failed or self.status


class OfflineLister(Offline, output.Lister):
    """A command without a cloud whose output is a table."""


class OfflineShowOne(Offline, output.ShowOne):
    """A command without a cloud whose output is one thing."""


def add_date(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the day by which exemptions are judged."""
    parser.add_argument(
        "--date",
        metavar="<date>",
        type=_date,
        help="day (UTC, 2027-03-31) by which exemptions are judged; default "
        "today",
    )


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is no date; write 2027-03-31"
        raise argparse.ArgumentTypeError(message) from error


def counted(count: int, word: str, plural: str | None = None) -> str:
    """Return ``1 error`` or ``2 errors``."""
    return f"{count} {word if count == 1 else plural or word + 's'}"


Rows = tuple[Sequence[str], list[tuple[Any, ...]]]

# SPDX-License-Identifier: Apache-2.0
"""Base classes of the openstack commands, which sanitize all output.

Each command extends one of these classes and does not print directly. Tables
and CSV show a cell as words; JSON and YAML contain its value.
"""

import argparse
import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cliff.columns import FormattableColumn
from osc_lib import exceptions
from osc_lib.command import command

from nova_vhard.common import terminal
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import line
from nova_vhard.osc.rights import why
from nova_vhard.placement.reader import PlacementError

#: Formats that know lists and booleans.
_WITH_VALUES = ("json", "yaml")

#: Columns of characters of a table whose cells may have several lines.
WIDTH = 100

#: Exit status after invalid arguments, the same as argparse's.
USAGE = 2

#: Exit status if --fail-on or --fail-on-warn finds something.
FAILED = 3

#: Columns and rows of a table.
Rows = tuple[Sequence[str], list[tuple[Any, ...]]]


class UsageError(exceptions.CommandError):  # type: ignore[misc]
    """Raised for invalid, missing or conflicting arguments."""


class Cell(FormattableColumn):  # type: ignore[misc]
    """A value: words in a table and in CSV, itself in JSON and YAML.

    :param value: text, boolean, number, None, or a list of texts
    :param none: the word for None and for an empty list
    :param separator: between the items of a list
    """

    def __init__(
        self, value: Any, none: str = "", separator: str = ", "
    ) -> None:
        """Keep the value; what an outsider wrote into it is made safe."""
        super().__init__(cleaned(value))
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


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Passed(Cell):
    """Whether a check is passed: PASS or ``-``; a boolean in JSON."""

    def human_readable(self) -> str:
        """Return the word of a table."""
        return "PASS" if self._value else "-"


class Words(FormattableColumn):  # type: ignore[misc]
    """A column for formats without lists and booleans, such as CSV.

    For these, cliff writes a value's Python representation.

    :param column: defines the sort order and the words of the cells
    """

    def human_readable(self) -> str:
        """Return the words of the column."""
        return str(self._value.human_readable())

    def machine_readable(self) -> str:
        """Return the same words."""
        return self.human_readable()

    def __lt__(self, other: object) -> bool:
        """Sort as the columns do."""
        if isinstance(other, Words):
            return bool(self._value < other._value)
        return str(self) < str(other)


class Lines(str):
    """Lines of a cell: each is clean, and only this makes several."""

    __slots__ = ()

    def __new__(cls, parts: Iterable[object]) -> "Lines":
        """Join lines."""
        return super().__new__(cls, "\n".join(line(part) for part in parts))


def cleaned(value: Any) -> Any:
    """Return the sanitized value of a cell; our own objects already are."""
    if isinstance(value, Lines | FormattableColumn):
        return value
    if isinstance(value, str):
        return line(value)
    if isinstance(value, dict):
        return {line(name): cleaned(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [cleaned(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return line(value)


def unreadable(path: object, error: OSError | UnicodeError) -> str:
    """Return the common message for a file that cannot be read."""
    if isinstance(error, UnicodeError):
        return f"{path}: is not UTF-8: {getattr(error, 'reason', error)}"
    return f"{path}: cannot be read: {error.strerror or error}"


def unwritable(path: object, error: OSError) -> str:
    """Return the common message for a file that cannot be written."""
    return f"{path}: cannot be written: {error.strerror or error}"


class Command(command.Command):  # type: ignore[misc]
    """Base of all commands; sanitizes their messages and errors.

    :ivar status: exit status if no exception is raised
    """

    status = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Replace cliff's logger, which does not sanitize arguments."""
        super().__init__(*args, **kwargs)
        kind = type(self)
        self.log = get_logger(f"{kind.__module__}.{kind.__name__}")

    @property
    def cloud(self) -> Any:
        """The cloud's clients, see ``nova_vhard.osc.plugin.Client``."""
        return self.app.client_manager.vhard

    def get_epilog(self) -> str:
        """Name the plugin; cliff would search all distributions for it."""
        return "This command is provided by the nova-vhard plugin."

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser with the arguments of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        self.add_arguments(parser)
        return parser

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command."""

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command; sanitize the text of every error.

        :raises osc_lib.exceptions.CommandError: in place of an exception
            whose text is not clean
        """
        try:
            return int(super().run(parsed_args) or self.status)
        except UsageError as error:
            self.say(f"{self.cmd_name or 'openstack vhard'}: error: {error}")
            return USAGE
        except PlacementError as error:
            text = line(f"Placement: {why(error)}")
            raise exceptions.CommandError(text) from error
        except Exception as error:
            text = why(error)
            if text == str(error) == line(text):
                raise
            raise exceptions.CommandError(line(text)) from error

    def say(self, text: str) -> None:
        """Print a message for the user to stderr, apart from the output."""
        terminal.say(text, self.app.stderr)

    def answer(self, text: str) -> None:
        """Print a line of output."""
        terminal.say(text, self.app.stdout)


class Lister(Command, command.Lister):  # type: ignore[misc]
    """A command whose output is a table.

    :ivar nothing: what to say without a row; empty if the command prints a
        total
    """

    nothing = ""

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Write the table, each of its cells clean; nothing if it is empty."""
        listed = list(data)
        if self.nothing and not listed:
            self.say(self.nothing)
        if not listed and parsed_args.formatter == "table":
            return 0
        rows = _rows(listed, parsed_args.formatter)
        return int(super().produce_output(parsed_args, column_names, rows))


class ShowOne(Command, command.ShowOne):  # type: ignore[misc]
    """A command whose output is one thing."""

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Sequence[Any],
    ) -> int:
        """Write the fields, each of them clean."""
        (row,) = _rows([data], parsed_args.formatter)
        return int(super().produce_output(parsed_args, column_names, row))


class Offline(Command):
    """A command that does not contact the cloud and needs no login."""

    # openstackclient then does not ask for a password or a token.
    auth_required = False


class OfflineLister(Offline, Lister):
    """A command without a cloud whose output is a table."""


class OfflineShowOne(Offline, ShowOne):
    """A command without a cloud whose output is one thing."""


def add_date(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the day by which exemptions are judged."""
    parser.add_argument(
        "--date",
        metavar="<date>",
        type=date,
        help="Apply the exemptions that are valid on this day (UTC), such as "
        "2027-03-31 (default: today).",
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


def _rows(
    data: Iterable[Sequence[Any]], formatter: str
) -> Iterator[tuple[Any, ...]]:
    for row in data:
        yield tuple(_written(cleaned(cell), formatter) for cell in row)


def _written(value: Any, formatter: str) -> Any:
    """Return a clean value as a formatter of cliff's can write it."""
    if formatter in _WITH_VALUES:
        # PyYAML cannot represent a subclass of str.
        return str(value) if isinstance(value, str) else value
    if isinstance(value, list):
        value = Cell(value)
    return Words(value) if isinstance(value, FormattableColumn) else value

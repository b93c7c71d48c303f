# SPDX-License-Identifier: Apache-2.0
"""What the openstack commands have in common: their output is clean.

A command of ours is one of these classes and writes nothing by itself.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cliff.columns import FormattableColumn
from osc_lib import exceptions
from osc_lib.command import command

from nova_vhard.common import terminal
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import line


class Lines(str):
    """Lines of a cell: each is clean, and only this makes several."""

    __slots__ = ()

    def __new__(cls, parts: Iterable[object]) -> "Lines":
        """Join lines."""
        return super().__new__(cls, "\n".join(line(part) for part in parts))


def cleaned(value: Any) -> Any:
    """Return what stands in a cell, clean; objects of ours are so already."""
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


class Command(command.Command):  # type: ignore[misc]
    """A command; what it says and how it ends is clean."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Log with a logger of ours, arguments too."""
        super().__init__(*args, **kwargs)
        kind = type(self)
        self.log = get_logger(f"{kind.__module__}.{kind.__name__}")

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run it; an error has a clean text, whosoever raises it.

        :raises osc_lib.exceptions.CommandError: in place of an exception
            whose text is not clean
        """
        try:
            return int(super().run(parsed_args) or 0)
        except Exception as error:
            text = str(error)
            if line(text) == text:
                raise
            raise exceptions.CommandError(line(text)) from error

    def say(self, text: str) -> None:
        """Tell a person, beside the output that a program may read."""
        terminal.say(text, self.app.stderr)

    def answer(self, text: str) -> None:
        """Print a line of output."""
        terminal.say(text, self.app.stdout)


class Lister(Command, command.Lister):  # type: ignore[misc]
    """A command whose output is a table."""

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Write the table, each of its cells clean."""
        rows = _rows(data)
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
        row = tuple(cleaned(item) for item in data)
        return int(super().produce_output(parsed_args, column_names, row))


def _rows(data: Iterable[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    for row in data:
        yield tuple(cleaned(cell) for cell in row)

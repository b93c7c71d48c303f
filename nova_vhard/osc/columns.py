# SPDX-License-Identifier: Apache-2.0
"""Cells of a table: words for a person, the value itself for a program."""

from typing import Any

from cliff.columns import FormattableColumn

from nova_vhard.common.text import clean

#: Characters of a cell. A policy's reasons are longer than other values.
_LONG = 1024


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

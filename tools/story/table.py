# SPDX-License-Identifier: Apache-2.0
"""The table that is printed, row by row as the story goes on."""

import itertools
import shutil
import sys
import textwrap

_GREEN, _RED, _BOLD, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[0m"
_HEAD = ("what was tried", "gate", "the explanation as the user sees it")
_MARK = 6
_GATE = 15
_FURNITURE = 8


class Table:
    """A table of three columns, as wide as the terminal.

    :param out: where it goes; colours only if that is a terminal
    """

    def __init__(self, out=sys.stdout):
        self._out = out
        self._colour = out.isatty()
        width = shutil.get_terminal_size((110, 24)).columns
        room = max(min(width, 160), 76) - _MARK - _GATE - _FURNITURE
        self._widths = (room * 2 // 5, _GATE, room - room * 2 // 5)

    def head(self):
        """Print the head."""
        self._row("", _HEAD, _BOLD)
        self._rule()

    def row(self, number, title, outcome):
        """Print a played step.

        :param outcome: story.telling.Outcome
        """
        text = (
            outcome.text if outcome.as_told else f"NOT AS TOLD: {outcome.text}"
        )
        mark = f"{number:2d} " + ("ok" if outcome.as_told else "!!")
        cells = (title, outcome.gate or "-", text)
        self._row(mark, cells, _GREEN if outcome.as_told else _RED)
        self._rule()

    def line(self, text, good=True):
        """Print a line below the table."""
        self._print(self._paint(text, _GREEN if good else _RED))

    def block(self, text):
        """Print the output of a command below the table, as it is."""
        for line in text.splitlines():
            self._print(line)

    def _row(self, mark, cells, colour):
        columns = [
            _wrap(cell, width) or [""]
            for cell, width in zip(cells, self._widths, strict=True)
        ]
        marks = itertools.chain([mark], itertools.repeat(""))
        for first, *parts in zip(marks, *_even(columns), strict=False):
            padded = [
                part.ljust(width)
                for part, width in zip(parts, self._widths, strict=True)
            ]
            start = self._paint(first.ljust(_MARK), colour)
            self._print(f"{start} {' | '.join(padded)}".rstrip())

    def _rule(self):
        lines = ("-" * width for width in self._widths)
        self._print(f"{'-' * _MARK} {'-+-'.join(lines)}")

    def _paint(self, text, colour):
        return f"{colour}{text}{_PLAIN}" if self._colour else text

    def _print(self, text):
        print(text, file=self._out, flush=True)


def _even(columns):
    height = max(map(len, columns))
    return [lines + [""] * (height - len(lines)) for lines in columns]


def _wrap(text, width):
    # Words of a line's length and more, as URLs are, begin a line.
    lines = textwrap.wrap(
        text, width, break_long_words=False, break_on_hyphens=False
    )
    return [
        line[start : start + width]
        for line in lines
        for start in range(0, len(line), width)
    ]

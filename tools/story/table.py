# SPDX-License-Identifier: Apache-2.0
"""The printed table, with a row for each step of the story."""

import shutil
import sys

import prettytable

_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"
_HEAD = ("", "what was tried", "gate", "the explanation as the user sees it")
_MARK, _GATE, _FURNITURE = 5, 15, 13


def paint(text, good):
    if not sys.stdout.isatty():
        return text
    return f"{_GREEN if good else _RED}{text}{_PLAIN}"


class Table:
    """A table of four columns, as wide as the terminal."""

    def __init__(self):
        width = min(max(shutil.get_terminal_size((110, 24)).columns, 76), 160)
        room = width - _MARK - _GATE - _FURNITURE
        widths = (_MARK, room * 2 // 5, _GATE, room - room * 2 // 5)
        self._widths = dict(zip(_HEAD, widths, strict=True))
        self._print(*[""] * 4, header=True)

    def row(self, number, title, outcome, gates=True):
        """Print a played step."""
        mark, text = f"{number:2d} ok", outcome.text
        if outcome.missing and not gates:
            answer = text.removeprefix("not refused: ")
            mark, text = (
                f"{number:2d} --",
                f"AS EXPECTED WITHOUT GATES: {answer}",
            )
        elif not outcome.as_told:
            mark, text = f"{number:2d} !!", f"NOT AS TOLD: {text}"
        mark = paint(mark, outcome.as_told)
        self._print(mark, title, outcome.gate or "-", text)

    def _print(self, *cells, header=False):
        table = prettytable.PrettyTable(_HEAD, header=header, align="l")
        table.min_width = table.max_width = self._widths
        table.add_row(cells)
        lines = table.get_string().splitlines()
        # What is below one row is above the next.
        print(*lines[: 2 if header else -1], sep="\n", flush=True)

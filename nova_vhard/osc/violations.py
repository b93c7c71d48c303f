# SPDX-License-Identifier: Apache-2.0
"""Rows of violations, each with the refused request and its fix.

In a table and in CSV, a fix is text with commands. In JSON and YAML, it is
the text and a list of changes with place, id, property and value.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from nova_vhard.explain import fixes, messages
from nova_vhard.explain.search import Fix
from nova_vhard.osc.output import Cell
from nova_vhard.policy.top_violations import leading
from nova_vhard.policy.verdict import Violation

#: Content of the rule column in a row that counts further violations.
OTHERS = "..."


class FixCell(Cell):
    """The cell of a fix, as text or as data."""

    def __init__(self, text: str, changes: Iterable[Any] = ()) -> None:
        """Store the text and the changes."""
        super().__init__({"text": text, "changes": list(changes)})

    def human_readable(self) -> str:
        """Return the text."""
        return str(self._value["text"])

    def __lt__(self, other: object) -> bool:
        """Sort by the text."""
        return str(self) < str(other)


#: Function that returns the fix of some violations.
Find = Callable[[Sequence[Violation]], Fix]


def fix_cell(violation: Violation, find: Find) -> FixCell:
    """Return the fix of a violation and the advice on its device kind."""
    fix = find((violation,))
    text = fixes.words(fix), messages.advice(violation)
    return FixCell("; ".join(filter(None, text)), fix.changes)


def rows(
    violations: Sequence[Violation], find: Find
) -> Iterator[tuple[str, str, str, FixCell]]:
    """Yield rule, mode, request and fix of violations, for a table.

    If there are many violations, the last row counts those not listed.
    """
    result = leading(violations)
    for item in result.shown:
        yield (
            item.rule,
            str(item.mode),
            messages.asked(item),
            fix_cell(item, find),
        )
    if result.left_out:
        yield OTHERS, "", f"and {result.left_out} more", FixCell("")

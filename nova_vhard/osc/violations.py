# SPDX-License-Identifier: Apache-2.0
"""Violations in a table: what is asked for, and the fix.

In a table and in CSV a fix is words and commands. In JSON and YAML it is its
text and its changes, each with place, id, property and value.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from nova_vhard.explain import fixes, messages
from nova_vhard.explain.search import Fix
from nova_vhard.osc.cells import Cell
from nova_vhard.osc.output import cleaned
from nova_vhard.policy.leading import leading
from nova_vhard.policy.verdict import Violation

#: The rule of a row of a table that counts further violations.
OTHERS = "..."


class FixCell(Cell):
    """A fix, see above."""

    def __init__(self, text: str, changes: Iterable[Any] = ()) -> None:
        """Keep words and changes."""
        super().__init__(cleaned({"text": text, "changes": list(changes)}))

    def human_readable(self) -> str:
        """Return the words."""
        return str(self._value["text"])

    def __lt__(self, other: object) -> bool:
        """Sort by the words."""
        return str(self) < str(other)


#: Returns the fix of some violations.
Find = Callable[[Sequence[Violation]], Fix]


def fix_cell(violation: Violation, find: Find) -> FixCell:
    """Return how to fix a violation, and what else there is to know."""
    fix = find([violation])
    text = fixes.words(fix, [violation]), messages.advice(violation)
    return FixCell("; ".join(filter(None, text)), fix.changes)


def rows(
    violations: Sequence[Violation], find: Find
) -> Iterator[tuple[str, str, str, FixCell]]:
    """Yield rule, mode, request and fix of violations, for a table.

    The last of very many says how many more there are.
    """
    result = leading(violations)
    for item in result.shown:
        asked = messages.asked(item)
        yield item.rule, str(item.mode), asked, fix_cell(item, find)
    if result.left_out:
        yield OTHERS, "", f"and {result.left_out} more", FixCell("")

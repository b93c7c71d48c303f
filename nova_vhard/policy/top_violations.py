# SPDX-License-Identifier: Apache-2.0
"""The violations that stand for all, where a request has very many."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nova_vhard.policy.model import Mode
from nova_vhard.policy.verdict import Violation

#: How many violations an answer, a record, an event or a table has at most.
MOST = 20

_ORDER = {mode: index for index, mode in enumerate(reversed(Mode))}

#: The rules of violations, and their mode.
Kind = tuple[tuple[str, ...], Mode]


@dataclass(frozen=True, slots=True)
class Leading:
    """Violations to show, and how many more there are.

    :ivar shown: at most ``MOST``, in the order of the request
    :ivar more: how many others there are, by their rules and mode
    """

    shown: Sequence[Violation]
    more: Counter[Kind]

    @property
    def left_out(self) -> int:
        """The number of the others."""
        return self.more.total()


def leading(violations: Sequence[Violation]) -> Leading:
    """Return the violations to show.

    Violations that refuse are preferred to those that warn, and then the first
    of each rule to a second one of any rule, so that as many rules as possible
    are shown.
    """
    # The usual case: nothing to rank, nothing to count.
    if len(violations) <= MOST:
        return Leading(violations, Counter())
    kinds = [(violation.rules, violation.mode) for violation in violations]
    seen: Counter[Kind] = Counter()
    ranks = []
    for index, kind in enumerate(kinds):
        # By mode, then by how many of the same kind came before: the second of
        # a kind ranks behind the first of each other.
        ranks.append((_ORDER[kind[1]], seen[kind], index))
        seen[kind] += 1
    # Back in the order of the request: two texts about one request must not
    # differ.
    shown = sorted(index for *_, index in sorted(ranks)[:MOST])
    more = Counter(kinds)
    more.subtract(kinds[index] for index in shown)
    return Leading([violations[index] for index in shown], +more)

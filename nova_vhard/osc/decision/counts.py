# SPDX-License-Identifier: Apache-2.0
"""Decision events counted by group, in bounded memory.

Independent of openstackclient, because Horizon's panel uses it, too.
"""

from dataclasses import dataclass, field

from nova_vhard.common.decisions import Event, violations
from nova_vhard.common.text import clean
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import MOVE

_OF_EVENT = ("gate", "operation", "outcome")
_OF_SUBJECT = ("project", "domain", "image", "flavor")
#: What can make a group.
BY = ("rule", *_OF_SUBJECT, *_OF_EVENT, "mode")

#: Maximum number of groups in memory; further groups are counted as one.
GROUPS = 100_000
#: Each name in the key of that one group.
OTHERS = "(others)"

Key = tuple[str | None, ...]


@dataclass
class Group:
    """Counts of one group.

    :ivar requests: requests that violated a rule
    :ivar refused: those that the rule refused
    :ivar would: those that passed, but would be refused if the rule's mode
        were enforce
    """

    requests: int = 0
    refused: int = 0
    would: int = 0
    first: str | None = None
    last: str | None = None

    def add(self, mode: str, softened: bool, time: str | None) -> None:
        """Count a request.

        :param softened: whether mode enforce would not refuse it either
        """
        self.requests += 1
        if mode == Mode.ENFORCE:
            self.refused += 1
        elif not softened:
            self.would += 1
        if time is not None:
            self.first = min(self.first or time, time)
            self.last = max(self.last or time, time)


@dataclass
class Summary:
    """Counts by group, in bounded memory.

    :ivar by: names of what makes a group, of ``BY``
    :ivar modes: modes that are counted; empty for all
    :ivar outcomes: outcomes of requests that are counted; empty for all
    """

    by: tuple[str, ...]
    modes: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()
    groups: dict[Key, Group] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Count an event: once for each group that it belongs to."""
        data = event.data
        if self.outcomes and data["outcome"] not in self.outcomes:
            return
        softened = bool(data.get("service")) or data["operation"] == MOVE
        counted: dict[Key, str] = {}
        for rule, mode, _ in violations(data):
            if not self.modes or mode in self.modes:
                known = {"rule": rule, "mode": mode}
                known |= {name: data[name] for name in _OF_EVENT}
                known |= {
                    name: data["subject"].get(name) for name in _OF_SUBJECT
                }
                # Keys are cut, so that a damaged log takes no more memory.
                key = tuple(
                    None if known[name] is None else clean(known[name])
                    for name in self.by
                )
                if counted.get(key) != Mode.ENFORCE:
                    counted[key] = mode
        for key, mode in counted.items():
            if key not in self.groups and len(self.groups) >= GROUPS:
                key = (OTHERS,) * len(key)  # noqa: PLW2901
            group = self.groups.setdefault(key, Group())
            group.add(mode, softened, event.time)

    def ordered(self) -> list[tuple[Key, Group]]:
        """Return the groups, those that matter most first."""
        return sorted(
            self.groups.items(),
            key=lambda item: (
                -item[1].would,
                -item[1].refused,
                -item[1].requests,
                [name or "" for name in item[0]],
            ),
        )

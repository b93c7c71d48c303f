# SPDX-License-Identifier: Apache-2.0
"""Changes that would mend violations, gathered by where they are made."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from nova_vhard.policy.hardware import Holder
from nova_vhard.policy.remedy import Change, Properties
from nova_vhard.policy.verdict import Violation


def list_of(name: str) -> str:
    """Return the property of a name such as ``mappings[1].disk_bus``."""
    return name.partition("[")[0]


@dataclass
class Place:
    """What to change in one image, volume, flavor or request.

    :ivar changes: by the names that they are about
    :ivar carried: what a copy of the image has to say as well
    :ivar touched: where a change of the image was judged, and not the image:
        names in that change that bring the violations in
    :ivar unsettable: those of them that no value would mend
    """

    origin: str
    holder: Holder
    changes: dict[str, Change] = field(default_factory=dict)
    carried: dict[str, str] = field(default_factory=dict)
    touched: dict[str, None] = field(default_factory=dict)
    unsettable: dict[str, None] = field(default_factory=dict)

    def add(self, violation: Violation) -> None:
        """Add a violation's part in this place."""
        self.carried.update(violation.carried)
        changes = [
            change
            for change in violation.changes
            if (change.origin, change.holder) == (self.origin, self.holder)
        ]
        for change in changes:
            self.changes.setdefault(change.name, change)
        if not violation.touched:
            return
        names = dict.fromkeys(sorted(violation.touched))
        self.touched.update(names)
        # what stands first mends it, the rest follows from that
        if not any(map(_is_settable, changes[:1])):
            self.unsettable.update(names)

    @property
    def whole(self) -> bool:
        """False where a change of the image was judged, and not the image."""
        return not self.touched

    @property
    def values(self) -> Properties:
        """The properties to set."""
        return tuple(
            (change.name, change.value)
            for change in self.changes.values()
            if change.value is not None and "[" not in change.name
        )

    @property
    def dropped(self) -> tuple[str, ...]:
        """The properties to leave out."""
        return tuple(
            change.name
            for change in self.changes.values()
            if change.value is None and "[" not in change.name
        )

    @property
    def entries(self) -> tuple[Change, ...]:
        """What to change in the entries of lists of block devices."""
        return tuple(
            change for change in self.changes.values() if "[" in change.name
        )


def _is_settable(change: Change) -> bool:
    return change.value is not None and "[" not in change.name


def gather(violations: Iterable[Violation]) -> Iterable[Place]:
    """Return the places where violations can be mended, in their order."""
    places: dict[tuple[str, Holder], Place] = {}
    for violation in violations:
        for key in dict.fromkeys(_keys(violation)):
            places.setdefault(key, Place(*key)).add(violation)
    return places.values()


def _keys(violation: Violation) -> Iterable[tuple[str, Holder]]:
    choice = violation.choice
    if choice and violation.touched and not violation.changes:
        return [(choice.origin, choice.holder)]
    return [(change.origin, change.holder) for change in violation.changes]

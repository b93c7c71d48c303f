# SPDX-License-Identifier: Apache-2.0
"""The matrix: operations, roots, and what has changed since the boot."""

from dataclasses import dataclass

from tests.release.oracle.changes import BASES, NOTHING, SPOILED
from tests.release.oracle.operations import BOOT, OPERATIONS
from tests.release.oracle.roots import ROOTS

#: Operations in which Nova looks at images and volumes, by its code of today.
_READING = (BOOT, "rebuild", "rescue", "rescue-stable", "unshelve")

#: Roots and operations for which the property base_image_ref is tried.
_REFERRING_ROOTS = ("image", "volume")
_REFERRING = (BOOT, "rescue", "rescue-stable", "rebuild", "create-image")

#: Nova refuses a legacy rescue of any other root, whatever has changed.
_LEGACY_RESCUE = ("rescue", "rescue-image")
_ON_THE_HOST = ("image", "image-scsi", "blank")

#: Nova attaches this root by Cinder's old interface, and cannot rebuild then.
_REBUILD = ("rebuild", "rebuild-plain")
_ATTACHED_AS_OF_OLD = "volume+image"


@dataclass(frozen=True, order=True)
class Cell:
    """One request, and everything that it depends on."""

    operation: str
    root: str
    change: str

    def __str__(self) -> str:
        return f"{self.operation}/{self.root}/{self.change}"


def refused_by_nova(cell: Cell) -> bool:
    """Return True if Nova does not support the combination."""
    if cell.operation in _LEGACY_RESCUE:
        return cell.root not in _ON_THE_HOST
    return cell.operation in _REBUILD and cell.root == _ATTACHED_AS_OF_OLD


def _changes(operation: str, root: str) -> list[str]:
    if operation in _LEGACY_RESCUE and root not in _ON_THE_HOST:
        return [NOTHING]
    spoiled = SPOILED if operation in _READING else ("e1000",)
    result = [NOTHING]
    result += [
        f"{target}:{how}"
        for target in _targets(operation, root)
        for how in spoiled
    ]
    if operation in _REFERRING and root in _REFERRING_ROOTS:
        result += [f"base:{how}" for how in BASES]
    return result


def _targets(operation: str, root: str) -> tuple[str, ...]:
    targets = ROOTS[root].targets
    if operation != BOOT:
        return targets
    # Nova is still to make the volumes of these
    not_yet = {"snapshot", "snapshot-v1", "image-to-volume"}
    return tuple(
        target
        for target in targets
        if target != "volume" or root not in not_yet
    )


def matrix() -> list[Cell]:
    """Return every cell, those of one operation together."""
    return [
        Cell(operation, root, change)
        for operation in (BOOT, *OPERATIONS)
        for root in ROOTS
        for change in _changes(operation, root)
    ]

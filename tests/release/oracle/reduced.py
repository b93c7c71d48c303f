# SPDX-License-Identifier: Apache-2.0
"""A few cells that stand for all, for every run of the tests.

Each operation, each root and each change is there once; of the classes of
them, each pair that the matrix has.
"""

from collections.abc import Iterator

from tests.release.oracle.cells import Cell, matrix, refused_by_nova

#: Holes that were found by attacking the gates.
FOUND = (
    Cell("rescue", "image", "base:url"),
    Cell("rescue-stable", "snapshot", "origin:e1000"),
    Cell("boot", "volume+snapshot", "origin:pc"),
    Cell("rebuild-plain", "image-scsi", "nothing"),
    Cell("rescue-stable", "image", "image:pc"),
)

_OPERATIONS = {
    "boot": "boot",
    "rebuild": "rebuild",
    "rebuild-plain": "rebuild",
    "rescue": "rescue",
    "rescue-image": "rescue",
    "rescue-stable": "rescue",
    "unshelve": "unshelve",
}
_ROOTS = {
    "image": "host",
    "image-scsi": "host",
    "blank": "host",
    "volume": "volume",
    "volume-scsi": "volume",
    "volume-v1": "volume",
    "image-to-volume": "volume",
    "snapshot": "snapshot",
    "snapshot-v1": "snapshot",
}
#: Operations in which Nova keeps what the server has, and odd roots.
KEEPING, TWO = "keeping", "two things"


def features(cell: Cell) -> Iterator[tuple[str, str]]:
    """Yield what a cell stands for."""
    operation = _OPERATIONS.get(cell.operation, KEEPING)
    root = _ROOTS.get(cell.root, TWO)
    change = cell.change.partition(":")[0]
    yield "operation", cell.operation
    yield "root", cell.root
    yield "change", cell.change
    yield operation, root
    yield operation, change
    yield root, change


def cells() -> list[Cell]:
    """Return a cover of what the matrix has, chosen greedily."""
    chosen = list(FOUND)
    rest = [cell for cell in matrix() if not refused_by_nova(cell)]
    missing = {feature for cell in rest for feature in features(cell)}
    for cell in chosen:
        missing -= set(features(cell))
    while missing:
        best = max(rest, key=lambda cell: len(missing & {*features(cell)}))
        missing -= set(features(best))
        chosen.append(best)
    order = {cell: place for place, cell in enumerate(matrix())}
    return sorted(chosen, key=order.__getitem__)

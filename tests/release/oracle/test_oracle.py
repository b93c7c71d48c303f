# SPDX-License-Identifier: Apache-2.0
"""Each cell of the matrix is green: judged, refused, or no case in Nova.

``NOVA_VHARD_ORACLE=full``, as ``tox -e oracle`` sets it, is for every cell,
with a cloud an operation; otherwise some cells stand for all, in one. ``-k``
selects some: each is a test, such as ``test_rebuild/volume/nothing``.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests import seeds, services
from tests.functional.bypass import ways
from tests.functional.nova.helpers import MEMBER
from tests.release.oracle import cloud

FULL = os.environ.get("NOVA_VHARD_ORACLE") == "full"

TABLES = yaml.safe_load(Path(__file__).with_name("cells.yaml").read_text())
ROOTS, OPERATIONS = TABLES["roots"], TABLES["operations"]
SPOILED, BASES = TABLES["spoiled"], TABLES["bases"]
NOTHING = "nothing"


class Cell(NamedTuple):
    """One request, and everything that it depends on."""

    operation: str
    root: str
    change: str


#: Holes that were found by attacking the gates.
FOUND = (
    Cell("rescue", "image", "base:url"),
    Cell("rescue-stable", "snapshot", "origin:e1000"),
    Cell("boot", "volume+snapshot", "origin:pc"),
    Cell("rebuild-plain", "image-scsi", NOTHING),
    Cell("rescue-stable", "image", "image:pc"),
)


def refused_by_nova(operation: str, root: str) -> bool:
    """Return True if Nova does not support the combination.

    It rescues a server on a volume with a stable rescue only, and rebuilds
    none that it has attached by Cinder's old interface.
    """
    if operation in ("rescue", "rescue-image"):
        return ROOTS[root]["targets"] != ["image"]
    return root == "volume+image" and operation.startswith("rebuild")


def _changes(operation: str, root: str) -> Iterator[str]:
    yield NOTHING
    if not refused_by_nova(operation, root):
        reads = OPERATIONS[operation]["reads"]
        for target in ROOTS[root]["targets"]:
            for how in SPOILED if reads else ("e1000",):
                yield f"{target}:{how}"
        if reads and root in ("image", "volume"):
            yield from BASES


def matrix() -> list[Cell]:
    """Return every cell."""
    return [
        Cell(operation, root, change)
        for operation in OPERATIONS
        for root in ROOTS
        for change in _changes(operation, root)
    ]


def features(cell: Cell) -> set[Any]:
    """Return the features of a cell: its parts, and pairs of their kinds."""
    target = cell.change.partition(":")[0]
    reads = OPERATIONS[cell.operation]["reads"] and cell.operation
    kind = tuple(ROOTS[cell.root]["targets"])
    return {*cell, (reads, target), (reads, kind), (kind, target)}


def sample() -> list[Cell]:
    """Return some cells that stand for all; the seed chooses among equals."""
    every = [cell for cell in matrix() if not refused_by_nova(*cell[:2])]
    random.Random(seeds.SEED).shuffle(every)
    chosen = [*FOUND]
    missing = set().union(*map(features, every))
    missing.difference_update(*map(features, chosen))
    while missing:
        chosen.append(
            max(every, key=lambda cell: len(features(cell) & missing))
        )
        missing -= features(chosen[-1])
    return chosen


CELLS = matrix() if FULL else sample()
pytestmark = services.needs_threads("live migrations of the fake libvirt")


class Cells(cloud.Oracle):
    """Runs cells one after the other in the same cloud."""

    def result(self, cell: Cell) -> tuple[str, object]:
        """Return the outcome of a cell, and the reason."""
        operation = OPERATIONS[cell.operation]
        root = ROOTS[cell.root]
        target, _, how = cell.change.partition(":")
        says = SPOILED.get(how, {})
        self.server = ""
        self.witness.texts.clear()
        self.make(root["properties"], root["image"])
        if cell.change in BASES:
            refers = {
                "base_image_ref": BASES[cell.change]
                + self.image(hw_disk_bus="ide", hw_vif_model="e1000")
            }
            self.stored("image", self.ids["OWN"]).update(refers)
            self.stored("volume", self.ids["VOLUME"]).update(refers)
        if cell.operation == "boot":
            self.spoil(target, says)
        wish = self.wish(
            None,
            networks=[{"port": self.known(ways.CARD)}],
            config_drive=True,
            **root["body"],
        )
        booted = self.outcome(
            f"/{root['version']}/servers", wish, "ACTIVE", MEMBER
        )
        if cell.operation == "boot" or booted[0] != cloud.JUDGED:
            return booted
        if operation["prepare"]:
            getattr(self, operation["prepare"])(self.server)
        self.spoil(target, says)
        self.ids |= {
            "NEW_IMAGE": self.image(**operation["says"]),
            "NEW_VOLUME": self.volume(),
            "NEW_PORT": self.port("normal"),
        }
        return self.outcome(
            f"/v2.1/servers/{self.server}/{operation['path']}",
            *(operation[name] for name in ("body", "end", "roles")),
        )

    def attempt(self, row: Cell) -> None:
        """Check that a cell is green."""
        outcome, why = self.result(row)
        green = {cloud.JUDGED, cloud.REFUSED}
        if refused_by_nova(*row[:2]):
            green.add(cloud.NO_CASE)
        assert outcome in green, why


def case(operation: str) -> type:
    """Return a test case with a test for each cell of an operation."""
    rows = {
        f"test_{'/'.join(cell)}": cell
        for cell in CELLS
        if cell.operation == operation
    }
    made = {"__module__": __name__, "NEW_HOSTS": operation == "evacuate"}
    if FULL:
        made["CLOUD"] = f"oracle, {operation}"
    return ways.rows(rows)(type(operation, (Cells,), made))


globals().update(
    (f"Test_{name.replace('-', '_')}", case(name)) for name in OPERATIONS
)


class TestWithoutGates(Cells):
    """Without the gates, a cell is red."""

    API_GATE = None
    FILTER = None

    def test_it_is_noticed(self) -> None:
        for cell, outcome in (
            (Cell("boot", "image", NOTHING), cloud.UNJUDGED),
            (Cell("boot", "volume", "volume:e1000"), cloud.BROKEN),
            (Cell("attach-port", "image", NOTHING), cloud.UNJUDGED),
        ):
            with self.subTest(cell):
                assert self.result(cell)[0] == outcome
            self._delete_servers()

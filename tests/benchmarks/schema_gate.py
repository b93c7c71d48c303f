# SPDX-License-Identifier: Apache-2.0
"""The gate beside Glance's own schema-image.json with the same values.

What Glance brings itself to restrict image properties is a JSON schema, read
at start, that the body of each POST is validated with.  ``post_ratio`` is a
POST through the gate over a POST to a Glance with that schema, which has an
entry for each device kind that policy baseline restricts.  The method is that
of ``pairs``.  First each side has to refuse an image with an IDE disk.

A schema cannot replace the gate: it has no projects, exemptions, modes or
Nova defaults.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import common, glance_client
from tests.benchmarks.client import CACHE, Took
from tests.benchmarks.glance_client import Glance
from tests.benchmarks.pairs import Plan, Sides, play
from tests.benchmarks.pass_on import PASS_ON
from tests.functional.glance.service import GATE

PLAN = Plan(kinds=("post",), turns=100, least=8, most=14)
SERVER = "tests.benchmarks.schema_server"
REFUSED = glance_client.BODY.replace(b'_bus": "virtio"', b'_bus": "ide"')


class Side:
    """A server."""

    def __init__(self, server: Glance) -> None:
        self._server = server

    def post(self) -> Took:
        """Create an image."""
        return self._server.create()[0]

    def refuse(self, status: int) -> None:
        """See that it does not take an image with an IDE disk."""
        self._server.timed("POST", "/v2/images", REFUSED, expect=status)


@contextmanager
def running(directory: Path) -> Iterator[Sides]:
    """Run three new servers in a directory, until the block ends."""
    servers = (("gate", GATE), ("schema", PASS_ON), ("control", PASS_ON))
    places = [(directory / name, factory) for name, factory in servers]
    with glance_client.serve(*places, module=SERVER) as result:
        gate, schema, control = map(Side, result)
        gate.refuse(403)
        schema.refuse(400)
        yield Sides(gate, schema, control)


def measure() -> common.Figures:
    """Run the servers and measure everything."""
    CACHE.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=CACHE, prefix="schema-"))
    try:
        figures = play(PLAN, running, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return {
        name.replace("_plain_", "_schema_"): figure
        for name, figure in figures.items()
    }


def bars(figures: common.Figures) -> list[str]:
    """Name the bars that are missed."""
    return common.shortfalls(
        common.ratio_bar(figures, "post_ratio", at_most=1.03, width=0.05)
    )


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, bars))

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

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import common, glance_client
from tests.benchmarks.forked import PASS_ON_WITH_SCHEMA
from tests.benchmarks.pairs import Plan, Sides, play
from tests.functional.glance.service import GATE

PLAN = Plan(kinds=("post",), turns=100, least=8, most=14)
IDE = glance_client.BODY.replace(b'_bus": "virtio"', b'_bus": "ide"')


@contextmanager
def running(directory: Path) -> Iterator[Sides]:
    """Run three new servers in a directory, until the block ends."""
    servers = (
        (directory / "gate", GATE),
        (directory / "schema", PASS_ON_WITH_SCHEMA),
        (directory / "control", PASS_ON_WITH_SCHEMA),
    )
    with glance_client.serve(*servers) as sides:
        for side, status in zip(sides, (403, 400, 400), strict=True):
            side.ask("POST", "/v2/images", IDE, expect=status)
        yield Sides(*sides)


def measure() -> common.Figures:
    """Run the servers and measure everything."""
    return {
        name.replace("_plain_", "_schema_"): figure
        for name, figure in play("schema", PLAN, running).items()
    }


def bars(figures: common.Figures) -> list[str]:
    """Name the bars that are missed."""
    return common.shortfalls(
        common.ratio_bar(figures, "post_ratio", at_most=1.03, width=0.05)
    )


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, bars))

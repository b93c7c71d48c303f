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

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import common, glance_client
from tests.benchmarks.forked import PASS_ON_WITH_SCHEMA
from tests.benchmarks.pairs import Plan, play
from tests.functional.glance.service import GATE

PLAN = Plan(turns=100, least=8, most=14)
BARS = {"post_ratio": {"at_most": 1.03, "width": 0.05}}
IDE = glance_client.BODY.replace(b'_bus": "virtio"', b'_bus": "ide"')


@contextmanager
def running(directory: Path) -> Iterator[list[glance_client.Glance]]:
    """Run three new servers in a directory, until the block ends."""
    servers = (
        (directory / "gate", GATE),
        (directory / "schema", PASS_ON_WITH_SCHEMA),
        (directory / "control", PASS_ON_WITH_SCHEMA),
    )
    with glance_client.serve(*servers) as sides:
        for side, status in zip(sides, (403, 400, 400), strict=True):
            side.ask("POST", "/v2/images", IDE, expect=status)
        yield sides


def measure() -> common.Figures:
    """Run the servers and measure everything."""
    return {
        name.replace("_plain_", "_schema_"): x
        for name, x in play("schema", PLAN, ("post",), running).items()
    }

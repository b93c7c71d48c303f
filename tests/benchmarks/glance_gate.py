# SPDX-License-Identifier: Apache-2.0
"""Cost of the gate of the Glance API: time, and memory of an upload.

The method is that of ``pairs``, in one process; an upload has a process with
the gate and one without, whose memory is compared.  PATCH is measured twice:
with a new value and with the removal of one; the image is read for both.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import client, common, glance_client
from tests.benchmarks.client import CACHE, Took
from tests.benchmarks.glance_client import Glance
from tests.benchmarks.pairs import Plan, Sides, play
from tests.benchmarks.pass_on import GLANCE_BY_TURN, PASS_ON
from tests.functional.glance.service import GATE

PLAN = Plan(
    kinds=("post", "get", "patch", "patch_read"), turns=60, least=8, most=40
)
UPLOADS, UPLOAD_MIB, SMALL_MIB = 8, 1024, 64

CHANGE = json.dumps(
    [{"op": "add", "path": "/hw_disk_bus", "value": "virtio"}]
).encode()
# Removed and put back, so that there is something to remove.
REMOVAL = json.dumps([{"op": "remove", "path": "/hw_vif_model"}]).encode()
RETURN = json.dumps(
    [{"op": "add", "path": "/hw_vif_model", "value": "virtio"}]
).encode()


class Side:
    """A server, with an image to show and to update."""

    def __init__(self, server: Glance) -> None:
        self.server = server
        self.image = server.create()[1]

    def post(self) -> Took:
        """Create an image."""
        return self.server.create()[0]

    def get(self) -> Took:
        """Show an image."""
        return self.server.show(self.image)

    def patch(self) -> Took:
        """Update a property."""
        return self.server.update(self.image, CHANGE)

    def patch_read(self) -> Took:
        """Remove a property, of which the whole image has to be judged."""
        took = self.server.update(self.image, REMOVAL)
        self.server.update(self.image, RETURN)
        return took


@contextmanager
def running(directory: Path) -> Iterator[Sides]:
    """Run a new server in a directory, until the block ends."""
    place = directory / "api", GLANCE_BY_TURN
    with client.serve(glance_client.SERVER, place) as (server,):
        yield Sides(
            *(
                Side(Glance(*server, gated=gated))
                for gated in (True, False, False)
            )
        )


def uploads(gate: Glance, plain: Glance) -> common.Figures:
    """Return the figures of the upload: time, and the servers' memory."""
    for server in (gate, plain):
        server.upload(SMALL_MIB)
    small = gate.peak_mib(), plain.peak_mib()
    pairs = []
    for number in range(UPLOADS):
        common.progress(f"upload {number + 1} of {UPLOADS} ...")
        order = [(0, gate), (1, plain)][:: 1 - number % 2 * 2]
        took = {index: each.upload(UPLOAD_MIB) for index, each in order}
        pairs.append((took[0], took[1]))
    large = gate.peak_mib(), plain.peak_mib()
    return {
        **common.median_ratio(pairs).figures("upload_ratio"),
        "upload_gate_us": common.median_us(pair[0] for pair in pairs),
        "upload_plain_us": common.median_us(pair[1] for pair in pairs),
        "upload_pairs": len(pairs),
        "upload_size_mib": UPLOAD_MIB,
        "upload_peak_mib": large[0],
        "upload_plain_peak_mib": large[1],
        "upload_growth_mib": round(large[0] - small[0], 1),
        "upload_plain_growth_mib": round(large[1] - small[1], 1),
    }


def measure() -> common.Figures:
    """Run the servers and measure everything."""
    CACHE.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=CACHE, prefix="glance-"))
    try:
        figures = play(PLAN, running, directory)
        place = directory / "uploads"
        with glance_client.serve(
            (place / "gate", GATE), (place / "plain", PASS_ON)
        ) as servers:
            return figures | uploads(*servers)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def bars(figures: common.Figures) -> list[str]:
    """Name the bars that are missed."""
    # A change of a property is judged with the image as it was, which Glance's
    # own repository reads: 1.5 of the 2.3 ms that a PATCH costs. An upload
    # writes an event to the log, a third of its 0.45 ms. The bars are what was
    # measured on a quiet machine, and the width of the control's interval.
    return common.shortfalls(
        common.ratio_bar(figures, "post_ratio", at_most=1.04, width=0.02),
        common.ratio_bar(figures, "get_ratio", at_most=1.01, width=0.02),
        common.ratio_bar(figures, "patch_ratio", at_most=1.18, width=0.02),
        common.ratio_bar(
            figures, "patch_read_ratio", at_most=1.29, width=0.02
        ),
        common.ratio_bar(figures, "upload_ratio", at_most=1.02, width=0.1),
        common.at_most(figures, "upload_growth_mib", 16),
    )


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, bars))

# SPDX-License-Identifier: Apache-2.0
"""Cost of the gate of the Glance API: time, and memory of an upload.

The method is that of ``pairs``, in one process; an upload has a process with
the gate and one without, whose memory is compared.  PATCH is measured twice:
with a new value and with the removal of one; the image is read for both.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import client, common, glance_client
from tests.benchmarks.forked import GLANCE_BY_TURN, PASS_ON
from tests.benchmarks.glance_client import Glance
from tests.benchmarks.pairs import Plan, Sides, play
from tests.functional.glance.service import GATE

PLAN = Plan(
    kinds=("post", "get", "patch", "patch_read"), turns=60, least=8, most=40
)
UPLOADS, UPLOAD_MIB, SMALL_MIB = 8, 1024, 64


@contextmanager
def running(directory: Path) -> Iterator[Sides]:
    """Run a new server in a directory, until the block ends."""
    place = directory / "api", GLANCE_BY_TURN
    with client.serve(glance_client.SERVER, place) as (server,):
        sides = [Glance(*server, gated=each) for each in (True, False, False)]
        for side in sides:
            side.create()
        yield Sides(*sides)


def upload(server: Glance, size: int = UPLOAD_MIB) -> float:
    """Fill an image and remove it; return what the former takes.

    :returns: seconds of the server's processor; the disk is not measured
    """
    image = server.create()
    begun = client.processor_time(server.pid)
    server.fill(size)
    taken = client.processor_time(server.pid) - begun
    server.ask("DELETE", image, expect=204)
    return taken


def uploads(gate: Glance, plain: Glance) -> common.Figures:
    """Return the figures of the upload: time, and the servers' memory."""
    for server in (gate, plain):
        upload(server, SMALL_MIB)
    small = client.peak_mib(gate.pid), client.peak_mib(plain.pid)
    common.progress(f"{UPLOADS} uploads ...")
    took = common.in_turns(
        {"gate": lambda: upload(gate), "plain": lambda: upload(plain)},
        UPLOADS,
        warm_up=0,
    )
    large = client.peak_mib(gate.pid), client.peak_mib(plain.pid)
    pairs = zip(took["gate"], took["plain"], strict=True)
    return {
        **common.median_ratio(pairs).figures("upload_ratio"),
        "upload_gate_us": common.median_us(took["gate"]),
        "upload_plain_us": common.median_us(took["plain"]),
        "upload_growth_mib": round(large[0] - small[0], 1),
        "upload_plain_growth_mib": round(large[1] - small[1], 1),
    }


def measure() -> common.Figures:
    """Run the servers and measure everything."""
    figures = play("glance", PLAN, running)
    with (
        client.folder("glance") as place,
        glance_client.serve(
            (place / "gate", GATE), (place / "plain", PASS_ON)
        ) as servers,
    ):
        return figures | uploads(*servers)


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

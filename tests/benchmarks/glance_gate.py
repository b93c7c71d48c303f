# SPDX-License-Identifier: Apache-2.0
"""Cost of the gate of the Glance API: time, and memory of an upload.

The method is that of ``pairs``, in one process; an upload has a process with
the gate and one without, whose memory is compared.  PATCH is measured twice:
with a new value and with the removal of one; the image is read for both.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks import client, common, glance_client
from tests.benchmarks.forked import GLANCE_BY_TURN, PASS_ON
from tests.benchmarks.glance_client import Glance
from tests.benchmarks.pairs import Plan, play
from tests.functional.glance.service import GATE

PLAN = Plan(turns=60, least=8, most=40)
# A GET is the shortest, and needs more turns for an interval as narrow.
KINDS = ("get", "post", "get", "patch", "get", "patch_read")
UPLOADS, UPLOAD_MIB, SMALL_MIB = 8, 1024, 64
# A change of a property is judged with the image before the change, which
# Glance's own repository reads. This is as much work as a GET of the image,
# and most of the added cost, so the added cost is compared with that of a GET:
# a slower machine or database changes both.
BARS = {
    "get_ratio": {"at_most": 1.01, "width": 0.02},
    "post_added_to_get_ratio": {"at_most": 0.25},
    "patch_added_to_get_ratio": {"at_most": 1},
    "patch_read_added_to_get_ratio": {"at_most": 1},
    "upload_ratio": {"at_most": 1.02, "width": 0.1},
    "upload_growth_mib": {"at_most": 16},
}


@contextmanager
def running(directory: Path) -> Iterator[list[Glance]]:
    """Run a new server in a directory, until the block ends."""
    with glance_client.serve((directory / "api", GLANCE_BY_TURN)) as (it,):
        sides = [
            Glance(it.pid, it.port, gated=gated)
            for gated in (True, False, False)
        ]
        for side in sides:
            side.create()
        yield sides


def upload(server: Glance, size: int = UPLOAD_MIB) -> float:
    """Upload an image, and return the cost before deleting the image.

    :returns: processor time of the server in seconds, without disk time
    """
    image = server.create()
    begun = client.processor_time(server.pid)
    server.fill(size)
    taken = client.processor_time(server.pid) - begun
    server.ask("DELETE", image, expect=204)
    return taken


def measure() -> common.Figures:
    """Run the servers and measure everything."""
    figures = play("glance", PLAN, KINDS, running)
    for kind in ("post", "patch", "patch_read"):
        added = figures[f"{kind}_added_us"] / figures["get_plain_us"]
        figures[f"{kind}_added_to_get_ratio"] = round(added, 4)
    with (
        client.folder("glance") as place,
        glance_client.serve(
            (place / "gate", GATE), (place / "plain", PASS_ON)
        ) as servers,
    ):
        for server in servers:
            upload(server, SMALL_MIB)
        small = [client.peak_mib(server.pid) for server in servers]
        common.progress(f"{UPLOADS} uploads ...")
        gate, plain = (partial(upload, server) for server in servers)
        took = common.in_turns(
            {"gate": gate, "plain": plain}, UPLOADS, warm_up=0
        )
        large = [client.peak_mib(server.pid) for server in servers]
    return {
        **figures,
        **common.ratio(took, "gate", "plain", "upload_ratio"),
        "upload_gate_us": common.median_us(took["gate"]),
        "upload_plain_us": common.median_us(took["plain"]),
        "upload_growth_mib": round(large[0] - small[0], 1),
        "upload_plain_growth_mib": round(large[1] - small[1], 1),
    }

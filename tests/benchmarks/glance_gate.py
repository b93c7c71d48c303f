# SPDX-License-Identifier: Apache-2.0
"""What the gate adds to the Glance API: time, and memory of an upload.

Two servers run the same Glance over HTTP on loopback, one with the gate, one
with a filter in its place that only calls on.  Their requests are sent in
pairs, now the one first and now the other, and every pair counts.  Three
things would otherwise be taken for a cost of the gate:

- A server that answered last is warm.  Before each pair the server that comes
  second in it gets the same request, which is not timed: so both are cold.
- Two processes differ by a percent from birth.  The servers are forked from
  one process, and anew for every round.
- Other load on the machine.  Rounds go on until the intervals are narrow, or
  there are MOST of them.

A ratio is gate/plain.  PATCH has another bar: the gate has to read the stored
image, so that ``patch_ratio`` is a PATCH with the gate over a PATCH and a
GET without it.
"""

import itertools
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import common
from tests.benchmarks.glance_client import CACHE, Glance, serve
from tests.benchmarks.glance_pass_on import PASS_ON
from tests.functional.glance.service import GATE

LEAST, MOST = 10, 40  # rounds
PAIRS = 80  # of each kind, a round
NARROW = 0.014  # below what the bars ask for: the next run differs a little
WARM_UP = 15
UPLOADS, UPLOAD_MIB, SMALL_MIB = 20, 1024, 64
KINDS = ("post", "get", "patch")

IMAGE = {
    "name": "benchmark",
    "disk_format": "raw",
    "container_format": "bare",
    "min_ram": 512,
    "tags": ["base"],
    "os_distro": "debian",
    "os_version": "13",
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_video_model": "virtio",
    "hw_machine_type": "q35",
    "hw_firmware_type": "uefi",
    "hw_qemu_guest_agent": "yes",
}
BODY = json.dumps(IMAGE).encode()
CHANGE = json.dumps(
    [{"op": "add", "path": "/hw_disk_bus", "value": "virtio"}]
).encode()

Timing = Callable[[Glance], float]
Pair = tuple[float, float]
Pairs = dict[str, list[Pair]]


class Servers:
    """The two servers, each with an image to show and to update."""

    def __init__(self, gate: Glance, plain: Glance) -> None:
        self.gate, self.plain = gate, plain
        self.image = {
            id(server): server.create(BODY)[1] for server in (gate, plain)
        }
        self._turn = itertools.cycle((False, True))

    def post(self, server: Glance) -> float:
        """Time the creation of an image."""
        return server.create(BODY)[0]

    def get(self, server: Glance) -> float:
        """Time the showing of an image."""
        return server.show(self.image[id(server)])

    def patch(self, server: Glance) -> float:
        """Time the update of a property that the gate judges."""
        return server.update(self.image[id(server)], CHANGE)

    def upload(self, server: Glance) -> float:
        """Time the upload of 1 GiB."""
        return server.upload(BODY, UPLOAD_MIB)

    def pair(self, timing: Timing, before: Timing | None = None) -> Pair:
        """Return (gate, plain) of one request each, first by turns.

        ``before`` is sent, untimed, to the one that comes second.
        """
        gate_first = next(self._turn)
        order = [self.plain, self.gate]
        if gate_first:
            order.reverse()
        if before:
            before(order[1])
        first, second = timing(order[0]), timing(order[1])
        return (first, second) if gate_first else (second, first)


@contextmanager
def running(directory: Path) -> Iterator[Servers]:
    """Run two new servers in a directory, until the block ends."""
    try:
        with serve(
            (directory / "gate", GATE), (directory / "plain", PASS_ON)
        ) as (gate, plain):
            yield Servers(gate, plain)
    finally:
        shutil.rmtree(directory)


def play_round(servers: Servers, pairs: Pairs) -> None:
    """Add one round's pairs of each kind."""
    timings = {kind: getattr(servers, kind) for kind in KINDS}
    for _ in range(WARM_UP):
        for timing in timings.values():
            servers.pair(timing)
    for _ in range(PAIRS):
        for kind, timing in timings.items():
            pairs[kind].append(servers.pair(timing, before=timing))


def ratio(pairs: Pairs, kind: str) -> common.Interval:
    """Return the median ratio of a kind of request; see the module."""
    if kind != "patch":
        return common.median_ratio(pairs[kind])
    return common.median_ratio(
        (gate, plain + get)
        for (gate, plain), (_, get) in zip(
            pairs["patch"], pairs["get"], strict=True
        )
    )


def widest(pairs: Pairs) -> float:
    """Return the width of the widest interval."""
    return max(ratio(pairs, kind).width for kind in KINDS)


def small_requests(directory: Path) -> common.Figures:
    """Return the figures of POST, GET and PATCH."""
    pairs: Pairs = {kind: [] for kind in KINDS}
    for number in range(1, MOST + 1):
        common.progress(f"requests, round {number} of {LEAST} to {MOST} ...")
        with running(directory / f"round-{number}") as servers:
            play_round(servers, pairs)
        if number >= LEAST and widest(pairs) <= NARROW:
            break
    figures: common.Figures = {"rounds": number}
    for kind in KINDS:
        figures |= {
            **ratio(pairs, kind).figures(f"{kind}_ratio"),
            f"{kind}_gate_us": common.median_us(p[0] for p in pairs[kind]),
            f"{kind}_plain_us": common.median_us(p[1] for p in pairs[kind]),
            f"{kind}_added_us": round(
                statistics.median(p[0] - p[1] for p in pairs[kind]) * 1e6, 2
            ),
            f"{kind}_pairs": len(pairs[kind]),
        }
    return figures


def uploads(servers: Servers) -> common.Figures:
    """Return the figures of the upload: time, and the servers' memory."""
    for server in (servers.gate, servers.plain):
        server.upload(BODY, SMALL_MIB)
    small = servers.gate.peak_mib(), servers.plain.peak_mib()
    pairs = []
    for number in range(UPLOADS):
        common.progress(f"upload {number + 1} of {UPLOADS} ...")
        pairs.append(servers.pair(servers.upload))
    large = servers.gate.peak_mib(), servers.plain.peak_mib()
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
        figures = small_requests(directory)
        with running(directory / "uploads") as servers:
            return figures | uploads(servers)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def bars(figures: common.Figures) -> list[str]:
    """Name the bars that are missed."""
    return common.shortfalls(
        common.ratio_bar(figures, "post_ratio", at_most=1.03, width=0.02),
        common.ratio_bar(figures, "get_ratio", at_most=1.02, width=0.02),
        common.ratio_bar(figures, "patch_ratio", at_most=1.0, width=0.02),
        common.ratio_bar(figures, "upload_ratio", at_most=1.02, width=0.1),
        common.at_most(figures, "upload_growth_mib", 16),
    )


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, bars))

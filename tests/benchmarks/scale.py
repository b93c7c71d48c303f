# SPDX-License-Identifier: Apache-2.0
"""Growth of the cost of a posture's refresh and of an audit with a cloud.

Placement is that of ``placement``: 10,000 compute nodes, one worker of one
thread, MariaDB where that is installed.  A refresh is what one worker of
nova-scheduler asks for in each ``posture_ttl``; its bytes are those of
requests and answers, with their headers.  250 refreshes, one for each of 250
such workers, are sent from one process, as fast as Placement answers.  All
times are of the processor: ``worker_per_second`` is how many of them a worker
of Placement answers that does nothing else.  ``due_per_second`` is the load of
the 250, and a ``…_share_ratio`` is what part of the time of a worker, or of a
core of the database, that takes.

The audits are those of ``audit`` and ``server-audit``, one for each number of
images and servers, in a process of its own.  ``_us`` is its processor time
with that of the services, ``_client_us`` without; ``_peak_mib`` is the most
memory that the client has held.  A ``…_growth_ratio`` is the time for one
thing where there are the most of them over that where there are the fewest: 1
is linear.  Servers are audited up to 30,000, or up to the number in
NOVA_VHARD_SCALE.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from nova_vhard.placement.client import Placement
from nova_vhard.placement.connect import connect
from nova_vhard.placement.posture import Clock, Posture
from tests.benchmarks import (
    audits,
    common,
    image_audit,
    placement_load,
    placement_server,
    server_audit,
)

SIZES = (10_000, 30_000, 100_000)
SERVERS = int(os.environ.get("NOVA_VHARD_SCALE", "30000"))
#: Workers of nova-scheduler, and how many of them ask at a time.
WORKERS, AT_ONCE = 250, 4


class Meter:
    """A client of Placement that keeps how many bytes its requests were.

    :ivar sent: bytes of each request
    :ivar received: bytes of each answer
    """

    def __init__(self, asked: Any) -> None:
        self._asked = asked
        self.sent: list[int] = []
        self.received: list[int] = []

    def get(self, url: str, version: str) -> Any:
        """Send a GET."""
        answer = self._asked.get(url, version)
        self.sent.append(_bytes(f"GET {url}", answer.request.headers))
        self.received.append(_bytes(answer.text, answer.headers))
        return answer


def _bytes(text: str, headers: Mapping[str, str]) -> int:
    return len(text) + sum(len(f"{k}: {headers[k]}\r\n") for k in headers)


def replay(worker: placement_load.Worker, folder: Path) -> common.Figures:
    """Return what one refresh sends, and what many of them cost."""
    ttl = placement_load.default_ttl()
    conf = placement_load.configured(folder, worker.port)
    meter = Meter(connect(conf)._client)
    clock = Clock(now=lambda: placement_server.REPORTED)

    def refresh(_: int) -> int:
        posture = Posture(lambda: Placement(meter), ttl, 10 * ttl, clock)
        return len(posture.hosts(placement_load.QUESTION))

    def all_of_them() -> set[int]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return set(pool.map(refresh, range(WORKERS)))

    common.progress(f"{WORKERS} refreshes ...")
    own = time.process_time()
    spent, of_database, found = worker.taken(all_of_them)
    own = time.process_time() - own
    assert found == {placement_load.REPORTERS}
    return {
        "providers": placement_load.REPORTERS,
        "refresh_requests": round(len(meter.sent) / WORKERS, 2),
        "refresh_sent_bytes": round(sum(meter.sent) / WORKERS),
        "refresh_received_bytes": round(sum(meter.received) / WORKERS),
        "refresh_scheduler_us": round(own / WORKERS * 1e6),
        "worker_per_second": round(WORKERS / spent, 2),
        "due_per_second": round(WORKERS / ttl, 2),
        "due_received_bytes_per_second": round(sum(meter.received) / ttl),
        "due_worker_share_ratio": round(spent / ttl, 4),
        "due_database_share_ratio": round(of_database / ttl, 4),
    }


def grown(
    name: str,
    sizes: Sequence[int],
    fill: Callable[[int, int], None],
    audit: Callable[[], audits.Took],
) -> common.Figures:
    """Return what an audit takes of more and more things.

    :param fill: adds the things from the first number to the last
    """
    figures, each, before = {}, [], 0
    for size in sizes:
        common.progress(f"{size} {name} ...")
        fill(before, size)
        took, before = audit(), size
        assert took["count"] > size / image_audit.THIRD
        figures |= {
            f"{name}_{size}_us": round(took["processor"] * 1e6),
            f"{name}_{size}_client_us": round(took["client"] * 1e6),
            f"{name}_{size}_peak_mib": round(took["peak"], 1),
        }
        each.append({kind: took[kind] / size for kind in took})
    return figures | {
        f"{name}{part}_growth_ratio": round(each[-1][kind] / each[0][kind], 4)
        for part, kind in (("", "processor"), ("_client", "client"))
    }


def measure() -> common.Figures:
    """Run the services, one after the other, and measure everything."""
    with placement_load.running() as (kind, worker, directory):
        figures = {"database": kind, **replay(worker, directory)}
    audit = partial(audits.run, image_audit.__name__)
    with image_audit.glance() as (pid, address, database):
        figures |= grown(
            "images",
            SIZES,
            partial(image_audit.fill, database),
            partial(audit, (pid,), (address,), audits.AUDIT),
        )
    audit = partial(audits.run, server_audit.__name__)
    with server_audit.cloud() as (home, addresses, pids):
        return figures | grown(
            "servers",
            [size for size in SIZES if size <= SERVERS],
            partial(server_audit.fill, home),
            partial(audit, pids, addresses, audits.AUDIT),
        )


def bars(figures: common.Figures) -> list[str]:
    """Return what falls short."""
    return common.shortfalls(
        common.at_most(figures, "refresh_requests", 2),
        common.at_most(figures, "images_client_growth_ratio", 1.2),
        common.at_most(figures, "servers_client_growth_ratio", 1.2),
    )


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, bars))

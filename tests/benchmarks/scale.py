# SPDX-License-Identifier: Apache-2.0
"""Growth of the cost of a posture's refresh and of an audit with a cloud.

Placement is that of ``placement``: 10,000 compute nodes, one worker of one
thread, MariaDB.  A refresh is what one worker of
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
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

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
BARS = {
    "refresh_requests": {"at_most": 2},
    "*_client_growth_ratio": {"at_most": 1.2},
}


def replay() -> common.Figures:
    """Return what one refresh sends, and what many of them cost."""
    ttl = placement_load.TTL
    clock = Clock(now=lambda: placement_server.REPORTED)
    with placement_load.running() as worker:
        placement, requests = placement_load.metered(worker.conf())

        def refresh(_: int) -> int:
            posture = Posture(lambda: placement, ttl, 10 * ttl, clock)
            return len(posture.hosts(placement_load.QUESTION))

        common.progress(f"{WORKERS} refreshes ...")
        own, before = time.process_time(), worker.spent()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = set(pool.map(refresh, range(WORKERS)))
        own = time.process_time() - own
        spent, of_database = worker.spent(before)
    assert found == {placement_load.REPORTERS}
    _, sent, received = zip(*requests, strict=True)
    return {
        "providers": placement_load.REPORTERS,
        "refresh_requests": round(len(requests) / WORKERS, 2),
        "refresh_sent_bytes": round(sum(sent) / WORKERS),
        "refresh_received_bytes": round(sum(received) / WORKERS),
        "refresh_scheduler_us": round(own / WORKERS * 1e6),
        "worker_per_second": round(WORKERS / spent, 2),
        "due_per_second": round(WORKERS / ttl, 2),
        "due_received_bytes_per_second": round(sum(received) / ttl),
        "due_worker_share_ratio": round(spent / ttl, 4),
        "due_database_share_ratio": round(of_database / ttl, 4),
    }


def grown(module: Any, name: str, sizes: Sequence[int]) -> common.Figures:
    """Return what an audit takes of more and more things.

    :param module: of the benchmark of that audit; see ``audits``
    """
    figures, each, before = {}, [], 0
    with module.cloud() as (fill, services):
        for size in sizes:
            common.progress(f"{size} {name} ...")
            fill(before, size)
            took, before = audits.run(module.__name__, services, "audit"), size
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
    servers = [size for size in SIZES if size <= SERVERS]
    return {
        **replay(),
        **grown(image_audit, "images", SIZES),
        **grown(server_audit, "servers", servers),
    }

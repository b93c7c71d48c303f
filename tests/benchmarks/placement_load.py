# SPDX-License-Identifier: Apache-2.0
"""Placement under 10,000 simulated reporters, and a scheduler's refresh.

A real Placement, one worker of one thread, with the compute nodes and traits
of a large cloud on MariaDB where that is installed, else on SQLite
(``database``).  ``reporter_fleet`` has the reporters: the real publisher and
client, at the default interval and jitter.  Two pieces are played in real
time: one in which nothing changes, and one in the next hour, in which hosts
write its mark, each at a second of its own.

``…_share_ratio`` is what part of one worker's time that takes: its processor
time a report, times the reports that are due in a second.  A refresh is what
one scheduler worker asks in each ``posture_ttl``, and comes on top.  There is
no TLS and no Keystone: every service's tokens cost the same.
"""

import collections
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloud import infrastructure
from cloud.daemons import Daemons
from cloud.place import Place
from nova_vhard.conf import vhard as vhard_conf
from nova_vhard.placement.connect import connect
from nova_vhard.placement.posture import (
    Clock,
    Posture,
    Question,
)
from tests.benchmarks import client, common, placement_server, reporter_fleet

REPORTERS = 10_000
#: Real seconds of each of the two pieces.
SECONDS = 30
REFRESHES = 15
#: Into the next hour, when some hosts have written its mark and some have not.
NEXT_HOUR = timedelta(minutes=22)
SERVER = "tests.benchmarks.placement_server"
SEED = 20260901
QUESTION = Question(frozenset(("iommu", "interrupt_remapping")), 2)

Database = tuple[str, str, int | None]  # kind, address, process


def processor(pid: int) -> float:
    """Return the seconds of the processor that a process has taken."""
    text = Path(f"/proc/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def database(directory: Path) -> Iterator[Database]:
    """Run MariaDB until the block ends, where it can be."""
    if not find_spec("pymysql") or "mariadb-server" in (
        infrastructure.missing()
    ):
        path = directory / "api" / "placement.sqlite"
        yield "SQLite", f"sqlite:///{path}?timeout=60", None
        return
    place = Place(directory / "mariadb")
    place.take()
    password, (port,) = (
        secrets.token_hex(8),
        infrastructure.choose_ports(["it"]).values(),
    )
    infrastructure.prepare_database(place, password)
    daemons = Daemons(place)
    daemons.start(infrastructure.database(place, port))
    try:
        deadline = time.monotonic() + 120
        while not infrastructure.listens(port):
            if time.monotonic() > deadline or not daemons.alive("mariadb"):
                raise RuntimeError("MariaDB did not start")
            time.sleep(0.1)
        address = infrastructure.connection(port, password, "placement")
        yield "MariaDB", address, daemons.id("mariadb")
    finally:
        daemons.stop("mariadb")


def make(directory: Path, address: str) -> None:
    """Make the database of the compute nodes."""
    common.progress(f"{REPORTERS} compute nodes ...")
    command = [sys.executable, "-W", "ignore", "-m", SERVER]
    command += [str(directory), address, str(REPORTERS)]
    subprocess.run(command, cwd=client.ROOT, check=True)


class Worker:
    """The Placement that is measured.

    :ivar database: the process of its database; None where it has none
    """

    def __init__(self, pid: int, port: int, database: int | None) -> None:
        self.pid, self.port, self.database = pid, port, database

    def taken(self, call: Callable[[], Any]) -> tuple[float, float, Any]:
        """Return what processor time a call costs, and what it returns.

        :returns: seconds of Placement, of its database, and the result
        """
        pids = [self.pid, *([self.database] if self.database else [])]
        before = [processor(pid) for pid in pids]
        result = call()
        spent = [
            processor(pid) - was for pid, was in zip(pids, before, strict=True)
        ]
        return spent[0], sum(spent[1:]), result


@contextlib.contextmanager
def running() -> Iterator[tuple[str, Worker, Path]]:
    """Run Placement; return the kind of its database, and a folder."""
    client.CACHE.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=client.CACHE, prefix="placement-"))
    try:
        with database(directory) as (kind, address, process):
            make(directory / "api", address)
            with client.serve(SERVER, (directory / "api", address)) as result:
                yield kind, Worker(*result[0], process), directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def piece(
    name: str, worker: Worker, folder: Path, later: timedelta, seed: int
) -> common.Figures:
    """Play a piece of an hour; return its figures.

    :param later: how long after the compute nodes reported first
    """
    interval = reporter_fleet.default_interval()
    common.progress(f"{SECONDS} s of {REPORTERS} reporters, {name} ...")
    moments = list(reporter_fleet.due(REPORTERS, interval, SECONDS, seed))
    moment = placement_server.REPORTED + later
    load = reporter_fleet.Load(folder, worker.port, moments, moment)
    load.prepare()
    spent, of_database, seen = worker.taken(load.play)
    rate = REPORTERS / interval
    share = {
        f"{name}_worker_share_ratio": spent / len(moments) * rate,
        f"{name}_database_share_ratio": of_database / len(moments) * rate,
    }
    kinds = collections.Counter(seen.requests)
    per_second = {
        f"{name}_{kind}_per_second": kinds[kind] / len(moments) * rate
        for kind in (*reporter_fleet.KINDS, "other")
    }
    return {
        f"{name}_reports": len(moments),
        f"{name}_failed_reports": len(seen.failed),
        f"{name}_report_p50_us": round(
            common.percentile(seen.seconds, 50) * 1e6
        ),
        f"{name}_report_p99_us": round(
            common.percentile(seen.seconds, 99) * 1e6
        ),
        **{key: round(value, 4) for key, value in share.items()},
        **{key: round(value, 2) for key, value in per_second.items()},
    }


def refreshes(worker: Worker, folder: Path) -> common.Figures:
    """Return what a scheduler worker's refresh costs everybody."""
    common.progress(f"{REFRESHES} refreshes of a scheduler ...")
    ttl = default_ttl()
    placement = connect(reporter_fleet.configured(folder, worker.port))
    clock = Clock(now=lambda: placement_server.REPORTED)
    samples, own = [], []
    spent = of_database = 0.0
    for number in range(REFRESHES + 1):
        posture = Posture(lambda: placement, ttl, 10 * ttl, clock)
        start, begun = time.perf_counter(), time.process_time()
        costs = worker.taken(lambda each=posture: each.hosts(QUESTION))
        if number == 0:  # connects
            continue
        assert len(costs[2]) == REPORTERS
        samples.append(time.perf_counter() - start)
        own.append(time.process_time() - begun)
        spent, of_database = spent + costs[0], of_database + costs[1]
    return {
        "refresh_us": common.median_us(samples),
        "refresh_scheduler_processor_us": common.median_us(own),
        "refresh_placement_processor_us": round(spent / REFRESHES * 1e6),
        "refresh_database_processor_us": round(of_database / REFRESHES * 1e6),
        "refresh_every_s": ttl,
        "refresh_worker_share_ratio": round(spent / REFRESHES / ttl, 4),
    }


def default_ttl() -> float:
    (option,) = (
        each for each in vhard_conf.OPTS if each.name == "posture_ttl"
    )
    return float(option.default)


def measure() -> common.Figures:
    """Run Placement and measure everything."""
    with running() as (kind, worker, directory):
        return {
            "database": kind,
            "reporters": REPORTERS,
            **refreshes(worker, directory),
            **piece("steady", worker, directory, timedelta(0), SEED),
            **piece("new_hour", worker, directory, NEXT_HOUR, SEED),
        }


def bars(figures: common.Figures) -> list[str]:
    """Return what falls short."""
    return common.shortfalls(
        common.at_most(figures, "steady_failed_reports", 0),
        common.at_most(figures, "new_hour_failed_reports", 0),
        common.at_most(figures, "steady_put_traits_per_second", 0),
        common.at_most(figures, "steady_put_name_per_second", 0),
        common.at_most(figures, "steady_worker_share_ratio", 0.3),
        common.at_most(figures, "new_hour_worker_share_ratio", 0.35),
        common.at_most(figures, "refresh_worker_share_ratio", 0.1),
    )


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, bars))

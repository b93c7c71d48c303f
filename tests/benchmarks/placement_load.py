# SPDX-License-Identifier: Apache-2.0
"""Placement under 10,000 simulated reporters, and a scheduler's refresh.

A real Placement, one worker of one thread, with the compute nodes and traits
of a large cloud on MariaDB where that is installed, else on SQLite
(``database``).  The reporters are in this module: the real publisher and
client, at the default interval and jitter.  Two pieces are played in real
time: one in which nothing changes, and one in the next hour, in which hosts
write its mark, each at a second of its own.

``…_share_ratio`` is what part of one worker's time that takes: its processor
time a report, times the reports that are due in a second.  A refresh is what
one scheduler worker asks in each ``posture_ttl``, and comes on top.  There is
no TLS and no Keystone: every service's tokens cost the same.
"""

import contextlib
import datetime
import heapq
import random
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from oslo_config import cfg

from cloud import infrastructure
from cloud.daemons import Daemons
from cloud.place import Place
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.conf import vhard as vhard_conf
from nova_vhard.host.check import Result, Status
from nova_vhard.host.report import HostReport
from nova_vhard.placement import names
from nova_vhard.placement.client import Placement
from nova_vhard.placement.connect import connect
from nova_vhard.placement.posture import Clock, Posture, Question
from nova_vhard.reporter.publishers.base import PublishError
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.benchmarks import client, common, placement_server

REPORTERS = 10_000
#: Real seconds of each of the two pieces.
SECONDS = 30
REFRESHES = 15
#: Into the next hour, when some hosts have written its mark and some have not.
NEXT_HOUR = datetime.timedelta(minutes=22)
SERVER = "tests.benchmarks.placement_server"
SEED = 20260901
QUESTION = Question(frozenset(("iommu", "interrupt_remapping")), 2)

#: A fleet has run for this long before anybody looks: phases have mixed.
_MIXED = 3600.0
CLIENTS = 4
#: Requests that write, by the figure that counts them.
_WRITES = {
    "put_name": r"PUT /traits/",
    "put_traits": r"PUT /resource_providers/[^/]+/traits$",
}

Database = tuple[str, str, int | None]  # kind, address, process


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
        before = [client.processor_time(pid) for pid in pids]
        result = call()
        spent = [
            client.processor_time(pid) - was
            for pid, was in zip(pids, before, strict=True)
        ]
        return spent[0], sum(spent[1:]), result


@contextlib.contextmanager
def running() -> Iterator[tuple[str, Worker, Path]]:
    """Run Placement; return the kind of its database, and a folder."""
    with (
        client.folder("placement") as directory,
        database(directory) as (kind, address, process),
    ):
        common.progress(f"{REPORTERS} compute nodes ...")
        home = directory / "api"
        command = [sys.executable, "-W", "ignore", "-m", SERVER]
        command += [str(home), address, str(REPORTERS)]
        subprocess.run(command, cwd=client.ROOT, check=True)
        with client.serve(SERVER, (home, address)) as ((pid, port),):
            yield kind, Worker(pid, port, process), directory


def due(
    reporters: int, interval: float, seconds: float, seed: int
) -> Iterator[float]:
    """Yield when reports are due within so many seconds, in order.

    :param reporters: number of them, each begun at a random moment
    :param interval: seconds between two reports of one, jittered by a tenth
    :param seed: of what is random
    """
    chance = random.Random(seed)
    waiting = [chance.uniform(0, interval) for _ in range(reporters)]
    heapq.heapify(waiting)
    while waiting[0] < _MIXED + seconds:
        now = waiting[0]
        heapq.heapreplace(waiting, now + interval * chance.uniform(0.9, 1.1))
        if now >= _MIXED:
            yield now - _MIXED


def default_interval() -> float:
    """Return the reporter's default interval in seconds."""
    conf = cfg.ConfigOpts()
    reporter_conf.register(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    return float(conf.vhard_reporter.interval)


@dataclass
class Seen:
    """Requests and failures of some clients.

    :ivar requests: method and URL of each request
    :ivar failed: errors of failed reports
    """

    requests: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class _Counting:
    """A client that notes its requests."""

    def __init__(self, asked: Any, seen: Seen) -> None:
        self._asked, self._seen = asked, seen

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._asked, method)

        def counted(url: str, *rest: Any, **named: Any) -> Any:
            self._seen.requests.append(f"{method.upper()} {url}")
            return call(url, *rest, **named)

        return counted


def configured(folder: Path, port: int) -> cfg.ConfigOpts:
    """Return the configuration of a client of a Placement on loopback."""
    path = folder / f"client-{threading.get_ident()}.conf"
    path.write_text(
        "[placement]\nauth_type = admin_token\ntoken = admin\ntimeout = 60\n"
        f"endpoint = http://127.0.0.1:{port}\n"
    )
    conf = cfg.ConfigOpts()
    reporter_conf.register(conf)
    conf([], default_config_files=[str(path)])
    return conf


def report(moment: datetime.datetime) -> HostReport:
    """Return a report in which everything has passed."""
    return HostReport(
        moment,
        tuple(
            Result(name, Status.PASS, "it has")
            for name in placement_server.PASSED
        ),
    )


class Load:
    """Reports that are sent when they are due, each by another reporter.

    :param folder: of the clients' configurations
    :param port: of Placement
    :param moments: seconds from the start, in order
    :param moment: of the reports
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        moments: list[float],
        moment: datetime.datetime,
    ) -> None:
        self._folder, self._port = folder, port
        self._moment = moment
        self._due = list(enumerate(moments, 1))
        self._waiting = iter(self._due)
        self._lock = threading.Lock()
        self._seen = Seen()
        self._publishers: dict[int, PlacementPublisher] = {}

    def prepare(self) -> None:
        """Send each reporter's first report, and that of an interval before.

        The first is of when its mark was there already, for a reporter's
        first report writes the mark at once.  Afterwards it knows its
        provider, and has written the mark of the hour if it was to.
        """
        seen = Seen()
        conf = configured(self._folder, self._port)
        asked = Placement(_Counting(connect(conf)._client, seen))
        before = self._moment - datetime.timedelta(seconds=default_interval())
        for number, _ in self._due:
            own = configured(self._folder, self._port)
            name = placement_server.name_of(number)
            own.set_override("provider_name", name, "vhard_reporter")
            publisher = PlacementPublisher(own, asked)
            # It counts the names of days ahead once a day.
            publisher.record.days_ahead = names.DAYS
            publisher._looked = before
            publisher.publish(report(placement_server.REPORTED))
            publisher.publish(report(before))
            self._publishers[number] = publisher

    def play(self) -> Seen:
        """Send them all, by some threads of one client each."""
        threads = [threading.Thread(target=self._send) for _ in range(CLIENTS)]
        self._begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._seen

    def _send(self) -> None:
        conf = configured(self._folder, self._port)
        asked = Placement(_Counting(connect(conf)._client, self._seen))
        while True:
            with self._lock:
                due = next(self._waiting, None)
            if due is None:
                return
            number, moment = due
            wait = self._begun + moment - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            publisher = self._publishers[number]
            publisher._placement = asked
            try:
                publisher.publish(report(self._moment))
            except PublishError as error:
                self._seen.failed.append(str(error))


def piece(
    name: str,
    worker: Worker,
    folder: Path,
    later: datetime.timedelta,
    seed: int,
) -> common.Figures:
    """Play a piece of an hour; return its figures.

    :param later: how long after the compute nodes reported first
    """
    interval = default_interval()
    common.progress(f"{SECONDS} s of {REPORTERS} reporters, {name} ...")
    moments = list(due(REPORTERS, interval, SECONDS, seed))
    moment = placement_server.REPORTED + later
    load = Load(folder, worker.port, moments, moment)
    load.prepare()
    spent, of_database, seen = worker.taken(load.play)
    #: Of what all of them are in a second, for each report that was played.
    rate = REPORTERS / interval / len(moments)
    return {
        f"{name}_reports": len(moments),
        f"{name}_failed_reports": len(seen.failed),
        f"{name}_requests_per_report": round(
            len(seen.requests) / len(moments), 3
        ),
        f"{name}_worker_share_ratio": round(spent * rate, 4),
        f"{name}_database_share_ratio": round(of_database * rate, 4),
        **{
            f"{name}_{kind}_per_second": round(
                sum(bool(re.match(form, each)) for each in seen.requests)
                * rate,
                2,
            )
            for kind, form in _WRITES.items()
        },
    }


def refreshes(worker: Worker, folder: Path) -> common.Figures:
    """Return what a scheduler worker's refresh costs everybody."""
    common.progress(f"{REFRESHES} refreshes of a scheduler ...")
    ttl = default_ttl()
    placement = connect(configured(folder, worker.port))
    clock = Clock(now=lambda: placement_server.REPORTED)
    costs = []
    for _ in range(REFRESHES + 1):
        posture = Posture(lambda: placement, ttl, 10 * ttl, clock)
        begun = time.process_time()
        cost = worker.taken(lambda each=posture: each.hosts(QUESTION))
        costs.append((*cost, time.process_time() - begun))
        assert len(cost[2]) == REPORTERS
    # The first one connects.
    ours, of_database, _, own = zip(*costs[1:], strict=True)
    spent = sum(ours)
    return {
        "refresh_scheduler_processor_us": common.median_us(own),
        "refresh_placement_processor_us": round(spent / REFRESHES * 1e6),
        "refresh_database_processor_us": common.median_us(of_database),
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
            **piece("steady", worker, directory, datetime.timedelta(0), SEED),
            **piece("new_hour", worker, directory, NEXT_HOUR, SEED),
        }


def bars(figures: common.Figures) -> list[str]:
    """Return what falls short."""
    return common.shortfalls(
        common.at_most(figures, "steady_failed_reports", 0),
        common.at_most(figures, "new_hour_failed_reports", 0),
        common.at_most(figures, "steady_put_traits_per_second", 0),
        common.at_most(figures, "steady_put_name_per_second", 0),
        # Requests and not shares: what Placement takes for one is its own.
        common.at_most(figures, "steady_requests_per_report", 1),
        common.at_most(figures, "new_hour_requests_per_report", 1.3),
        common.at_most(figures, "refresh_worker_share_ratio", 0.1),
    )


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, bars))

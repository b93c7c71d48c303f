# SPDX-License-Identifier: Apache-2.0
"""Placement under 10,000 simulated reporters, and a scheduler's refresh.

A real Placement, one worker of one thread, with the compute nodes and traits
of a large cloud on MariaDB.  The reporters are in this module: the real
publisher and client, at the default interval and jitter.  Two pieces are
played in real time: one in which nothing changes, and one in the next hour, in
which hosts write its mark, each at a second of its own.

``…_share_ratio`` is what part of one worker's time that takes: its processor
time a report, times the reports that are due in a second.  A refresh is what
one scheduler worker asks in each ``posture_ttl``, and comes on top.  There is
no TLS and no Keystone: every service's tokens cost the same.
"""

import contextlib
import datetime
import heapq
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
#: Seconds for which a scheduler uses an answer.
TTL = next(
    float(each.default)
    for each in vhard_conf.OPTS
    if each.name == "posture_ttl"
)

#: A fleet has run for this long before anybody looks: phases have mixed.
_MIXED = 3600.0
CLIENTS = 4
BARS = {
    "steady_failed_reports": {"at_most": 0},
    "new_hour_failed_reports": {"at_most": 0},
    "steady_put_traits_per_second": {"at_most": 0},
    "steady_put_name_per_second": {"at_most": 0},
    # Requests and not shares: what Placement takes for one is its own.
    "steady_requests_per_report": {"at_most": 1},
    "new_hour_requests_per_report": {"at_most": 1.3},
    "refresh_worker_share_ratio": {"at_most": 0.1},
}


@dataclass
class Worker:
    """The Placement that is measured, and its database.

    :ivar folder: for clients' configurations
    """

    placement: client.Client
    database: int
    folder: Path

    def spent(self, since: Sequence[float] = (0, 0)) -> list[float]:
        """Return the processor time of Placement and of its database.

        :param since: times to subtract
        """
        now = map(client.processor_time, (self.placement.pid, self.database))
        return [after - was for after, was in zip(now, since, strict=True)]

    def conf(self) -> cfg.ConfigOpts:
        """Return the configuration of a client."""
        path = self.folder / "client.conf"
        path.write_text(
            "[placement]\nauth_type = admin_token\ntoken = admin\n"
            f"timeout = 60\nendpoint = {self.placement.url}\n"
        )
        conf = cfg.ConfigOpts()
        reporter_conf.register(conf)
        conf([], default_config_files=[str(path)])
        return conf


@contextlib.contextmanager
def running() -> Iterator[Worker]:
    """Run MariaDB and Placement until the block ends."""
    if "mariadb-server" in infrastructure.missing() or not find_spec(
        "pymysql"
    ):
        raise common.Unavailable("MariaDB or pymysql is not installed")
    with (
        client.folder("placement") as directory,
        contextlib.ExitStack() as end,
    ):
        place = Place(directory / "mariadb")
        place.take()
        password = secrets.token_hex(8)
        port = infrastructure.choose_ports(["it"])["it"]
        infrastructure.prepare_database(place, password)
        daemons = Daemons(place)
        end.callback(daemons.stop, "mariadb")
        daemons.start(infrastructure.database(place, port))
        while not infrastructure.listens(port):
            if not daemons.alive("mariadb"):
                raise RuntimeError("MariaDB did not start")
            time.sleep(0.1)
        common.progress(f"{REPORTERS} compute nodes ...")
        home = directory / "api"
        address = infrastructure.connection(port, password, "placement")
        command = [sys.executable, "-W", "ignore", "-m", SERVER]
        command += [str(home), address, str(REPORTERS)]
        subprocess.run(command, cwd=client.ROOT, check=True)
        with client.serve(SERVER, (home, address)) as (placement,):
            yield Worker(placement, daemons.id("mariadb"), directory)


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


def metered(conf: cfg.ConfigOpts) -> tuple[Placement, list[Any]]:
    """Return a client, and the list of its requests.

    Each has the method and URL, and the bytes of the request and the answer.
    """
    placement = connect(conf)
    adapter, requests = placement._client._adapter, []
    ask = adapter.request

    def counted(url: str, method: str, **more: Any) -> Any:
        answer = ask(url, method, **more)
        what = f"{method} {url}"
        sizes = (
            len(text) + sum(len(f"{k}: {v}\r\n") for k, v in headers.items())
            for text, headers in (
                (what, answer.request.headers),
                (answer.text, answer.headers),
            )
        )
        requests.append((what, *sizes))
        return answer

    adapter.request = counted
    return placement, requests


def report(moment: datetime.datetime) -> HostReport:
    """Return a report in which everything has passed."""
    passed = placement_server.PASSED
    results = (Result(name, Status.PASS, "it has") for name in passed)
    return HostReport(moment, tuple(results))


def prepared(
    worker: Worker, placement: Placement, number: int, before: Any
) -> PlacementPublisher:
    """Return a reporter that has sent its first reports.

    A reporter's first report writes the mark at once, so the time of the first
    one is that of a mark that exists.  The reporter then knows its provider,
    and has written the mark of the hour if it had to.

    :param before: time of the last of these reports
    """
    conf = worker.conf()
    name = placement_server.name_of(number)
    conf.set_override("provider_name", name, "vhard_reporter")
    publisher = PlacementPublisher(conf, placement)
    # It counts the names of days ahead once a day.
    publisher.record.days_ahead = names.DAYS
    publisher._looked = before
    publisher.publish(report(placement_server.REPORTED))
    publisher.publish(report(before))
    return publisher


def piece(
    name: str, worker: Worker, later: datetime.timedelta
) -> common.Figures:
    """Play a piece of an hour; return its figures.

    Reports are sent when they are due, each by another reporter.

    :param later: how long after the compute nodes reported first
    """
    conf = worker.conf()
    interval = float(conf.vhard_reporter.interval)
    common.progress(f"{SECONDS} s of {REPORTERS} reporters, {name} ...")
    moment = placement_server.REPORTED + later
    before = moment - datetime.timedelta(seconds=interval)
    placement, requests = metered(conf)
    waiting = [
        (prepared(worker, placement, number, before), each)
        for number, each in enumerate(
            due(REPORTERS, interval, SECONDS, SEED), 1
        )
    ]
    requests.clear()
    begun, was = time.monotonic(), worker.spent()

    def has_failed(reporter: tuple[PlacementPublisher, float]) -> bool:
        publisher, when = reporter
        time.sleep(max(0, begun + when - time.monotonic()))
        try:
            publisher.publish(report(moment))
        except PublishError:
            return True
        return False

    with ThreadPoolExecutor(CLIENTS) as pool:
        failed = sum(pool.map(has_failed, waiting))
    spent, of_database = worker.spent(was)
    asked = [what for what, *_ in requests]
    puts = [what for what in asked if what.startswith("PUT ")]
    named = sum(what.startswith("PUT /traits/") for what in puts)
    #: Of what all of them are in a second, for each report that was played.
    rate = REPORTERS / interval / len(waiting)
    return {
        f"{name}_reports": len(waiting),
        f"{name}_failed_reports": failed,
        f"{name}_requests_per_report": round(len(asked) / len(waiting), 3),
        f"{name}_worker_share_ratio": round(spent * rate, 4),
        f"{name}_database_share_ratio": round(of_database * rate, 4),
        f"{name}_put_name_per_second": round(named * rate, 2),
        f"{name}_put_traits_per_second": round((len(puts) - named) * rate, 2),
    }


def refreshes(worker: Worker) -> common.Figures:
    """Return what a scheduler worker's refresh costs everybody."""
    common.progress(f"{REFRESHES} refreshes of a scheduler ...")
    placement = connect(worker.conf())
    clock = Clock(now=lambda: placement_server.REPORTED)
    costs = []
    for _ in range(REFRESHES + 1):
        posture = Posture(lambda: placement, TTL, 10 * TTL, clock)
        begun, was = time.process_time(), worker.spent()
        assert len(posture.hosts(QUESTION)) == REPORTERS
        costs.append((time.process_time() - begun, *worker.spent(was)))
    # The first one connects.
    own, ours, of_database = zip(*costs[1:], strict=True)
    spent = sum(ours) / REFRESHES
    return {
        "refresh_scheduler_processor_us": common.median_us(own),
        "refresh_placement_processor_us": round(spent * 1e6),
        "refresh_database_processor_us": common.median_us(of_database),
        "refresh_every_s": TTL,
        "refresh_worker_share_ratio": round(spent / TTL, 4),
    }


def measure() -> common.Figures:
    """Run Placement and measure everything."""
    with running() as worker:
        return {
            "reporters": REPORTERS,
            **refreshes(worker),
            **piece("steady", worker, datetime.timedelta(0)),
            **piece("new_hour", worker, NEXT_HOUR),
        }

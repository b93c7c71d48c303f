# SPDX-License-Identifier: Apache-2.0
"""Many simulated reporters of one Placement: their clock, and their requests.

A reporter's reports are due as nova-vhard-reporter's are: one interval after
the last, jittered by a tenth.  Its publisher and its client are the real ones;
what it reports is that every check has passed, which was so before.
"""

import datetime
import heapq
import random
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oslo_config import cfg

from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.host.check import Result, Status
from nova_vhard.host.report import HostReport
from nova_vhard.placement import names
from nova_vhard.placement.client import Placement
from nova_vhard.placement.connect import connect
from nova_vhard.reporter.publishers.base import PublishError
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.benchmarks import placement_server

#: A fleet has run for this long before anybody looks: phases have mixed.
_MIXED = 3600.0
CLIENTS = 4

_KINDS = (
    ("get_provider", r"GET /resource_providers\?"),
    ("get_traits", r"GET /resource_providers/[^/]+/traits$"),
    ("put_name", r"PUT /traits/"),
    ("put_traits", r"PUT /resource_providers/[^/]+/traits$"),
)
#: Kinds of requests, in the order in which a report sends them.
KINDS = tuple(kind for kind, _ in _KINDS)


def kind_of(method: str, url: str) -> str:
    """Return the kind of a request, as it is named in the figures."""
    request = f"{method} {url}"
    return next(
        (kind for kind, form in _KINDS if re.match(form, request)), "other"
    )


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
    """Requests, reports and failures of some clients.

    :ivar requests: kind of each request
    :ivar seconds: duration of each report
    :ivar failed: errors of failed reports
    """

    requests: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class _Counting:
    """A client that notes the kinds of its requests."""

    def __init__(self, client: Any, seen: Seen) -> None:
        self._client, self._seen = client, seen

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._client, method)

        def counted(url: str, *rest: Any, **named: Any) -> Any:
            self._seen.requests.append(kind_of(method.upper(), url))
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
        moments: Iterable[float],
        moment: datetime.datetime,
    ) -> None:
        self._folder, self._port = folder, port
        self._moment = moment
        self._due = list(enumerate(moments, 1))
        self._waiting = iter(self._due)
        self._lock = threading.Lock()
        self._begun = 0.0
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
        client = Placement(_Counting(connect(conf)._client, seen))
        before = self._moment - datetime.timedelta(seconds=default_interval())
        for number, _ in self._due:
            own = configured(self._folder, self._port)
            name = placement_server.name_of(number)
            own.set_override("provider_name", name, "vhard_reporter")
            publisher = PlacementPublisher(own, client)
            # It counts the names of days ahead once a day.
            publisher.record.days_ahead = names.DAYS
            publisher._looked = before
            publisher.publish(report(placement_server.REPORTED))
            publisher.publish(report(before))
            self._publishers[number] = publisher

    def play(self) -> Seen:
        """Send them all, by some threads of one client each."""
        clients = [threading.Thread(target=self._send) for _ in range(CLIENTS)]
        self._begun = time.monotonic()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return self._seen

    def _next(self) -> tuple[int, float] | None:
        with self._lock:
            return next(self._waiting, None)

    def _send(self) -> None:
        conf = configured(self._folder, self._port)
        client = Placement(_Counting(connect(conf)._client, self._seen))
        while (due := self._next()) is not None:
            number, moment = due
            wait = self._begun + moment - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            publisher = self._publishers[number]
            publisher._placement = client
            self._report(publisher)

    def _report(self, publisher: PlacementPublisher) -> None:
        start = time.perf_counter()
        try:
            publisher.publish(report(self._moment))
        except PublishError as error:
            self._seen.failed.append(str(error))
        self._seen.seconds.append(time.perf_counter() - start)

# SPDX-License-Identifier: Apache-2.0
"""Boots a second on a cloud of real processes, with all gates and without.

Two clouds of ``tools/cloud`` stand side by side, with three computes each: one
with our gates in Glance's, Nova's API and nova-scheduler, under policy
baseline with a demand on every host, and with reporters; one as OpenStack is
without this project.  Only one of them boots at a time.

A boot takes from POST /servers until GET says ACTIVE, asked every 50 ms, by
clients that do nothing else.  One client boots by turns on the one and the
other cloud, now the one first and now the other.  Eight clients boot 16
servers on the one and then on the other.  ``…_ratio`` is boots a second with
the gates over boots a second without, of the pairs; pairs are added until its
interval is narrow or time is up.  Servers are deleted between, not timed.

Needs MariaDB and RabbitMQ.
"""

import concurrent.futures
import contextlib
import itertools
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloud import infrastructure, policies, setup_users, users
from cloud.cloud import Cloud
from common.clients import Client as User
from common.place import Place
from tests.benchmarks import client, common

LEAST = 0.95
WIDTH = 0.05
#: Of an interval that needs no more pairs.
NARROW = 0.04
POLICY = policies.BASELINE + "hosts: {require: [kernel_aslr], mode: enforce}\n"
# posture_ttl is 1 second in that cloud, so that a person need not wait.
POSTURE = {"posture_ttl": 60}

_POLL = 0.05
_LONG = 120
_VERSION = {"OpenStack-API-Version": "compute 2.90"}
_FLAVOR = "1"


@dataclass(frozen=True)
class Plan:
    """How often so many clients boot so many servers on each side.

    :ivar seconds: after which no pair is added, if there are ``least``
    """

    clients: int
    servers: int
    least: int
    most: int
    seconds: float


PLANS = (Plan(1, 1, 30, 120, 150), Plan(8, 16, 10, 40, 270))


class Desk(client.Client):
    """A client of a Nova API that does nothing but boot."""

    def __init__(self, port: int, token: str, image: str) -> None:
        super().__init__(0, port)
        self._headers = {**_VERSION, "X-Auth-Token": token}
        server = {
            "name": "benchmark",
            "imageRef": image,
            "flavorRef": _FLAVOR,
            "networks": "none",
        }
        self._wish = json.dumps({"server": server}).encode()

    def boot(self) -> tuple[float, str]:
        """Boot a server; return the seconds until it is there, and its id."""
        start = time.perf_counter()
        answer = self._ask("POST", "/v2.1/servers", self._wish, 202)
        server = answer["server"]["id"]
        path = f"/v2.1/servers/{server}"
        while (found := self._ask("GET", path)["server"])["status"] == "BUILD":
            if time.perf_counter() > start + _LONG:
                break
            time.sleep(_POLL)
        if found["status"] != "ACTIVE":
            raise RuntimeError(f"a server became {found}")
        return time.perf_counter() - start, server

    def delete(self, server: str) -> None:
        """Delete a server; its name may be there for a moment longer."""
        path = f"/v2.1/servers/{server}"
        self.timed("DELETE", path, expect=204, **self._headers)

    def left(self) -> int:
        """Return how many servers are there."""
        return len(self._ask("GET", "/v2.1/servers")["servers"])

    def _ask(
        self, method: str, path: str, body: Any = None, expect: int = 200
    ) -> Any:
        _, answer = self.timed(
            method, path, body, expect=expect, **self._headers
        )
        return json.loads(answer)


class Side:
    """A cloud, and as many clients as are asked for.

    :ivar seconds: of every boot
    """

    def __init__(self, running: Cloud) -> None:
        facts = running.facts
        member = User(
            users.MEMBER,
            facts.password,
            facts.url("keystone") + "/v3",
            users.REGION,
            running.place.root / "home",
        )
        admin = setup_users.client(facts)
        image = admin.image.find_image("clean", ignore_missing=False).id
        token = member.session.get_token()
        self._make = lambda: Desk(facts.ports["nova"], token, image)
        self._desks = threading.local()
        self._pool = concurrent.futures.ThreadPoolExecutor(
            max(plan.clients for plan in PLANS)
        )
        self.seconds: list[float] = []

    def boots(self, plan: Plan) -> float:
        """Return how long it takes to boot all servers of a plan."""
        clients = threading.Semaphore(plan.clients)

        def boot() -> tuple[float, str]:
            with clients:
                return self._desk().boot()

        start = time.perf_counter()
        done = [self._pool.submit(boot) for _ in range(plan.servers)]
        booted = [one.result() for one in done]
        taken = time.perf_counter() - start
        self.seconds += [seconds for seconds, _ in booted]
        self._clear([server for _, server in booted])
        return taken

    def _clear(self, servers: list[str]) -> None:
        """Delete servers, and wait until there is none."""
        for server in servers:
            self._desk().delete(server)
        deadline = time.monotonic() + _LONG
        while self._desk().left():
            if time.monotonic() > deadline:
                raise RuntimeError("servers that were deleted are there")
            time.sleep(4 * _POLL)

    def _desk(self) -> Desk:
        if not hasattr(self._desks, "one"):
            self._desks.one = self._make()
        return self._desks.one


@dataclass
class Times:
    """The pairs of one plan: seconds with the gates, and without."""

    gates: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> common.Interval:
        """Boots a second with the gates over boots a second without."""
        return common.median_ratio(zip(self.plain, self.gates, strict=True))


def collect(
    plan: Plan,
    gates: Callable[[Plan], float],
    plain: Callable[[Plan], float],
    clock: Callable[[], float] = time.monotonic,
) -> Times:
    """Boot by turns until the interval is narrow, or time is up."""
    times, begun = Times(), clock()
    order = [(times.gates, gates), (times.plain, plain)]
    for number in itertools.count(1):
        for seconds, boots in order:
            seconds.append(boots(plan))
        order.reverse()
        late = clock() - begun > plan.seconds or number >= plan.most
        if number >= plan.least and (late or times.ratio.width <= NARROW):
            return times
    raise AssertionError("count() has no end")


def figures(
    plan: Plan, times: Times, gates: list[float], plain: list[float]
) -> common.Figures:
    """Return the figures of one plan.

    :param gates: seconds of each boot, and likewise ``plain``
    """
    name = f"{plan.clients}_client{'s' if plan.clients > 1 else ''}"
    found = {
        **times.ratio.figures(f"boots_{name}_ratio"),
        f"boots_{name}_pairs": len(times.gates),
    }
    for side, pairs, boots in (
        ("gates", times.gates, gates),
        ("plain", times.plain, plain),
    ):
        rate = plan.servers * len(pairs) / sum(pairs)
        found[f"{side}_{name}_boots_per_second"] = round(rate, 3)
        for percent in (50, 99):
            found[f"{side}_{name}_boot_p{percent}_us"] = round(
                common.percentile(boots, percent) * 1e6
            )
    return found


def measured(plan: Plan, gates: Side, plain: Side) -> common.Figures:
    """Boot as planned; return the figures."""
    common.progress(f"boots by {plan.clients} client(s) ...")
    for side in (gates, plain):
        side.boots(plan)  # warms up
        side.seconds.clear()
    times = collect(plan, gates.boots, plain.boots)
    return figures(plan, times, gates.seconds, plain.seconds)


@contextlib.contextmanager
def cloud(root: Path, **wanted: Any) -> Iterator[Side]:
    """Run a cloud until the block ends."""
    place = Place(root)
    place.take()
    running = Cloud(place, lambda what: common.progress(f"  {what}"))
    common.progress(f"the cloud with gates={wanted['gates']} ...")
    running.up(**wanted)
    try:
        if wanted["gates"]:
            policies.write(place.policy, POLICY)
        yield Side(running)
    finally:
        running.down()


def measure() -> common.Figures:
    """Run both clouds and measure everything."""
    missing = infrastructure.missing()
    missing += [one for one in ("keystone", "pymysql") if not find_spec(one)]
    if missing:
        raise common.Unavailable(
            f"tools/bench.sh boots: not installed: {' '.join(missing)}; see "
            "doc/source/contributor/integration.rst"
        )
    client.CACHE.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=client.CACHE, prefix="boots-"))
    with (
        cloud(directory / "gates", gates=True, **POSTURE) as gates,
        cloud(directory / "plain", gates=False) as plain,
    ):
        found: common.Figures = {}
        for plan in PLANS:
            found |= measured(plan, gates, plain)
    # Where it fails the logs are left.
    shutil.rmtree(directory, ignore_errors=True)
    return found


def bars(figures: common.Figures) -> list[str]:
    """Return what falls short."""
    return common.shortfalls(
        *(
            common.ratio_bar(figures, name, at_least=LEAST, width=WIDTH)
            for name in ("boots_1_client_ratio", "boots_8_clients_ratio")
        )
    )


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, bars))

# SPDX-License-Identifier: Apache-2.0
"""Boots a second on a cloud of real processes, with all gates and without.

Two clouds of ``tools/cloud`` stand side by side, with three computes each: one
with our gates in Glance's, Nova's API and nova-scheduler, under policy
baseline with a demand on every host, and with reporters; one as OpenStack is
without this project.  Only one of them boots at a time.

A boot takes from POST /servers until GET says ACTIVE, asked every 30 ms (500
by eight clients) from a random moment on, by clients that do nothing else.
A turn is one boot by one client, or one by each of eight, all at once; now
the one cloud is first and now the other.  A pair is four turns of each by one
client, and two by eight.  Turns are short because a processor of a virtual
machine may be 40 % slower for some seconds.  nova-scheduler takes any of the
three computes; what they and the reporters do by the clock they do every five
minutes.
``…_ratio`` is boots a second with the gates over boots a second without, of
the pairs, 60 and more of them: until its interval is narrow or time is up.
After a pair all servers are deleted, which is not timed.

Needs MariaDB and RabbitMQ.
"""

import concurrent.futures
import contextlib
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloud import infrastructure, policies, users
from cloud.clients import Client as User
from cloud.cloud import Cloud
from cloud.place import Place
from tests.benchmarks import client, common
from tests.benchmarks.boot_client import LONG, Desk
from tests.benchmarks.boot_pairs import Plan, collect, figures

LEAST = 0.95
WIDTH = 0.05
POLICY = policies.BASELINE + "hosts: {require: [kernel_aslr], mode: enforce}\n"
# posture_ttl is 1 second in that cloud, so that a person need not wait.
POSTURE = {"posture_ttl": 60}


PLANS = (
    Plan(1, 1, 4, 0.03, 60, 200, 1200),
    Plan(8, 8, 2, 0.5, 60, 400, 6000),
)


class Side:
    """A cloud, and as many clients as are asked for.

    :ivar seconds: of every boot
    """

    def __init__(self, running: Cloud) -> None:
        facts = running.facts
        member, admin = User(facts, users.MEMBER), User(facts, users.ADMIN)
        image = admin.image.find_image("clean", ignore_missing=False).id
        token = member.session.get_token()
        self._make = lambda: Desk(facts.ports["nova"], token, image)
        self._desks = threading.local()
        self._pool = concurrent.futures.ThreadPoolExecutor(
            max(plan.clients for plan in PLANS)
        )
        self._servers: list[str] = []
        self.seconds: list[float] = []

    def boots(self, plan: Plan) -> float:
        """Return how long it takes to boot all servers of a turn."""
        clients = threading.Semaphore(plan.clients)

        def boot() -> tuple[float, str]:
            with clients:
                return self._desk().boot(plan.poll)

        start = time.perf_counter()
        done = [self._pool.submit(boot) for _ in range(plan.servers)]
        booted = [one.result() for one in done]
        taken = time.perf_counter() - start
        self.seconds += [seconds for seconds, _ in booted]
        self._servers += [server for _, server in booted]
        return taken

    def clear(self) -> None:
        """Delete the servers, and wait until there is none."""
        servers, self._servers = self._servers, []
        asked = [self._pool.submit(self._delete, one) for one in servers]
        for one in asked:
            one.result()
        deadline = time.monotonic() + LONG
        while self._desk().left():
            if time.monotonic() > deadline:
                raise RuntimeError("servers that were deleted are there")
            time.sleep(0.2)

    def _delete(self, server: str) -> None:
        self._desk().delete(server)

    def _desk(self) -> Desk:
        if not hasattr(self._desks, "one"):
            self._desks.one = self._make()
        return self._desks.one


def measured(plan: Plan, gates: Side, plain: Side) -> common.Figures:
    """Boot as planned; return the figures."""
    common.progress(f"boots by {plan.clients} client(s) ...")

    def clear() -> None:
        for side in (gates, plain):
            side.clear()

    for side in (gates, plain):
        side.boots(plan)  # warms up
        side.seconds.clear()
    clear()
    times = collect(plan, gates.boots, plain.boots, clear)
    return figures(plan, times, gates.seconds, plain.seconds)


@contextlib.contextmanager
def cloud(root: Path, **wanted: Any) -> Iterator[Side]:
    """Run a cloud until the block ends."""
    place = Place(root)
    place.take()
    running = Cloud(place, lambda what: common.progress(f"  {what}"))
    common.progress(f"the cloud with gates={wanted['gates']} ...")
    running.up(steady=True, **wanted)
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
        cloud(directory / "gates", gates=True, posture=POSTURE) as gates,
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

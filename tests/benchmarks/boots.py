# SPDX-License-Identifier: Apache-2.0
"""Cost of a boot in all services together, with all gates and without.

Three clouds of ``tools/cloud`` stand side by side, with three computes each:
one with our gates in Glance's, Nova's API and nova-scheduler, under policy
baseline with a demand on every host, and with reporters; two as OpenStack is
without this project, of which one is the peer and the other the control: its
ratio says how far two clouds are apart that do the same.  Only one of them
boots at a time.

What is compared is the processor time of all daemons of a cloud, databases and
message bus among them, from POST /servers until they have come to rest, over
the servers that were booted: one, or eight at once.  The reporters, which run
by the clock, are left out.  One GET at the end says that a server is ACTIVE;
nobody polls.  The three clouds take turns, in an order that is drawn for each
turn, until the intervals are narrow or time is up.  After a turn all servers
are deleted, which is not measured.  What a cloud runs while nothing is asked
is a part of both sides.

Needs MariaDB and RabbitMQ.
"""

import contextlib
import shutil
import sys
import tempfile
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
from tests.benchmarks.boot_meter import Meter
from tests.benchmarks.boot_pairs import Plan, collect, figures

AT_MOST = 1.05
WIDTH = 0.05
POLICY = policies.BASELINE + "hosts: {require: [kernel_aslr], mode: enforce}\n"
# posture_ttl is 1 second in that cloud, so that a person need not wait.
POSTURE = {"posture_ttl": 60}
#: Daemons that take no part in a boot, by prefix of their names.
APART = ("reporter", "exporter", "setup", "epmd")

#: Together with the start of the clouds in ten minutes.
PLANS = (Plan(1, 20, 60, 150), Plan(8, 6, 16, 150))


class Side:
    """A cloud, a client of it, and what its daemons run."""

    def __init__(self, running: Cloud) -> None:
        facts = running.facts
        member, admin = User(facts, users.MEMBER), User(facts, users.ADMIN)
        image = admin.image.find_image("clean", ignore_missing=False).id
        token = member.session.get_token()
        self._desk = Desk(facts.ports["nova"], token, image)
        self._meter = Meter(
            [
                pid
                for name, pid in running.daemons.ids().items()
                if pid is not None and not name.startswith(APART)
            ]
        )
        self._servers: list[str] = []

    def settle(self) -> None:
        """Find out how much the cloud runs while nothing is asked."""
        self._meter.settle()

    def boots(self, servers: int) -> float:
        """Return the seconds of the processor that a boot takes.

        :param servers: that are booted at once
        :raises RuntimeError: if one of them does not become ACTIVE
        """
        begun = self._meter.at_rest()
        started = [self._desk.start() for _ in range(servers)]
        self._servers += started
        deadline = time.monotonic() + LONG
        ended = self._meter.at_rest()
        while not all(map(self._desk.is_active, started)):
            # The cloud seemed at rest, but not all servers are ACTIVE yet.
            if time.monotonic() > deadline:
                raise RuntimeError("servers are BUILD for too long")
            ended = self._meter.at_rest()
        return (ended - begun) / servers

    def clear(self) -> None:
        """Delete the servers, and wait until there is none."""
        servers, self._servers = self._servers, []
        for server in servers:
            self._desk.delete(server)
        deadline = time.monotonic() + LONG
        while self._desk.left():
            if time.monotonic() > deadline:
                raise RuntimeError("servers that were deleted are there")
            time.sleep(0.2)


def measured(plan: Plan, sides: list[Side]) -> common.Figures:
    """Boot as planned; return the figures."""
    common.progress(f"{plan.servers} boot(s) at once ...")

    def clear() -> None:
        for side in sides:
            side.clear()

    for side in sides:
        side.boots(plan.servers)  # warms up
    clear()
    turns = collect(plan, [side.boots for side in sides], clear)
    return figures(plan, turns)


@contextlib.contextmanager
def cloud(root: Path, **wanted: Any) -> Iterator[Side]:
    """Run a cloud until the block ends."""
    place = Place(root)
    place.take()
    running = Cloud(place, lambda what: common.progress(f"  {what}"))
    common.progress(f"the cloud {root.name} ...")
    running.up(steady=True, **wanted)
    try:
        if wanted["gates"]:
            policies.write(place.policy, POLICY)
        yield Side(running)
    finally:
        running.down()


def measure() -> common.Figures:
    """Run the clouds and measure everything."""
    missing = infrastructure.missing()
    missing += [each for each in ("keystone", "pymysql") if not _there(each)]
    if missing:
        raise common.Unavailable(
            f"tools/bench.sh boots: not installed: {' '.join(missing)}; see "
            "doc/source/contributor/integration.rst"
        )
    client.CACHE.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=client.CACHE, prefix="boots-"))
    with contextlib.ExitStack() as stack:
        sides = [
            stack.enter_context(cloud(directory / name, **wanted))
            for name, wanted in (
                ("gates", {"gates": True, "posture": POSTURE}),
                ("plain", {"gates": False}),
                ("control", {"gates": False}),
            )
        ]
        for side in sides:
            side.settle()
        result: common.Figures = {}
        for plan in PLANS:
            result |= measured(plan, sides)
    # Where it fails the logs are left.
    shutil.rmtree(directory, ignore_errors=True)
    return result


def _there(module: str) -> bool:
    return find_spec(module) is not None


def bars(figures: common.Figures) -> list[str]:
    """Return what falls short."""
    return common.shortfalls(
        *(
            common.ratio_bar(
                figures, f"{plan.name}_ratio", at_most=AT_MOST, width=WIDTH
            )
            for plan in PLANS
        )
    )


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, bars))

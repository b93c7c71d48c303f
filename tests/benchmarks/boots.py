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
import json
import time
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloud import infrastructure, policies, users
from cloud.clients import Client as User
from cloud.cloud import Cloud
from cloud.place import Place
from tests.benchmarks import client, common, pairs

# Measured: 1.15 (1.09 to 1.20) in 42 turns, and 1.04 (0.99 to 1.09) in 30. The
# bars are above that by the width of the intervals of the controls, 0.04.
BARS = {
    "boot_ratio": {"at_most": 1.19, "width": 0.11},
    "boot_8_at_once_ratio": {"at_most": 1.085, "width": 0.1},
}
POLICY = policies.BASELINE + "hosts: {require: [kernel_aslr], mode: enforce}\n"
# posture_ttl is 1 second in that cloud, so that a person need not wait.
POSTURE = {"posture_ttl": 60}
#: Daemons that take no part in a boot, by prefix of their names.
APART = ("reporter", "exporter", "setup", "epmd")
#: Seconds for a server to come or to go, on a machine that is busy.
LONG = 120
#: Seconds of a look whether a cloud has come to rest, and looks in a row.
LOOK, CALM = 0.1, 3
#: Of the processor, in a look, above what it takes at rest.
SLACK = 0.004
_VERSION = {"OpenStack-API-Version": "compute 2.90"}


#: By the names of figures: how many servers are booted at once. Together with
#: the start of the clouds in fifteen minutes.
SERVERS = {"boot": 1, "boot_8_at_once": 8}
PLANS = {
    "boot": pairs.Plan(1, 20, 60, narrow=0.03, seconds=250),
    "boot_8_at_once": pairs.Plan(1, 6, 40, narrow=0.03, seconds=450),
}


class Meter:
    """Adds up what the processes of some sessions have run.

    Each daemon is a session of its own, including all that it forked.

    :param sessions: ids of the sessions
    """

    def __init__(self, sessions: Collection[int]) -> None:
        self._sessions = frozenset(sessions)
        self._ran: dict[int, float] = {}
        self._idle = 0.0

    def seconds(self) -> float:
        """Return what all of them have run, those that have ended too."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            # A process that has ended keeps its last reading.
            with contextlib.suppress(OSError):
                text = stat.read_text(errors="replace")
                # State, parent, group and session behind the name.
                if int(text.rpartition(")")[2].split()[3]) in self._sessions:
                    pid = int(stat.parent.name)
                    self._ran[pid] = client.processor_time(pid)
        return sum(self._ran.values())

    def settle(self, seconds: float = 5.0) -> None:
        """Find out how much the cloud runs while nothing is asked."""
        begun = self.seconds()
        time.sleep(seconds)
        self._idle = (self.seconds() - begun) * LOOK / seconds

    def at_rest(self) -> float:
        """Wait until the cloud has come to rest; return what it has run.

        :raises RuntimeError: if it does not
        """
        ran, calm = self.seconds(), 0
        deadline = time.monotonic() + LONG
        while calm < CALM:
            if time.monotonic() > deadline:
                raise RuntimeError("the cloud does not come to rest")
            time.sleep(LOOK)
            before, ran = ran, self.seconds()
            calm = calm + 1 if ran - before <= self._idle + SLACK else 0
        return ran


class Side:
    """A cloud, a client of it, and what its daemons run."""

    def __init__(self, running: Cloud) -> None:
        facts = running.facts
        member, admin = User(facts, users.MEMBER), User(facts, users.ADMIN)
        image = admin.image.find_image("clean", ignore_missing=False).id
        self._nova = client.Client(0, facts.ports["nova"])
        token = {"X-Auth-Token": member.session.get_token()}
        self._nova.sent |= {**_VERSION, **token}
        server = {
            "name": "benchmark",
            "imageRef": image,
            "flavorRef": "1",
            "networks": "none",
        }
        self._choice = json.dumps({"server": server}).encode()
        self.meter = Meter(
            [
                pid
                for name, pid in running.daemons.ids().items()
                if pid is not None and not name.startswith(APART)
            ]
        )
        self._servers: list[str] = []

    def _is_active(self, server: str) -> bool:
        """Return whether a server is there.

        :raises RuntimeError: if it never will be
        """
        answer = self._nova.ask("GET", f"/v2.1/servers/{server}")
        result = json.loads(answer)["server"]
        if result["status"] not in ("BUILD", "ACTIVE"):
            raise RuntimeError(f"a server became {result}")
        return bool(result["status"] == "ACTIVE")

    def boots(self, servers: int) -> float:
        """Return the seconds of the processor that a boot takes.

        :param servers: that are booted at once
        :raises RuntimeError: if one of them does not become ACTIVE
        """
        begun = self.meter.at_rest()
        for _ in range(servers):
            answer = self._nova.ask(
                "POST", "/v2.1/servers", self._choice, expect=202
            )
            self._servers.append(json.loads(answer)["server"]["id"])
        deadline = time.monotonic() + LONG
        ended = self.meter.at_rest()
        while not all(map(self._is_active, self._servers)):
            # The cloud seemed at rest, but not all servers are ACTIVE yet.
            if time.monotonic() > deadline:
                raise RuntimeError("servers are BUILD for too long")
            ended = self.meter.at_rest()
        return (ended - begun) / servers

    def clear(self) -> None:
        """Delete the servers, and wait until there is none."""
        for server in self._servers:
            self._nova.ask("DELETE", f"/v2.1/servers/{server}", expect=204)
        self._servers.clear()
        deadline = time.monotonic() + LONG
        while json.loads(self._nova.ask("GET", "/v2.1/servers"))["servers"]:
            if time.monotonic() > deadline:
                raise RuntimeError("servers that were deleted are there")
            time.sleep(0.2)


def measured(name: str, sides: Sequence[Side]) -> common.Figures:
    """Boot by turns until the intervals are narrow, or time is up.

    :param sides: with the gates, without, the control; in an order that is
        drawn for each turn
    """
    servers = SERVERS[name]
    for side in sides:
        side.boots(servers)  # warms up
        side.clear()
    runs = {n: partial(side.boots, servers) for n, side in enumerate(sides)}
    turns: dict[str, list[pairs.Turn]] = {name: []}
    for _ in pairs.rounds(PLANS[name], turns):
        took = common.in_turns(runs, 1, warm_up=0)
        turns[name].append((took[0][0], took[1][0], took[2][0]))
        for side in sides:
            side.clear()
        common.progress(f"  {pairs.ratio(turns[name])}")
    return pairs.figures(turns, "gates")


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
    missing += [
        name for name in ("keystone", "pymysql") if not find_spec(name)
    ]
    if missing:
        raise common.Unavailable(
            f"tools/bench.sh boots: not installed: {' '.join(missing)}; see "
            "doc/source/contributor/integration.rst"
        )
    result: common.Figures = {}
    with client.folder("boots") as directory, contextlib.ExitStack() as stack:
        sides = [
            stack.enter_context(cloud(directory / name, **wanted))
            for name, wanted in (
                ("gates", {"gates": True, "posture": POSTURE}),
                ("plain", {"gates": False}),
                ("control", {"gates": False}),
            )
        ]
        for side in sides:
            side.meter.settle()
        for name in PLANS:
            result |= measured(name, sides)
    return result

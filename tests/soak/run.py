# SPDX-License-Identifier: Apache-2.0
"""The soak: rounds of reports, writes, sweeps and bad days; then the truth."""

import collections
import contextlib
import datetime
import logging
import random
import shutil
import time
import uuid
from concurrent import futures

import requests

from nova_vhard.catalogue import results, traits
from nova_vhard.host import report
from nova_vhard.host.processes.check_process import in_process
from nova_vhard.placement import upkeep
from nova_vhard.placement.client import PlacementError
from nova_vhard.placement.connect import connect
from nova_vhard.reporter import hosts
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from nova_vhard.reporter.service import Reporter
from tests.soak.cloud import Client, Cloud
from tests.trees import build, pci_host

START = datetime.datetime(2026, 6, 15, 12, 2, tzinfo=datetime.UTC)
#: Simulated time of the whole: the hour turns often, and two pass in silence.
SPAN = datetime.timedelta(hours=5)
MAX_REPORT_AGE = 2

WORKERS = 8
#: Share of requests that go wrong.
RATE = 0.03
#: Seconds that nova-compute goes on trying.
LONG = 300

_OPERATORS = "CUSTOM_OF_THE_OPERATOR"
FOREIGN = {"COMPUTE_NODE", "HW_CPU_X86_AVX2", _OPERATORS}
#: Traits that nova-compute gives its provider.
NOVAS = [f"CUSTOM_NOVA_{number}" for number in range(9)]
#: Prefixes of the traits of passed checks, and of those of failed checks.
OURS = (traits.PREFIX, results.PREFIX)
_OLD = traits.of_hour(START - datetime.timedelta(days=3))

ASLR = "/proc/sys/kernel/randomize_va_space"
IDENTITY = "/var/lib/nova/compute_id"
REMAPPED = " 24:  0  0  IR-PCI-MSI-0000:00:1f.2  0-edge  ahci\n"
ERRORS = '[["/sys/kernel/iommu_groups", "EACCES"]]'

#: Each is a way for a host to be, of which its checks say different things.
STATES = {
    "proven": {},
    "no iommu": {"unit": None, "groups": {}},
    "identity": {"kind": "identity"},
    "unreadable": {"files": {"/ERRORS.json": ERRORS}},
    "interrupts not remapped": {"files": {"/proc/interrupts": " 24: 0 PCI\n"}},
    "no aslr": {"files": {ASLR: "0\n"}},
    "half aslr": {"files": {ASLR: "1\n"}},
    "aslr unknown": {"files": {ASLR: None}},
    "nothing": {"empty": True},
}
_GROUPS = {"0": ["0000:00:01.0"], "1": ["0000:00:02.0", "0000:00:02.1"]}


class Machine:
    """A simulated compute node: a tree that changes, reporter, nova-compute.

    nova-compute is the other writer of the resource provider.

    :param provider: uuid of its resource provider
    :ivar silent: whether its reporter does not run at the moment
    :ivar published: whether its last report arrived
    :ivar traits: that nova-compute has given the provider
    :ivar inventories: likewise
    """

    def __init__(self, cloud, number, provider, clock):
        self.provider = provider
        self.silent = self.published = False
        self.traits, self.inventories = {"COMPUTE_NODE"}, {}
        self._folder = cloud.folder / f"compute{number}"
        self._clock = clock
        self._client = Client(cloud)
        self._conf = cloud.conf(
            root=str(self._folder / "root"),
            state_path=str(self._folder / "state"),
        )
        self.become("proven")
        self._reporter = Reporter(
            self._conf,
            [PlacementPublisher(self._conf)],
            now=clock,
            run=in_process,
        )
        self._checks = report.load()

    def become(self, state):
        """Change the tree to one of STATES."""
        what = dict(STATES[state])
        self.state = state
        root = self._folder / "root"
        shutil.rmtree(root, ignore_errors=True)
        content = {}
        if not what.pop("empty", False):
            files = what.pop("files", {})
            content = pci_host(**{"groups": _GROUPS, **what})
            content |= {ASLR: "2\n", "/proc/interrupts": REMAPPED, **files}
        build(root, {**content, IDENTITY: self.provider})

    def lose_identity(self):
        """Damage the file that says which provider this is."""
        build(self._folder / "root", {IDENTITY: "?"})

    def report(self):
        """Do one round."""
        self.published = self._reporter.once()

    def proven(self):
        """Return the checks that the tree proves now, asked afresh."""
        result = report.inspect(
            hosts.of_conf(self._conf), self._clock(), self._checks, in_process
        )
        return result.passed

    def update(self, chance):
        """Change traits and inventories as nova-compute does."""
        before, some = self.traits, chance.choices(NOVAS, k=3)
        self.traits = {"COMPUTE_NODE", *some}
        self._write(
            "traits",
            lambda now: sorted({*now["traits"]} - before | self.traits),
        )
        total = chance.randrange(1, 512)
        self.inventories = {"VCPU": total, "MEMORY_MB": total * 1024}
        body = {name: {"total": n} for name, n in self.inventories.items()}
        self._write("inventories", lambda now: body)

    def _write(self, kind, change):
        """Change a record of the provider.

        Try again after conflicts, and while Placement is away.
        """
        path = f"/resource_providers/{self.provider}/{kind}"
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                status, now = self._client("GET", path)
                if status == 200 and now:
                    now[kind] = change(now)
                    status, _ = self._client("PUT", path, now)
                    if status == 200:
                        return
            time.sleep(0.02)
        raise RuntimeError("nova-compute never got through")


Size = collections.namedtuple("Size", "reporters rounds")


class Soak:
    """One run.

    :param folder: empty, for all that it writes
    """

    def __init__(self, size, seed, folder):
        self._size = size
        self._random = random.Random(seed)
        self._round = 0
        #: Actions of the hosts; appending to a list is thread-safe.
        self._done = []
        self._wrong = []
        self._cloud = Cloud(folder, seed, RATE)
        self._cloud.start()
        self._truth = Client(self._cloud, truth=True)
        self._sweeper = connect(self._cloud.conf())
        for name in (_OLD, _OPERATORS, *NOVAS):
            self._truth("PUT", f"/traits/{name}")
        self._machines = [
            self._machine(number) for number in range(size.reporters)
        ]
        #: Machine to the rounds in which it does not report.
        self._silences = {}
        some = self._random.sample(
            self._machines, max(2, size.reporters // 10)
        )
        for number, machine in enumerate(some):
            first = self._random.randrange(1, max(2, size.rounds // 4))
            # Every third does not come back.
            length = size.rounds * (6 if number % 3 else 10) // 10
            self._silences[machine] = range(first, first + length)

    def now(self):
        """Return the simulated time."""
        return START + SPAN / self._size.rounds * self._round

    def _machine(self, number):
        provider = str(uuid.UUID(int=self._random.getrandbits(128)))
        body = {"uuid": provider, "name": f"compute{number}"}
        assert self._truth("POST", "/resource_providers", body)[0] == 200
        url = f"/resource_providers/{provider}/traits"
        body = {"traits": sorted(FOREIGN), "resource_provider_generation": 0}
        assert self._truth("PUT", url, body)[0] == 200
        return Machine(self._cloud, number, provider, self.now)

    def run(self):
        """Run to the end; return what happened, and what is wrong."""
        begun = time.monotonic()
        with futures.ThreadPoolExecutor(WORKERS) as workers:
            for number in range(self._size.rounds):
                self._round = number
                jobs = [workers.submit(*job) for job in self._jobs()]
                for job in jobs:
                    job.result()
        self._settle()
        ends = {self._judge(machine) for machine in self._machines}
        _, names = self._truth("GET", "/traits?name=startswith:CUSTOM_VHARD_")
        if _OLD in names["traits"]:
            self._wrong.append(f"{_OLD} is still there")
        self._cloud.kill()
        return {
            "reporters": self._size.reporters,
            "rounds": self._size.rounds,
            "duration_s": round(time.monotonic() - begun),
            "restarts": self._cloud.restarts,
            "server": dict(sorted(self._cloud.happened.items())),
            "hosts": {
                **collections.Counter(self._done),
                "different ends": len(ends),
            },
            "wrong": self._wrong,
        }

    def _jobs(self):
        """Return the jobs of a round: functions and their arguments."""
        busy = self._random.sample(
            self._machines, max(1, self._size.reporters // 5)
        )
        self._done += ["updates by nova-compute"] * len(busy)
        jobs = [
            *((self._report, machine) for machine in self._machines),
            *((machine.update,) for machine in busy),
        ]
        self._random.shuffle(jobs)
        jobs = [(*job, random.Random(self._random.random())) for job in jobs]
        if self._round % 2:
            jobs.insert(len(jobs) // 3, (self._sweep,))
        if self._round % 7 == 3:
            jobs.insert(0, (self._bad_day,))
        return jobs

    def _bad_day(self):
        """Placement dies in the middle of it all, and is away for a while."""
        time.sleep(self._size.reporters / 300)
        self._cloud.kill()
        time.sleep(0.5)
        self._cloud.restart()

    def _report(self, machine, chance):
        machine.silent = self._round in self._silences.get(machine, ())
        if machine.silent:
            return
        if chance.random() < 0.2:
            machine.become(chance.choice(list(STATES)))
            self._done.append("changed trees")
        lost = chance.random() < 0.02
        if lost:
            machine.lose_identity()
        machine.report()
        self._done.append(
            "published" if machine.published else "not published"
        )
        if lost:
            assert not machine.published
            machine.become(machine.state)
        elif machine.published and chance.random() < 0.05:
            # Published traits are visible at once; Placement may be down.
            with contextlib.suppress(OSError, KeyError, TypeError):
                self._compare(machine, self._seen(machine, "traits"))
                self._done.append("compared meanwhile")

    def _sweep(self):
        try:
            done = upkeep.sweep(self._sweeper, self.now(), MAX_REPORT_AGE)
        except PlacementError:
            self._done.append("sweeps that failed")
            return
        self._done += ["sweeps", *["swept hosts"] * len(done.silent)]

    def _settle(self):
        """The bad days are over: every reporter gets through."""
        self._cloud.kill()
        self._cloud.restart(rate=0)
        for machine in self._machines:
            for _ in range(3):
                if not machine.silent and not machine.published:
                    machine.report()
        self._sweep()

    def _judge(self, machine):
        """Compare a host's records in Placement; return its last state."""
        seen = set(self._seen(machine, "traits"))
        self._compare(machine, seen)
        theirs = {each for each in seen if not each.startswith(OURS)}
        self._same(machine, theirs, FOREIGN | machine.traits)
        totals = {
            name: each["total"]
            for name, each in self._seen(machine, "inventories").items()
        }
        self._same(machine, totals, machine.inventories)
        return "silent" if machine.silent else machine.state

    def _compare(self, machine, seen):
        """Compare our traits of a host with the checks that it passes.

        Each host writes the mark of a new hour at its own second, so it has
        the mark of this hour or of the previous hour.
        """
        ours = {each for each in seen if each.startswith(traits.PREFIX)}
        expected = set()
        if not machine.silent:
            proven = machine.proven()
            # The expected result, found without any check.
            assert ("kernel_aslr" in proven) == (
                "aslr" not in machine.state and machine.state != "nothing"
            )
            hours = (self.now(), self.now() - datetime.timedelta(hours=1))
            marks = [traits.of_hour(hour) for hour in hours]
            mark = marks[1] if marks[1] in ours else marks[0]
            expected = {mark, *map(traits.of_check, proven)}
        self._same(machine, ours, expected)

    def _seen(self, machine, kind):
        return self._truth(
            "GET", f"/resource_providers/{machine.provider}/{kind}"
        )[1][kind]

    def _same(self, machine, result, expected):
        if result != expected:
            text = f"{machine.provider} ({machine.state}, {self._round})"
            self._wrong.append(f"{text}: {result} and not {expected}")


def soak(size, seed, folder):
    """Run a soak; return what happened, and under ``wrong`` what is wrong."""
    log = logging.getLogger("nova_vhard")
    before = log.level
    # What goes wrong here is meant to.
    log.setLevel(logging.CRITICAL)
    try:
        return {"seed": seed, **Soak(size, seed, folder).run()}
    finally:
        log.setLevel(before)

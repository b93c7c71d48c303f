# SPDX-License-Identifier: Apache-2.0
"""The soak: rounds of reports, writes, sweeps and bad days; then the truth."""

import collections
import datetime
import logging
import random
import shutil
import threading
import time
import uuid
from concurrent import futures
from dataclasses import dataclass
from functools import partial

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

FOREIGN = {"COMPUTE_NODE", "HW_CPU_X86_AVX2", "CUSTOM_OF_THE_OPERATOR"}
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
        publishers = [PlacementPublisher(self._conf)]
        self._reporter = Reporter(
            self._conf, publishers, now=clock, run=in_process
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
        host = hosts.of_conf(self._conf)
        result = report.inspect(host, self._clock(), self._checks, in_process)
        return result.passed

    def update(self, chance):
        """Change traits and inventories as nova-compute does."""
        wanted = {f"CUSTOM_NOVA_{chance.randrange(9)}" for _ in range(3)}
        for name in wanted:
            self._until(partial(self._send, "PUT", f"/traits/{name}"))
        wanted.add("COMPUTE_NODE")

        def give(now):
            kept = set(now["traits"]) - self.traits
            # Where the answer is lost, all of both are its own.
            self.traits = self.traits | wanted
            return {"traits": sorted(kept | wanted)}

        self._until(partial(self._change, "traits", give))
        self.traits = wanted
        total = chance.randrange(1, 512)
        wish = {"VCPU": total, "MEMORY_MB": total * 1024}
        body = {name: {"total": number} for name, number in wish.items()}
        self._until(
            lambda: self._change(
                "inventories", lambda now: {"inventories": body}
            )
        )
        self.inventories = wish

    def _send(self, method, path, body=None):
        status, answer = self._client(method, path, body)
        return answer or {} if status in (200, 201, 204) else None

    def _change(self, kind, change):
        """Change a record of the provider; return None on failure."""
        path = f"/resource_providers/{self.provider}/{kind}"
        if now := self._send("GET", path):
            return self._send("PUT", path, {**now, **change(now)})
        return None

    @staticmethod
    def _until(call):
        """Try again after conflicts, and while Placement is away."""
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            try:
                if call() is not None:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        raise RuntimeError("nova-compute never got through")


@dataclass(frozen=True)
class Size:
    """Number of reporters and rounds."""

    reporters: int
    rounds: int


class Soak:
    """One run.

    :param folder: empty, for all that it writes
    """

    def __init__(self, size, seed, folder):
        self._size = size
        self._random = random.Random(seed)
        self._round = 0
        self._counts = collections.Counter()
        self._wrong = []
        self._cloud = Cloud(folder, seed, RATE)
        self._cloud.start()
        self._truth = Client(self._cloud, truth=True)
        self._sweeper = connect(self._cloud.conf())
        self._truth("PUT", f"/traits/{_OLD}")
        self._machines = [
            self._machine(number) for number in range(size.reporters)
        ]
        self._silences = self._plan()

    def now(self):
        """Return the simulated time."""
        return START + SPAN / self._size.rounds * self._round

    def _machine(self, number):
        provider = str(uuid.UUID(int=self._random.getrandbits(128)))
        body = {"uuid": provider, "name": f"compute{number}"}
        status, _ = self._truth("POST", "/resource_providers", body)
        assert status == 200
        for name in FOREIGN:
            if name.startswith("CUSTOM_"):
                self._truth("PUT", f"/traits/{name}")
        url = f"/resource_providers/{provider}/traits"
        body = {"traits": sorted(FOREIGN), "resource_provider_generation": 0}
        assert self._truth("PUT", url, body)[0] == 200
        return Machine(self._cloud, number, provider, self.now)

    def _plan(self):
        """Return for some machines the rounds in which they are silent."""
        rounds = self._size.rounds
        some = self._random.sample(
            self._machines, max(2, self._size.reporters // 10)
        )
        result = {}
        for number, machine in enumerate(some):
            first = self._random.randrange(1, max(2, rounds // 4))
            # Every third does not come back.
            length = rounds if number % 3 == 0 else rounds * 6 // 10
            result[machine] = range(first, first + length)
        return result

    def run(self):
        """Run to the end; return what happened, and what is wrong."""
        begun = time.monotonic()
        with futures.ThreadPoolExecutor(WORKERS) as workers:
            for number in range(self._size.rounds):
                self._round = number
                self._do_round(workers)
        self._settle()
        self._judge()
        self._cloud.kill()
        return {
            "reporters": self._size.reporters,
            "rounds": self._size.rounds,
            "duration_s": round(time.monotonic() - begun),
            "restarts": self._cloud.restarts,
            "server": dict(sorted(self._cloud.happened.items())),
            "hosts": dict(sorted(self._counts.items())),
            "wrong": self._wrong,
        }

    def _do_round(self, workers):
        jobs = [
            partial(self._report, machine, self._random.random())
            for machine in self._machines
        ]
        busy = self._random.sample(
            self._machines, max(1, self._size.reporters // 5)
        )
        for machine in busy:
            seed = self._random.random()
            jobs.append(partial(self._nova, machine, seed))
        self._random.shuffle(jobs)
        if self._round % 2:
            jobs.insert(len(jobs) // 3, self._sweep)
        bad_day = None
        if self._round % 7 == 3:
            bad_day = threading.Thread(target=self._bad_day)
            bad_day.start()
        for done in [workers.submit(job) for job in jobs]:
            done.result()
        if bad_day:
            bad_day.join()

    def _bad_day(self):
        """Placement dies in the middle of it all, and is away for a while."""
        time.sleep(self._size.reporters / 300)
        self._cloud.kill()
        time.sleep(0.5)
        self._cloud.restart()

    def _report(self, machine, seed):
        chance = random.Random(seed)
        if self._round in self._silences.get(machine, ()):
            machine.silent = True
            return
        machine.silent = False
        if chance.random() < 0.2:
            machine.become(chance.choice(list(STATES)))
            self._count("changed trees")
        lost = chance.random() < 0.02
        if lost:
            machine.lose_identity()
        machine.report()
        self._count("published" if machine.published else "not published")
        if lost:
            assert not machine.published
            machine.become(machine.state)
        elif machine.published and chance.random() < 0.05:
            self._compare_now(machine)

    def _compare_now(self, machine):
        """Check that published data is visible at once, and no other data."""
        try:
            result = self._traits(machine)
        except (OSError, KeyError, TypeError):
            # Placement is away; there will be other times.
            return
        self._count("compared meanwhile")
        expected = self._expected(machine) | self._mark(result)
        self._same(machine, _ours(result), expected, "meanwhile")

    def _nova(self, machine, seed):
        machine.update(random.Random(seed))
        self._count("updates by nova-compute")

    def _sweep(self):
        try:
            done = upkeep.sweep(self._sweeper, self.now(), MAX_REPORT_AGE)
        except PlacementError:
            self._count("sweeps that failed")
            return
        self._count("sweeps")
        self._count("swept hosts", len(done.silent))

    def _settle(self):
        """The bad days are over: every reporter gets through."""
        self._cloud.kill()
        self._cloud.restart(rate=0)
        for machine in self._machines:
            for _ in range(3):
                if not machine.silent and not machine.published:
                    machine.report()
        self._sweep()

    def _judge(self):
        states = collections.Counter()
        for machine in self._machines:
            result = self._traits(machine)
            expected = set()
            if not machine.silent:
                expected = self._expected(machine) | self._mark(result)
            self._same(machine, _ours(result), expected, "ours")
            theirs = FOREIGN | machine.traits
            self._same(machine, result - _ours(result), theirs, "not ours")
            inventories = {
                name: each["total"]
                for name, each in self._seen(machine, "inventories").items()
            }
            self._same(
                machine, inventories, machine.inventories, "inventories"
            )
            states[machine.state if not machine.silent else "silent"] += 1
        self._counts["different ends"] = len(states)
        _, names = self._truth("GET", "/traits?name=startswith:CUSTOM_VHARD_")
        if _OLD in names["traits"]:
            self._wrong.append(f"{_OLD} is still there")

    def _expected(self, machine):
        proven = machine.proven()
        # Said once more by hand, without any check.
        assert ("kernel_aslr" in proven) == (
            "aslr" not in machine.state and machine.state != "nothing"
        )
        return {traits.of_check(name) for name in proven}

    def _mark(self, result):
        """Return the mark of a host: of this hour, or of the one before.

        Each host writes the new one at a second of the hour of its own.
        """
        hours = (self.now(), self.now() - datetime.timedelta(hours=1))
        marks = [traits.of_hour(hour) for hour in hours]
        return {next((mark for mark in marks if mark in result), marks[0])}

    def _traits(self, machine):
        result = self._seen(machine, "traits")
        # Traits that tell failed checks apart do not claim a pass.
        return {each for each in result if not each.startswith(results.PREFIX)}

    def _seen(self, machine, kind):
        url = f"/resource_providers/{machine.provider}/{kind}"
        return self._truth("GET", url)[1][kind]

    def _same(self, machine, result, expected, what):
        if result != expected:
            text = f"{machine.provider} ({machine.state}): {what}"
            self._wrong.append(f"{text}: {result} and not {expected}")

    def _count(self, what, number=1):
        # Adding to a Counter is not atomic.
        with _LOCK:
            self._counts[what] += number


_LOCK = threading.Lock()


def _ours(result):
    return {each for each in result if each.startswith(traits.PREFIX)}


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

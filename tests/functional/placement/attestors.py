# SPDX-License-Identifier: Apache-2.0
"""Attestors on the real Placement, a verifier that says what a test wants."""

import datetime
import pathlib
import uuid

from oslo_config import cfg

from nova_vhard.attestor.service import Attestor, Means
from nova_vhard.attestor.sources.base import SourceError, Verdict
from nova_vhard.conf import attestor as attestor_conf
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.placement import marks, upkeep
from nova_vhard.placement.client import Placement
from nova_vhard.placement.fleet import fleet
from nova_vhard.placement.posture import Clock, Posture, Question
from tests.unit.helpers import never

COMPUTE = "COMPUTE_NODE"
TRAIT = "CUSTOM_VHARD_ATTESTED"
START = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
MAX_AGE = 600
ATTESTED = Question(frozenset(), 2, attested=True)


class Desk:
    """Clock, verifier and mapping of a test.

    :ivar seconds: elapsed time, for all components
    :ivar verified: agent to its last verification, in the same seconds
    :ivar failed: agents that the verifier refuses
    :ivar undemanded: agents of which it demands nothing
    :ivar down: whether the verifier is unreachable
    """

    def __init__(self, cloud, folder: pathlib.Path) -> None:
        self.cloud = cloud
        self.seconds = 0.0
        self.verified: dict[str, float] = {}
        self.failed: set[str] = set()
        self.undemanded: set[str] = set()
        self.down = False
        self.folder = folder
        folder.chmod(0o755)
        self.key = folder / "attestation.key"
        self.write_key("ab" * 32)
        self.mapping = folder / "hosts.yaml"
        self.hosts: dict[str, str] = {}

    def write_key(self, *keys: str) -> None:
        """Write the key file."""
        self.key.write_text("\n".join(keys))
        self.key.chmod(0o640)

    def host(self, name: str, traits=()) -> str:
        """Make a compute node whose agent is verified; return its uuid."""
        uuid = self.cloud.host(name, {COMPUTE, *traits})
        self.hosts[uuid] = f"agent of {name}"
        self.verified[f"agent of {name}"] = self.seconds
        self.map()
        return uuid

    def map(self) -> None:
        """Write the mapping."""
        lines = [f"  {host}: {agent}\n" for host, agent in self.hosts.items()]
        self.mapping.write_text("hosts:\n" + "".join(lines))
        self.mapping.chmod(0o644)

    def verdicts(self) -> dict[str, Verdict]:
        """Return the verifier's verdicts: the source's own method."""
        if self.down:
            raise SourceError("unreachable")
        return {
            agent: Verdict(
                agent in self.failed,
                START.timestamp() + verified,
                undemanded=agent in self.undemanded,
            )
            for agent, verified in self.verified.items()
        }

    def verify(self) -> None:
        """Let the verifier succeed with all that it does not refuse."""
        for agent in self.verified.keys() - self.failed:
            self.verified[agent] = self.seconds

    def now(self) -> datetime.datetime:
        """Return the time."""
        return START + datetime.timedelta(seconds=self.seconds)

    def conf(self, **options) -> cfg.ConfigOpts:
        conf = cfg.ConfigOpts()
        attestor_conf.register(conf)
        conf([], default_config_files=[])
        for name, value in {
            "key_file": str(self.key),
            "mapping_file": str(self.mapping),
            "max_age": MAX_AGE,
            **options,
        }.items():
            conf.set_override(name, value, "vhard_attestor")
        return conf

    def attestor(self, **options) -> Attestor:
        """Make an attestor, as one that is started now."""
        means = Means(
            self,
            lambda: Placement(self.cloud),
            lambda: self.now().timestamp(),
        )
        return Attestor(self.conf(**options), means, Runtime())

    def keys(self) -> tuple[bytes, ...]:
        return marks.read_keys(str(self.key))

    def scheduler(self, question: Question = ATTESTED) -> frozenset[str]:
        """Return the hosts that a scheduler would choose from now."""
        clock = Clock(lambda: self.seconds, self.now, never)
        posture = Posture(lambda: Placement(self.cloud), 60, 600, clock)
        posture.keys = self.keys
        return posture.hosts(question)

    def marks(self) -> set[str]:
        """Return the names of marks that exist."""
        url = "/traits?name=startswith:CUSTOM_VHATT_"
        return set(self.cloud.get(url, "1.39").json()["traits"])

    def minute(self, attestor: Attestor, seconds: float = 60) -> bool:
        """Let time pass, then a round."""
        self.seconds += seconds
        return attestor.once()


class Story(Desk):
    """A desk, with the steps that stories and sessions name."""

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.names, self.bad = {}, False

    def happens(self, events):
        """Run events, which are names of methods with their arguments."""
        for event in events.split(", "):
            name, *arguments = event.split()
            getattr(self, name)(*arguments)

    def hosts_of(self, *names):
        """Create compute nodes whose agents are verified."""
        self.names |= {name: self.host(name) for name in names}

    def start(self):
        """Replace the attestor with a new one, and run a round."""
        self.running = self.attestor()
        self.idle(seconds=0)

    def idle(self, rounds=1, seconds=60):
        """Run rounds, one a minute, while the verifier verifies no host."""
        for _ in range(int(rounds)):
            self.cloud.requests.clear()
            done = self.minute(self.running, seconds)
            assert done is not (self.down or self.bad)

    def verified_again(self, rounds=1):
        """Run rounds, one a minute; the verifier verifies all before each."""
        for _ in range(int(rounds)):
            self.verify()
            self.idle()

    def sleep(self, seconds):
        """Let time pass while no attestor runs."""
        self.seconds += int(seconds)

    def at(self, seconds):
        """Set the clock."""
        self.seconds = int(seconds)

    def unverified(self):
        self.verified.clear()

    def fails(self, name):
        self.failed.add(f"agent of {name}")

    def passes(self, name):
        self.failed.remove(f"agent of {name}")

    def demands(self, *names):
        """Let the verifier have a policy for these agents only."""
        named = {f"agent of {name}" for name in names}
        self.undemanded = self.verified.keys() - named

    def disconnect(self):
        """Make the verifier unreachable."""
        self.down = True

    def reconnect(self):
        self.down = False

    def damage(self):
        """Make the mapping unreadable."""
        self.mapping.write_text("hosts: [")
        self.bad = True

    def repair(self):
        self.map()
        self.bad = False

    def unmap(self):
        """Map only other hosts."""
        self.hosts = {str(uuid.uuid4()): f"agent{n}" for n in range(2)}
        self.map()

    def keys_are(self, *keys):
        self.write_key(*(key * 32 for key in keys))

    def lose_key(self):
        self.key.unlink()

    def hold(self, name):
        """Put the marks that exist on a host, as its owner may."""
        self.cloud.give(self.names[name], {COMPUTE, *self.marks()})

    # Assertions

    def attested(self, *names):
        """Check that a scheduler chooses from exactly these hosts."""
        assert self.scheduler() == {self.names[name] for name in names}

    def lost(self):
        """Check that no host is chosen, and that no host has the trait."""
        self.attested()
        assert not self.cloud.placement.providers({TRAIT})

    def swept(self, name):
        """Check that a sweep, without the key, removes a host's trait."""
        done = upkeep.sweep(self.cloud.placement, self.now(), 2)
        assert done.unmarked == [name]

    def undemanded_are(self, *names):
        """Check which hosts the list of hosts marks as undemanded."""
        listed = fleet(self.cloud.placement, self.now(), 2)
        assert [each.name for each in listed if each.undemanded] == [*names]

    def marks_are(self, number):
        assert len(self.marks()) == int(number)

    def errors_are(self, kind, number):
        assert self.running.numbers.errors[kind] == int(number)

    def five_requests(self):
        """Check that the last round sent five requests, and wrote nothing."""
        methods = [method for method, _ in self.cloud.requests]
        assert methods == ["GET"] * 5

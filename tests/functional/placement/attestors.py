# SPDX-License-Identifier: Apache-2.0
"""Attestors on the real Placement, a verifier that says what a test wants."""

import datetime
import pathlib

from oslo_config import cfg

from nova_vhard.attestor.service import Attestor, Means
from nova_vhard.attestor.sources.base import SourceError, Verdict
from nova_vhard.conf import attestor as attestor_conf
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.placement import marks
from nova_vhard.placement.client import Placement
from nova_vhard.placement.posture import Clock, Posture, Question

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
        clock = Clock(lambda: self.seconds, self.now)
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

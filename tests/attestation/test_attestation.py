# SPDX-License-Identifier: Apache-2.0
"""Keylime's verifier, TPMs and the real Placement: who is chosen, and when."""

import contextlib
import datetime
import pathlib
import time
import uuid

import pytest
from oslo_config import cfg

from nova_vhard.attestor.service import Attestor, Means
from nova_vhard.attestor.sources.loading import load
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.placement import marks
from nova_vhard.placement.connect import connect
from nova_vhard.placement.posture import Clock, Posture, Question
from tests.attestation.conftest import row
from tests.attestation.keylime import Keylime
from tests.attestation.machine import Machine
from tests.attestation.world import MASK, REGISTER, configured, until
from tests.soak.cloud import Client, Cloud

COMPUTE, TRAIT = "COMPUTE_NODE", "CUSTOM_VHARD_ATTESTED"
ATTESTED = Question(frozenset(), 2, attested=True)
MAX_AGE = 600


class Desk:
    """A host with its machine, an attestor, and what a scheduler sees.

    :ivar ahead: seconds that the attestor's and the scheduler's clock is
        ahead of the verifier's
    """

    def __init__(
        self, keylime: Keylime, placement: Cloud, folder: pathlib.Path
    ) -> None:
        self.keylime = keylime
        self.ahead = 0.0
        self._folder = folder
        self._ask = Client(placement)
        self.agent = str(uuid.uuid4())
        self.machine = Machine(
            folder / "machine", keylime.authority / "cacert.crt"
        )
        self.machine.start()
        self.host = self._host()
        self._conf = self._configure(placement)
        self.attestor = self.new()

    def _host(self) -> str:
        provider = str(uuid.uuid4())
        body = {"uuid": provider, "name": f"host-{provider[:8]}"}
        assert self._ask("POST", "/resource_providers", body)[0] == 200
        body = {"traits": [COMPUTE], "resource_provider_generation": 0}
        url = f"/resource_providers/{provider}/traits"
        assert self._ask("PUT", url, body)[0] == 200
        return provider

    def _configure(self, placement: Cloud) -> cfg.ConfigOpts:
        key = self._folder / "key"
        key.write_text("ab" * 32)
        key.chmod(0o640)
        return configured(
            self._folder,
            self.keylime,
            {self.host: self.agent},
            f"key_file = {key}\nmax_age = {MAX_AGE}\n"
            "[placement]\nauth_type = admin_token\ntoken = admin\n"
            f"endpoint = {placement.url}\n",
        )

    def new(self) -> Attestor:
        """Return an attestor as one that is started now."""
        means = Means(load(self._conf), lambda: connect(self._conf), self.now)
        return Attestor(self._conf, means, Runtime())

    def now(self) -> float:
        """Return the time of attestor and scheduler."""
        return time.time() + self.ahead

    def chosen(self) -> bool:
        """Return whether a scheduler would choose the host now."""
        clock = Clock(
            now=lambda: datetime.datetime.fromtimestamp(
                self.now(), datetime.UTC
            )
        )
        posture = Posture(lambda: connect(self._conf), 60, 600, clock)
        key = self._conf.vhard_attestor.key_file
        posture.keys = lambda: marks.read_keys(key)
        return self.host in posture.hosts(ATTESTED)

    def has_trait(self) -> bool:
        url = f"/resource_providers/{self.host}/traits"
        return TRAIT in self._ask("GET", url)[1]["traits"]

    def watch(self, register: str | None = None) -> None:
        """Let the verifier watch the machine.

        :param register: value to expect; the current value by default
        """
        register = register or self.machine.register(REGISTER)
        policy = {str(REGISTER): [register], "mask": MASK}
        self.keylime.add(self.agent, self.machine, policy)

    def verified(self) -> int:
        return int(self.keylime.agent(self.agent)["attestation_count"])

    def refused(self) -> bool:
        entry = self.keylime.agent(self.agent)
        return bool(entry["attestation_status"] == "FAIL")

    def close(self) -> None:
        """Take the machine away."""
        with contextlib.suppress(OSError):
            self.keylime.call("DELETE", f"agents/{self.agent}")
        self.attestor.once()
        self._ask("DELETE", f"/resource_providers/{self.host}")
        self.machine.stop()


@pytest.fixture
def bare(keylime, placement, tmp_path):
    """A machine that nobody watches yet."""
    desk = Desk(keylime, placement, tmp_path)
    yield desk
    desk.close()


@pytest.fixture
def desk(bare):
    """A machine that is attested."""
    bare.watch()
    until(lambda: bare.verified() > 1)
    assert bare.attestor.once() and bare.chosen()
    return bare


def lost(desk, name):
    """The verifier refuses, and then one round is enough."""
    seconds = until(desk.refused)
    assert desk.chosen()
    assert desk.attestor.once()
    assert not desk.chosen() and not desk.has_trait()
    reason = desk.keylime.agent(desk.agent)["last_event_id"]
    row(
        name,
        f"refused in {seconds:.1f} s ({reason}), no trait after one round",
    )


def test_a_machine_that_is_as_it_should_be(desk):
    assert desk.has_trait()
    row("a trusted machine", "chosen")


def test_pass_without_an_attestation_is_none(bare):
    # given an agent that nobody can reach
    bare.machine.vanish()
    bare.watch()
    entry = bare.keylime.agent(bare.agent)
    assert entry["attestation_count"] == 0
    text = entry["attestation_status"]
    assert bare.attestor.once()
    assert not bare.chosen()
    row("added and never verified", f"Keylime says {text}: not chosen")


def test_a_register_is_extended(desk):
    desk.machine.extend(REGISTER, "a rootkit")
    lost(desk, "a register is extended")


def test_it_comes_back_after_a_clean_start(desk):
    desk.machine.extend(REGISTER, "a rootkit")
    until(desk.refused)
    assert desk.attestor.once() and not desk.chosen()
    before = desk.verified()
    desk.machine.tpm("pcrreset", str(REGISTER))
    desk.keylime.again(desk.agent)
    until(lambda: desk.verified() > before)
    assert desk.attestor.once() and desk.chosen()
    row("the register is clean again", "chosen")


def test_a_forged_quote(desk):
    desk.machine.forge = True
    lost(desk, "a forged quote")


def test_a_replayed_quote(desk):
    desk.machine.replay = True
    lost(desk, "a replayed quote")


def test_an_agent_that_has_vanished(desk):
    desk.machine.vanish()
    lost(desk, "the agent is gone")


def test_a_verifier_that_is_down_for_less_and_for_more(desk):
    desk.keylime.stop()
    try:
        assert not desk.attestor.once()
        assert desk.chosen()
        desk.ahead = MAX_AGE - 60
        assert not desk.attestor.once()
        assert desk.chosen()
        # a new one knows no more than Placement does
        assert not desk.new().once()
        assert desk.chosen()
        desk.ahead = MAX_AGE + 60
        assert not desk.chosen()
        assert not desk.attestor.once()
        assert not desk.has_trait()
    finally:
        desk.keylime.start()
    desk.ahead = 0
    until(lambda: desk.attestor.once() and desk.chosen())
    row("the verifier is down for 9 minutes", "chosen")
    row("the verifier is down for 11 minutes", "not chosen, until it is back")

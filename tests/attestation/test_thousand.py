# SPDX-License-Identifier: Apache-2.0
"""A thousand agents: requests a minute, and the time to withdraw.

The verifier is a stand-in that answers as Keylime's does; Placement is the
real one, in a process of its own.
"""

import collections
import time
import uuid

import pytest
from oslo_config import cfg

from nova_vhard.attestor.service import Attestor, Means
from nova_vhard.attestor.sources.loading import load
from nova_vhard.conf import attestor as attestor_conf
from nova_vhard.conf import placement as placement_conf
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.placement.connect import AdapterClient, connect
from tests.attestation.conftest import row
from tests.soak.cloud import Client
from tests.unit.attestor import verifier as verifiers

HOSTS, FAILING = 1000, 10
#: Minutes in which each mark is renewed.
MINUTES = 5
COMPUTE, TRAIT = "COMPUTE_NODE", "CUSTOM_VHARD_ATTESTED"


@pytest.fixture
def verifier(tmp_path):
    verifiers.make_certificates(tmp_path)
    with verifiers.serving(tmp_path) as serving:
        yield serving


@pytest.fixture
def ask(placement):
    return Client(placement)


@pytest.fixture
def agents(ask):
    """A thousand hosts: uuid of each to its agent."""
    result = {}
    for number in range(HOSTS):
        host = str(uuid.uuid4())
        body = {"uuid": host, "name": f"many{number}"}
        assert ask("POST", "/resource_providers", body)[0] == 200
        body = {"traits": [COMPUTE], "resource_provider_generation": 0}
        url = f"/resource_providers/{host}/traits"
        assert ask("PUT", url, body)[0] == 200
        result[host] = f"agent{number}"
    return result


@pytest.fixture
def requests(monkeypatch):
    """Count the requests of the attestor by method."""
    count = collections.Counter()

    def counting(method):
        send = getattr(AdapterClient, method)

        def counted(*arguments, **more):
            count[method] += 1
            return send(*arguments, **more)

        monkeypatch.setattr(AdapterClient, method, counted)

    for method in ("get", "put", "delete"):
        counting(method)
    return count


class Desk:
    """An attestor whose clock a test sets."""

    def __init__(self, placement, verifier, agents, folder):
        folder.chmod(0o755)
        self.verifier, self.ahead = verifier, 0.0
        lines = "".join(
            f"  {host}: {agent}\n" for host, agent in agents.items()
        )
        for name, text in (("key", "ab" * 32), ("map", f"hosts:\n{lines}")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o640)
        (folder / "conf").write_text(
            "[vhard_attestor]\n"
            f"keylime_url = {verifier.url}\n"
            f"keylime_ca_file = {folder}/ca.crt\n"
            f"keylime_cert_file = {folder}/client.crt\n"
            f"keylime_key_file = {folder}/client.key\n"
            f"key_file = {folder}/key\nmapping_file = {folder}/map\n"
            "[placement]\nauth_type = admin_token\ntoken = admin\n"
            f"endpoint = {placement.url}\n"
        )
        conf = cfg.ConfigOpts()
        attestor_conf.register(conf)
        placement_conf.register(conf)
        conf([], default_config_files=[str(folder / "conf")])
        means = Means(load(conf), lambda: connect(conf), self.now)
        self.attestor = Attestor(conf, means, Runtime())

    def now(self):
        return time.time() + self.ahead

    def verify(self, agents, failed=()):
        """Let the verifier have verified all but some, just now."""
        self.verifier.agents = {
            agent: verifiers.agent(
                "FAIL" if agent in failed else "PASS", 2 - self.ahead
            )
            for agent in agents.values()
        }

    def round(self):
        """Do a round; return its seconds."""
        start = time.monotonic()
        assert self.attestor.once()
        return time.monotonic() - start


def having(ask):
    url = f"/resource_providers?required={TRAIT}"
    return {it["uuid"] for it in ask("GET", url)[1]["resource_providers"]}


def test_a_thousand_agents(
    placement, verifier, ask, agents, requests, tmp_path
):
    desk = Desk(placement, verifier, agents, tmp_path)
    desk.verify(agents)
    first = desk.round()
    assert having(ask) == set(agents)
    row(f"{HOSTS} agents: the first round", f"{first:.0f} s")

    requests.clear()
    verifier.requests.clear()
    for _ in range(MINUTES):
        desk.ahead += 60
        desk.verify(agents)
        desk.round()
    a_minute = requests.total() / MINUTES
    assert len(verifier.requests) == MINUTES
    assert requests["get"] == 5 * MINUTES
    assert a_minute < 70
    row(
        f"{HOSTS} agents: requests a minute",
        f"1 to the verifier, {a_minute:.0f} to Placement",
    )

    failed = set(list(agents.values())[:FAILING])
    desk.verify(agents, failed)
    few = desk.round()
    assert having(ask) == {it for it in agents if agents[it] not in failed}
    row(f"{HOSTS} agents: {FAILING} of them fail", f"out in {few:.1f} s")

    desk.verify(agents, set(agents.values()))
    every = desk.round()
    assert having(ask) == set()
    row(f"{HOSTS} agents: all of them fail", f"out in {every:.0f} s")

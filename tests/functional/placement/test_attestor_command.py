# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-attestor, a verifier by HTTPS, and nova-vhard-status."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid

import pytest
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.cmd import status
from nova_vhard.status.attestation import attestation
from tests.functional.placement.attestors import COMPUTE, TRAIT
from tests.soak.cloud import Client, Cloud
from tests.unit.attestor import verifier as verifiers
from tests.unit.attestor.verifier import agent
from tests.unit.cli.nodes import NOVA, POLICY, Etc

REQUIRED = f"{POLICY}hosts: {{require: [attested]}}\n"
#: Of the host that is mapped.
UUIDS = {"compute1": "f0f1c2a4-5c5c-4a7e-9b43-4bd0e2f60d11"}
#: Seconds after which what does not happen counts as missing.
PATIENCE = 120


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    verifiers.make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def placement(tmp_path_factory):
    """A Placement in a process of its own."""
    made = Cloud(tmp_path_factory.mktemp("placement"), 1, 0)
    made.start()
    yield made
    made.kill()


class Hosts:
    """Hosts of the Placement, of one test alone."""

    def __init__(self, placement):
        self._ask = Client(placement)
        self.made = []

    def host(self, name, *traits):
        provider = UUIDS.get(name) or str(uuid.uuid4())
        body = {"uuid": provider, "name": name}
        assert self._ask("POST", "/resource_providers", body)[0] == 200
        self.made.append(provider)
        for trait in traits:
            if trait.startswith("CUSTOM_"):
                self._ask("PUT", f"/traits/{trait}")
        url = f"/resource_providers/{provider}/traits"
        wanted = {"traits": traits, "resource_provider_generation": 0}
        assert self._ask("PUT", url, wanted)[0] == 200
        return provider

    def traits(self, provider):
        url = f"/resource_providers/{provider}/traits"
        return set(self._ask("GET", url)[1]["traits"])

    def marks(self):
        url = "/traits?name=startswith:CUSTOM_VHATT_"
        return self._ask("GET", url)[1]["traits"]

    def clear(self):
        for provider in self.made:
            self._ask("DELETE", f"/resource_providers/{provider}")
        for name in self.marks():
            self._ask("DELETE", f"/traits/{name}")


@pytest.fixture
def cloud(placement):
    hosts = Hosts(placement)
    yield hosts
    hosts.clear()


@pytest.fixture
def verifier(certificates):
    with verifiers.serving(certificates) as serving:
        serving.agents = {"agent1": agent()}
        yield serving


@pytest.fixture
def login(placement):
    return (
        "\n[placement]\nauth_type = admin_token\ntoken = admin\n"
        f"endpoint = {placement.url}\n"
    )


@pytest.fixture
def etc(login, verifier, certificates, tmp_path):
    tmp_path.chmod(0o755)
    etc = Etc(tmp_path)
    etc.write("key", "ab" * 32)
    etc.write("hosts.yaml", f"hosts: {{{UUIDS['compute1']}: agent1}}\n")
    etc.write(
        "attestor.conf",
        "[vhard_attestor]\n"
        "interval = 5\n"
        f"keylime_url = {verifier.url}\n"
        f"keylime_ca_file = {certificates}/ca.crt\n"
        f"keylime_cert_file = {certificates}/client.crt\n"
        f"keylime_key_file = {certificates}/client.key\n"
        f"key_file = {tmp_path}/key\n"
        f"mapping_file = {tmp_path}/hosts.yaml\n" + login,
    )
    key = f"[vhard]\nattestation_key_file = {tmp_path}/key\n"
    etc.nova(NOVA + login + key)
    etc.write("policy.yaml", REQUIRED)
    return etc


@pytest.fixture
def command(tmp_path):
    program = [sys.executable, "-m", "nova_vhard.cmd.attestor"]
    return [*program, "--config-file", str(tmp_path / "attestor.conf")]


@pytest.fixture
def run(etc, command):
    def run(*words):
        ended = subprocess.run(
            [*command, *words], capture_output=True, text=True, check=False
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        lines = (ended.stdout + ended.stderr).splitlines()
        return ended.returncode, lines

    return run


def cells(lines):
    (row,) = [line for line in lines if line.startswith("| compute1")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_from_nothing_to_attested_and_back(cloud, verifier, etc, run):
    host = cloud.host("compute1", COMPUTE)
    code, lines = run("status")
    assert code == 1
    assert cells(lines)[2:] == ["no", cells(lines)[3], "no", "none"]
    assert status._run(attestation, etc.node, None).code == Code.FAILURE

    assert run("run", "--once")[0] == 0
    assert TRAIT in cloud.traits(host)
    code, lines = run("status")
    assert code == 0
    name, agent_id, attested, word, trait, mark = cells(lines)
    assert (name, agent_id, attested) == ("compute1", "agent1", "yes")
    assert word.startswith("verified ") and trait == "yes"
    assert 0 < int(mark.removesuffix(" s")) <= 600
    result = status._run(attestation, etc.node, None)
    assert (result.code, result.details) == (0, "1 hosts are attested.")

    event = "pcr_validation.invalid_pcr_23"
    verifier.agents["agent1"] = agent("FAIL", last_event_id=event)
    code, lines = run("status")
    assert code == 1
    assert cells(lines)[2:5] == [
        "no",
        f"the verifier refuses it: {event}",
        "yes",
    ]
    assert run("run", "--once")[0] == 0
    assert TRAIT not in cloud.traits(host)


def test_an_agent_of_which_nothing_is_demanded(cloud, verifier, etc, run):
    cloud.host("compute1", COMPUTE)
    host = cloud.host("compute2", COMPUTE)
    etc.write(
        "hosts.yaml",
        f"hosts: {{{UUIDS['compute1']}: agent1, {host}: agent2}}\n",
    )
    verifier.agents["agent2"] = agent(tpm_policy='{"mask": "0x400"}')
    assert run("run", "--once")[0] == 0
    code, lines = run("status")
    assert code == 1 and cells(lines)[2] == "yes"
    (line,) = [line for line in lines if line.startswith("| compute2")]
    assert "demands nothing" in line
    result = status._run(attestation, etc.node, None)
    assert result.code == Code.WARNING
    assert host in result.details
    with open(etc.folder / "attestor.conf", "a") as file:
        file.write("[vhard_attestor]\nattest_without_policy = true\n")
    assert run("run", "--once")[0] == 0
    assert run("status")[0] == 0
    assert status._run(attestation, etc.node, None).code == Code.SUCCESS


def test_a_trait_that_somebody_else_has_written(cloud, run):
    cloud.host("compute1", COMPUTE)
    liar = cloud.host("liar", COMPUTE, TRAIT)
    code, lines = run("status")
    assert code == 1 and any("not in the mapping" in line for line in lines)
    assert run("run", "--once")[0] == 0
    assert TRAIT not in cloud.traits(liar)
    code, lines = run("status")
    assert code == 0 and not any("liar" in line for line in lines)


def test_status_of_a_mark_that_lies_on_a_provider(cloud, run):
    # it counts for nothing with a scheduler, so for nothing here
    cloud.host("compute1", COMPUTE)
    assert run("run", "--once")[0] == 0
    liar = cloud.host("liar", COMPUTE, *cloud.marks())
    code, lines = run("status")
    assert code == 1
    assert cells(lines)[2] == "no" and cells(lines)[4:] == ["yes", "none"]
    assert "marks that lie on providers: 1" in lines
    assert run("run", "--once")[0] == 0
    assert run("status")[0] == 0
    assert not cloud.traits(liar) & set(cloud.marks())


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("key", "", "must have one key a line"),
        ("attestor.conf", "[vhard_attestor]\n", "lacks keylime_ca_file"),
        (
            "attestor.conf",
            "[vhard_attestor]\nmax_age = 60\n",
            "less than 3 times interval (60)",
        ),
        ("attestor.conf", "[vhard_attestor]\ninterval = 1\n", "interval"),
        ("attestor.conf", "[vhard_attestor]\nsource = x\n", "source: x is"),
    ],
)
@pytest.mark.parametrize("command_words", [("run", "--once"), ("status",)])
def test_what_it_does_not_start_with(
    etc, run, file, text, words, command_words
):
    etc.write(file, text)
    code, lines = run(*command_words)
    assert code == 1
    (line,) = lines
    assert line.startswith("nova-vhard-attestor: ") and words in line


def test_a_verifier_that_is_down_is_one_line(etc, run, verifier, cloud):
    cloud.host("compute1", COMPUTE)
    verifier.status = 503
    code, lines = run("run", "--once")
    assert code == 1
    (line,) = [line for line in lines if " ERROR " in line]
    assert "The verifier: https://localhost" in line and "503" in line
    code, (line,) = run("status")
    assert code == 1 and "status 503" in line


def until(holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_killed_and_started_again(cloud, verifier, etc, command):
    host = cloud.host("compute1", COMPUTE)
    with running(command) as process:
        until(lambda: TRAIT in cloud.traits(host))
        process.kill()
    # what it said lasts without it
    assert TRAIT in cloud.traits(host)
    assert status._run(attestation, etc.node, None).code == Code.SUCCESS
    with running(command) as process:
        verifier.agents["agent1"] = agent("FAIL")
        until(lambda: TRAIT not in cloud.traits(host))
        verifier.agents["agent1"] = agent()
        until(lambda: TRAIT in cloud.traits(host))
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@contextlib.contextmanager
def running(command):
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen([*command, "run"], stderr=nowhere)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("mode", "words"),
    [(0o640, "No host is attested by this key"), (0o644, "chmod o-r")],
)
def test_status_of_a_scheduler(cloud, etc, tmp_path, mode, words):
    (tmp_path / "key").chmod(mode)
    result = status._run(attestation, etc.node, None)
    assert result.code == Code.FAILURE
    assert words in result.details


def test_status_where_nothing_asks_for_it(etc, login):
    etc.nova(NOVA + login)
    etc.write("policy.yaml", POLICY)
    assert status._run(attestation, etc.node, None).code == Code.SUCCESS
    etc.write("policy.yaml", REQUIRED)
    result = status._run(attestation, etc.node, None)
    assert result.code == Code.FAILURE
    assert "not set" in result.details

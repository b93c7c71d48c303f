# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-attestor, a verifier by HTTPS, and nova-vhard-status."""

import subprocess
import sys

import pytest
from oslo_upgradecheck.upgradecheck import Code
from wsgi_intercept import requests_intercept

from nova_vhard.cmd import attestor as program
from nova_vhard.cmd import status
from nova_vhard.status import node
from nova_vhard.status.attestation import attestation
from tests.functional.placement.attestors import COMPUTE, TRAIT
from tests.functional.placement.test_status import login
from tests.unit.attestor import verifier as verifiers
from tests.unit.attestor.verifier import agent
from tests.unit.cli.nodes import NOVA, POLICY, Etc

REQUIRED = f"{POLICY}hosts: {{require: [attested]}}\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    verifiers.make_certificates(folder)
    return folder


@pytest.fixture(autouse=True)
def real_connections(cloud, monkeypatch):
    """Reach the verifier by HTTPS, which Placement's fixture replaces."""
    requests_intercept.uninstall()
    for module in (program, node):
        monkeypatch.setattr(module, "connect", lambda *_: cloud.placement)
    yield
    requests_intercept.install()


@pytest.fixture
def verifier(certificates):
    with verifiers.serving(certificates) as serving:
        serving.agents = {"agent1": agent()}
        yield serving


@pytest.fixture
def host(cloud):
    return cloud.host("compute1", {COMPUTE})


@pytest.fixture
def etc(cloud, host, verifier, certificates, tmp_path):
    """Return the files of an attestor and of a scheduler."""
    tmp_path.chmod(0o755)
    etc = Etc(tmp_path)
    etc.write("key", "ab" * 32)
    etc.write("hosts.yaml", f"hosts: {{{host}: agent1}}\n")
    etc.write(
        "attestor.conf",
        "[vhard_attestor]\n"
        "interval = 5\n"
        f"keylime_url = {verifier.url}\n"
        f"keylime_ca_file = {certificates}/ca.crt\n"
        f"keylime_cert_file = {certificates}/client.crt\n"
        f"keylime_key_file = {certificates}/client.key\n"
        f"key_file = {tmp_path}/key\n"
        f"mapping_file = {tmp_path}/hosts.yaml\n" + login(cloud),
    )
    key = f"[vhard]\nattestation_key_file = {tmp_path}/key\n"
    etc.nova(NOVA + login(cloud) + key)
    etc.write("policy.yaml", REQUIRED)
    return etc


@pytest.fixture
def words(tmp_path):
    return ["--config-file", str(tmp_path / "attestor.conf")]


@pytest.fixture
def run(etc, words, capsys):
    """Return a function that runs a command: its status and lines."""

    def run(*command):
        capsys.readouterr()
        code = program.main([*words, *command])
        return code, "".join(capsys.readouterr()).splitlines()

    return run


@pytest.fixture
def scheduler(etc):
    """Return a function that looks at the scheduler's attestation."""
    return lambda: status._run(attestation, etc.node, None)


def cells(lines, host="compute1"):
    (row,) = [line for line in lines if line.startswith(f"| {host}")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_from_nothing_to_attested_and_back(
    cloud, host, verifier, run, scheduler
):
    code, lines = run("status")
    assert code == 1
    assert cells(lines)[2:] == ["no", cells(lines)[3], "no", "none"]
    result = scheduler()
    assert result.code == Code.FAILURE
    assert "No host is attested by this key" in result.details

    assert run("run", "--once")[0] == 0
    assert TRAIT in cloud.traits(host)[0]
    code, lines = run("status")
    assert code == 0
    name, agent_id, attested, word, trait, mark = cells(lines)
    assert (name, agent_id, attested) == ("compute1", "agent1", "yes")
    assert word.startswith("verified ") and trait == "yes"
    assert 0 < int(mark.removesuffix(" s")) <= 600
    result = scheduler()
    assert (result.code, result.details) == (0, "1 hosts are attested.")

    event = "pcr_validation.invalid_pcr_23"
    verifier.agents["agent1"] = agent("FAIL", last_event_id=event)
    code, lines = run("status")
    assert code == 1
    refused = f"the verifier refuses it: {event}"
    assert cells(lines)[2:5] == ["no", refused, "yes"]
    assert run("run", "--once")[0] == 0
    assert TRAIT not in cloud.traits(host)[0]


def test_an_agent_of_which_nothing_is_demanded(
    cloud, host, verifier, etc, run, scheduler
):
    other = cloud.host("compute2", {COMPUTE})
    etc.write("hosts.yaml", f"hosts: {{{host}: agent1, {other}: agent2}}\n")
    verifier.agents["agent2"] = agent(tpm_policy='{"mask": "0x400"}')
    assert run("run", "--once")[0] == 0
    code, lines = run("status")
    assert code == 1 and cells(lines)[2] == "yes"
    assert "demands nothing" in " ".join(cells(lines, "compute2"))
    result = scheduler()
    assert result.code == Code.WARNING
    assert other in result.details
    with open(etc.folder / "attestor.conf", "a") as file:
        file.write("[vhard_attestor]\nattest_without_policy = true\n")
    assert run("run", "--once")[0] == 0
    assert run("status")[0] == 0
    assert scheduler().code == Code.SUCCESS


def test_a_trait_or_a_mark_that_somebody_else_has_written(cloud, run):
    """It counts for nothing with a scheduler, so for nothing here."""
    liar = cloud.host("liar", {COMPUTE, TRAIT})
    code, lines = run("status")
    assert code == 1 and any("not in the mapping" in line for line in lines)
    assert run("run", "--once")[0] == 0
    assert TRAIT not in cloud.traits(liar)[0]
    code, lines = run("status")
    assert code == 0 and not any("liar" in line for line in lines)
    url = "/traits?name=startswith:CUSTOM_VHATT_"
    marks = cloud.get(url, "1.39").json()["traits"]
    cloud.give(liar, {COMPUTE, *marks})
    code, lines = run("status")
    assert code == 1
    assert cells(lines)[2] == "no" and cells(lines)[4:] == ["yes", "none"]
    assert "marks that lie on providers: 1" in lines
    assert run("run", "--once")[0] == 0
    assert run("status")[0] == 0
    assert not cloud.traits(liar)[0] & set(marks)


@pytest.mark.parametrize(
    ("file", "text", "said"),
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
@pytest.mark.parametrize("command", [("run", "--once"), ("status",)])
def test_what_it_does_not_start_with(etc, run, file, text, said, command):
    etc.write(file, text)
    code, (line,) = run(*command)
    assert code == 1
    assert line.startswith("nova-vhard-attestor: ") and said in line


def test_a_verifier_that_is_down_is_one_line(run, verifier):
    verifier.status = 503
    code, lines = run("run", "--once")
    (line,) = [line for line in lines if " ERROR " in line]
    assert code == 1
    assert "The verifier: https://localhost" in line and "503" in line
    code, lines = run("status")
    assert code == 1 and "status 503" in lines[-1]


def test_the_program_itself(etc, words):
    """Another process cannot reach this Placement."""
    command = [sys.executable, "-m", "nova_vhard.cmd.attestor", *words]
    ended = subprocess.run(
        [*command, "run", "--once"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert " ERROR " in ended.stderr and "Placement: " in ended.stderr


def test_status_of_a_key_that_others_can_read(etc, scheduler, tmp_path):
    (tmp_path / "key").chmod(0o644)
    result = scheduler()
    assert result.code == Code.FAILURE
    assert "chmod o-r" in result.details


def test_status_where_nothing_asks_for_it(cloud, etc, scheduler):
    etc.nova(NOVA + login(cloud))
    etc.write("policy.yaml", POLICY)
    assert scheduler().code == Code.SUCCESS
    etc.write("policy.yaml", REQUIRED)
    result = scheduler()
    assert result.code == Code.FAILURE
    assert "not set" in result.details

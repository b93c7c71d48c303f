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
from tests.unit.attestor.verifier import agent
from tests.unit.cli.nodes import NOVA, POLICY, Etc

REQUIRED = f"{POLICY}hosts: {{require: [attested]}}\n"


@pytest.fixture(autouse=True)
def real_connections(cloud, monkeypatch):
    """Reach the verifier by HTTPS, which Placement's fixture replaces."""
    requests_intercept.uninstall()
    for module in (program, node):
        monkeypatch.setattr(module, "connect", lambda *_: cloud.placement)
    yield
    requests_intercept.install()


@pytest.fixture
def host(cloud):
    return cloud.host("compute1", {COMPUTE})


@pytest.fixture
def etc(cloud, host, verifier, certificates, tmp_path):
    """Return the files of an attestor and of a scheduler."""
    tmp_path.chmod(0o755)
    verifier.agents = {"agent1": agent()}
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
def seen(run):
    """Return a function that runs "status", perhaps after a round.

    It returns the exit status, and a host's columns but for its name.
    """

    def seen(host="compute1", after=False):
        assert not after or run("run", "--once")[0] == 0
        code, lines = run("status")
        rows = (each.strip("|") for each in lines if f"| {host}" in each)
        return code, *(cell.strip() for row in rows for cell in row.split("|"))

    return seen


@pytest.fixture
def scheduler(etc):
    """Return a function that looks at the scheduler's attestation."""
    return lambda: status._run(attestation, etc.node, None)


def test_from_nothing_to_attested_and_back(
    cloud, host, verifier, seen, scheduler
):
    code, _, _, *said = seen()
    assert (code, said[0], said[2:]) == (1, "no", ["no", "none"])
    assert scheduler().code == Code.FAILURE

    code, *said, mark = seen(after=True)
    assert TRAIT in cloud.traits(host)[0]
    assert (code, *said[:3]) == (0, "compute1", "agent1", "yes")
    assert said[3].startswith("verified ") and said[4:] == ["yes"]
    assert 0 < int(mark.removesuffix(" s")) <= 600
    assert scheduler().code == Code.SUCCESS

    event = "pcr_validation.invalid_pcr_23"
    verifier.agents["agent1"] = agent("FAIL", last_event_id=event)
    code, _, _, *said = seen()
    refused = f"the verifier refuses it: {event}"
    assert (code, *said[:3]) == (1, "no", refused, "yes")
    seen(after=True)
    assert TRAIT not in cloud.traits(host)[0]


def test_an_agent_of_which_nothing_is_demanded(
    cloud, host, verifier, etc, seen, scheduler
):
    other = cloud.host("compute2", {COMPUTE})
    etc.write("hosts.yaml", f"hosts: {{{host}: agent1, {other}: agent2}}\n")
    verifier.agents["agent2"] = agent(tpm_policy='{"mask": "0x400"}')
    code, *cells = seen("compute2", after=True)
    assert (code, cells[2]) == (1, "no")
    assert "demands nothing" in cells[3]
    assert scheduler().code == Code.WARNING
    assert other in scheduler().details
    with open(etc.folder / "attestor.conf", "a") as file:
        file.write("[vhard_attestor]\nattest_without_policy = true\n")
    assert seen("compute2", after=True)[0] == 0
    assert scheduler().code == Code.SUCCESS


def test_a_trait_or_a_mark_that_somebody_else_has_written(cloud, run, seen):
    """It counts for nothing with a scheduler, so for nothing here."""
    liar = cloud.host("liar", {COMPUTE, TRAIT})
    code, *cells = seen("liar")
    assert code == 1 and "not in the mapping" in str(cells)
    assert seen("liar", after=True) == (0,)
    assert TRAIT not in cloud.traits(liar)[0]
    marks = cloud.placement.marks()
    cloud.give(liar, {COMPUTE, *marks})
    code, *cells = seen()
    assert (code, cells[2], *cells[4:]) == (1, "no", "yes", "none")
    assert "marks that lie on providers: 1" in run("status")[1]
    assert seen(after=True)[0] == 0
    assert not cloud.traits(liar)[0] & marks


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
    for command, begins in ((("run", "--once"), " ERROR "), (("status",), "")):
        code, lines = run(*command)
        line = [line for line in lines if begins in line][-1]
        assert code == 1
        assert "https://localhost" in line and "503" in line


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


def test_status_where_nothing_asks_for_it(cloud, etc, scheduler, tmp_path):
    (tmp_path / "key").chmod(0o644)
    assert scheduler().code == Code.FAILURE
    assert "chmod o-r" in scheduler().details
    etc.nova(NOVA + login(cloud))
    assert scheduler().code == Code.FAILURE
    etc.write("policy.yaml", POLICY)
    assert scheduler().code == Code.SUCCESS

# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status on the real Placement, and fixes that it prints.

A wrong password of Placement needs Keystone: tests/integration/test_cloud.py.
"""

import contextlib
import datetime
import email.utils
import json
import os
import re
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.catalogue import traits
from nova_vhard.cmd import paste, status
from nova_vhard.placement import names
from nova_vhard.status import cloud as checks
from nova_vhard.status.attestation import attestation
from tests.faults import in_a_process
from tests.functional.placement.attestors import START, Story
from tests.unit.cli.nodes import NOVA, POLICY, Etc, compute, shipped

OFFERED = f"{POLICY}passthrough: {{allow: {{aliases: [gpu]}}}}\n"
COMPUTE = "COMPUTE_NODE"
pytestmark = pytest.mark.usefixtures("weeks")


def login(cloud, token="admin", endpoint=None):
    """Return a group [placement] that leads to this Placement."""
    endpoint = endpoint or cloud._fixture.endpoint
    return (
        f"\n[placement]\nauth_type = admin_token\ntoken = {token}\n"
        f"endpoint = {endpoint}\n"
    )


@pytest.fixture
def etc(tmp_path, cloud):
    etc = Etc(tmp_path)
    etc.nova(NOVA + login(cloud))
    etc.write("policy.yaml", OFFERED)
    return etc


def look(check, node):
    return status._run(check, node, None)


DOWN = "check that Placement runs"
#: Logins of nova.conf and reporter.conf, None without the file; result.
LOGINS = {
    "of nova.conf": ({}, None, Code.SUCCESS, "by the login of nova.conf."),
    "both": ({}, {}, Code.SUCCESS, "reporter.conf and nova.conf"),
    "only a reporter here": (
        None,
        {},
        Code.WARNING,
        "nova.conf does not exist on this node",
    ),
    "without the role": (
        {},
        {"token": "somebody"},
        Code.FAILURE,
        "by the login of reporter.conf: status 403",
    ),
    "a Placement that is not there": (
        {"endpoint": "http://127.0.0.1:1/"},
        None,
        Code.FAILURE,
        DOWN,
    ),
}


@pytest.mark.parametrize(
    ("nova", "reporter", "code", "text"), LOGINS.values(), ids=LOGINS
)
def test_logins(etc, cloud, nova, reporter, code, text):
    if nova is None:
        (etc.folder / "nova/nova.conf").unlink()
    else:
        etc.nova(NOVA + login(cloud, **nova))
    if reporter is not None:
        etc.write("reporter.conf", login(cloud, **reporter))
    result = look(checks.placement, etc.node)
    assert result.code == code
    assert text in result.details
    # The result names each login that fails, and no other.
    assert (": status" in result.details) is ("token" in (reporter or ()))
    assert "nova.conf: status" not in result.details


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        (401, "correct the login"),
        (403, "the role service"),
        (406, "upgrade Placement: microversion 1.39"),
        (503, DOWN),
    ],
)
def test_each_refusal_has_its_fix(etc, cloud, monkeypatch, code, fix):
    cloud.refuse("", "", code, "no")
    monkeypatch.setattr(checks, "connect", lambda conf: cloud.placement)
    result = look(checks.placement, etc.node)
    assert result.code == Code.FAILURE
    assert fix in result.details


@pytest.mark.parametrize(
    ("hours", "code"),
    [(0, Code.SUCCESS), (2, Code.FAILURE), (-2, Code.FAILURE)],
)
def test_a_clock_that_is_wrong(etc, cloud, monkeypatch, hours, code):
    now = datetime.datetime.now(datetime.UTC)
    there = now + datetime.timedelta(hours=hours)
    headers = {"Date": email.utils.format_datetime(there)}
    cloud.refuse("", "", 200, '{"traits": []}', headers)
    monkeypatch.setattr(checks, "connect", lambda conf: cloud.placement)
    result = look(checks.placement, etc.node)
    assert result.code == code
    assert ("correct the wrong clock" in result.details) is bool(hours)


REQUIRE = f"{POLICY}hosts: {{require: [attested]}}\n"
#: Policy, events of a Story, mode of the scheduler's key, None without one;
#: result.
ATTESTATION = {
    "nothing asks for it": (POLICY, "start", None, Code.SUCCESS, ""),
    "no key": (REQUIRE, "start", None, Code.FAILURE, "it is not set"),
    "an open key": (REQUIRE, "start", 0o644, Code.FAILURE, "chmod o-r"),
    "no attestor": (
        *(REQUIRE, "verify", 0o640, Code.FAILURE),
        "No host is attested by this key",
    ),
    "attested": (REQUIRE, "start", 0o640, Code.SUCCESS, "2 hosts are"),
    "nothing is demanded of a host": (
        *(REQUIRE, "demands a, start", 0o640, Code.WARNING),
        "The verifier demands nothing of 1 hosts",
    ),
}


@pytest.mark.parametrize(
    ("policy", "events", "mode", "code", "text"),
    ATTESTATION.values(),
    ids=ATTESTATION,
)
def test_attestation(etc, cloud, tmp_path, policy, events, mode, code, text):
    story = Story(cloud, tmp_path)
    seconds = int(time.time() - START.timestamp())
    story.happens(f"at {seconds}, hosts_of a b, {events}")
    if mode:
        key = f"[vhard]\nattestation_key_file = {story.key}\n"
        etc.nova(NOVA + login(cloud) + key)
        story.key.chmod(mode)
    etc.write("policy.yaml", policy)
    result = look(attestation, etc.node)
    assert result.code == code
    assert text in result.details


@pytest.mark.parametrize("service", ["nova", "glance"])
def test_the_command_that_it_prints_adds_the_gate(etc, service):
    file = {"nova": "api-paste.ini", "glance": "glance-api-paste.ini"}[service]
    etc.write(f"{service}/{file}", shipped(service))
    check = status.CHECKS[f"{service.title()} API gate"]
    details = look(check, etc.node).details
    (words,) = re.findall(r"nova-vhard-paste (add \w+ \S+),", details)
    assert paste.main(words.split()) == 0
    assert look(check, etc.node).code == Code.SUCCESS


def policy_of_nobody(etc):
    """Return the result of the first check as user nobody sees it."""
    command = [*etc.arguments, "upgrade", "check", "--json", "--user=nobody"]
    path = etc.folder / "printed"

    def work():
        with path.open("w") as file, contextlib.redirect_stdout(file):
            status.main(command)

    in_a_process(work)
    return json.loads(path.read_text().splitlines()[-1])["checks"][0]


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize(
    ("mode", "mode_of_state", "fix"),
    [
        (0o600, 0o777, r"cannot read it\. Run (.+?) and (chmod .+?)\. "),
        (0o644, 0o755, r"cannot write to \S+/state: .* Run (.+?)\.(?: |$)"),
    ],
)
def test_a_policy_that_another_user_cannot_use(mode, mode_of_state, fix):
    """Other users cannot reach the folders of tests."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        etc = Etc(Path(name))
        for path in etc.folder.glob("*/*.conf"):
            path.chmod(0o644)
        (etc.folder / "policy.yaml").chmod(mode)
        (etc.folder / "state").mkdir()
        (etc.folder / "state").chmod(mode_of_state)
        before = policy_of_nobody(etc)
        assert before["result"] != Code.SUCCESS
        for command in re.search(fix, before["details"]).groups():
            subprocess.run(shlex.split(command), check=True)
        after = policy_of_nobody(etc)
        assert after["result"] == Code.SUCCESS, after["details"]


def marks(hours=0):
    now = datetime.datetime.now(datetime.UTC)
    return {COMPUTE, traits.of_hour(now - datetime.timedelta(hours=hours))}


NO_NAMES = "names for the reports of only 0 more days"
REQUIRES = f"{POLICY}hosts: {{require: [kernel_aslr]}}\n"
#: Policy, hypervisors, whether a sweep has created the names; result. Host a
#: reports, b is stale, c is unknown to Placement; metal is bare metal, which
#: needs no reporter.
REPORTERS = {
    "no sweep": (OFFERED, ["a", "metal"], False, Code.WARNING, NO_NAMES),
    "swept": (OFFERED, ["a", "metal"], True, Code.SUCCESS, "All 1 hosts have"),
    "some": (OFFERED, "abc", True, Code.WARNING, "2 of 3 hosts"),
    "they are named": (OFFERED, "abc", True, Code.WARNING, "(b, c)"),
    "none": (OFFERED, "bc", True, Code.FAILURE, ""),
    # The login's endpoint is Placement's, which knows no hypervisors.
    "no Nova API": (OFFERED, None, True, Code.WARNING, "which hypervisors"),
    "no rule of the policy": (POLICY, "c", True, Code.SUCCESS, ""),
    "a rule of the policy": (REQUIRES, "c", True, Code.FAILURE, ""),
}


@pytest.mark.parametrize(
    ("policy", "listed", "swept", "code", "text"),
    REPORTERS.values(),
    ids=REPORTERS,
)
def test_reporters(etc, cloud, policy, listed, swept, code, text):
    for name, has in {"a": marks(), "b": marks(9), "metal": {COMPUTE}}.items():
        cloud.host(name, has)
    if swept:
        now = datetime.datetime.now(datetime.UTC)
        cloud.insert(traits.hours(now, 0, names.DAYS * 24 + 1))
    etc.write("policy.yaml", policy)
    node = etc.node
    if listed is not None:
        kinds = dict.fromkeys(listed, "QEMU") | {"metal": "ironic"}
        node.compute = compute(
            hypervisors=[
                SimpleNamespace(name=each, hypervisor_type=kinds[each])
                for each in listed
            ]
        )
        access = SimpleNamespace(role_names=["Admin"])
        auth = SimpleNamespace(get_access=lambda session: access)
        node.cloud = SimpleNamespace(session=SimpleNamespace(auth=auth))
    result = look(checks.reporters, node)
    assert result.code == code
    assert text in result.details

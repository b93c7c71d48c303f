# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status on the real Placement."""

import datetime
import json
import time
from types import SimpleNamespace

import pytest
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.catalogue import traits
from nova_vhard.cmd import status
from nova_vhard.placement.client import PlacementError
from nova_vhard.status import cloud as checks
from nova_vhard.status.attestation import attestation
from tests.functional.placement.attestors import START, Story
from tests.unit.cli.nodes import NOVA, POLICY, Etc, compute

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
    with pytest.raises(PlacementError) as raised:
        cloud.placement.known({COMPUTE})
    assert raised.value.status == code


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


def hypervisor(name, kind="QEMU"):
    return SimpleNamespace(name=name, hypervisor_type=kind)


def seen(etc, *hypervisors):
    """Return a node whose login sees these hypervisors."""
    node = etc.node
    node.compute = compute(hypervisors=hypervisors)
    access = SimpleNamespace(role_names=["Admin"])
    auth = SimpleNamespace(get_access=lambda session: access)
    node.cloud = SimpleNamespace(session=SimpleNamespace(auth=auth))
    return node


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
    ("policy", "names", "swept", "code", "text"),
    REPORTERS.values(),
    ids=REPORTERS,
)
def test_reporters(etc, cloud, policy, names, swept, code, text):
    for name, has in {"a": marks(), "b": marks(9), "metal": {COMPUTE}}.items():
        cloud.host(name, has)
    if swept:
        cloud.insert_swept(datetime.datetime.now(datetime.UTC))
    etc.write("policy.yaml", policy)
    kinds = {"metal": "ironic"}
    node = etc.node
    if names is not None:
        judged = (hypervisor(each, kinds.get(each, "QEMU")) for each in names)
        node = seen(etc, *judged)
    result = look(checks.reporters, node)
    assert result.code == code
    assert text in result.details


def test_the_command(etc, cloud, capsys):
    cloud.host("a", marks())
    arguments = [*etc.arguments, "upgrade", "check", "--json"]
    # This nova.conf lacks the filter that the policy's aliases need.
    assert status.main(arguments) == Code.FAILURE
    # Placement runs in this process, and its log goes to standard error.
    out = capsys.readouterr().out
    result = {
        each["check"]: each["result"] for each in json.loads(out)["checks"]
    }
    failed = [name for name, code in result.items() if code == Code.FAILURE]
    assert failed == ["PCI passthrough"]
    assert result["Placement"] == Code.SUCCESS
    assert result["Reporters"] == Code.WARNING
    assert "crashed" not in out

# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status on the real Placement."""

import datetime
import json
from types import SimpleNamespace

import pytest
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.catalogue import traits
from nova_vhard.cmd import status
from nova_vhard.placement.client import PlacementError
from nova_vhard.status import cloud as checks
from tests.functional.placement.conftest import Answer
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


def test_placement_by_both_logins(etc, cloud):
    result = look(checks.placement, etc.node)
    assert result.code == Code.SUCCESS
    assert "login of nova.conf." in result.details
    etc.write("reporter.conf", login(cloud))
    result = look(checks.placement, etc.node)
    assert result.code == Code.SUCCESS
    assert "reporter.conf and nova.conf" in result.details


def test_a_login_without_the_role(etc, cloud):
    etc.write("reporter.conf", login(cloud, token="somebody"))
    result = look(checks.placement, etc.node)
    assert result.code == Code.FAILURE
    assert "by the login of reporter.conf: status 403" in result.details
    assert "the role service" in result.details
    assert "of nova.conf:" not in result.details


def test_a_placement_that_is_not_there(etc, cloud):
    etc.nova(NOVA + login(cloud, endpoint="http://127.0.0.1:1/"))
    result = look(checks.placement, etc.node)
    assert result.code == Code.FAILURE
    assert "check that Placement runs" in result.details


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        (401, "correct the login"),
        (403, "the role service"),
        (406, "upgrade Placement: microversion 1.39"),
        (503, "check that Placement runs"),
    ],
)
def test_each_refusal_has_its_fix(etc, cloud, monkeypatch, code, fix):
    cloud.faults.append(lambda method, url: Answer(code, "no"))
    monkeypatch.setattr(checks, "connect", lambda conf: cloud.placement)
    result = look(checks.placement, etc.node)
    assert result.code == Code.FAILURE
    assert fix in result.details
    with pytest.raises(PlacementError) as raised:
        cloud.placement.known({COMPUTE})
    assert raised.value.status == code


def test_only_a_reporter_here(etc, cloud):
    (etc.folder / "nova/nova.conf").unlink()
    etc.write("reporter.conf", login(cloud))
    result = look(checks.placement, etc.node)
    assert result.code == Code.WARNING
    assert "nova.conf does not exist on this node" in result.details


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


def test_reporters_of_judged_hosts(etc, cloud):
    cloud.host("a", marks())
    cloud.host("b", marks(9))
    cloud.host("metal", {COMPUTE})
    everything = [hypervisor(each) for each in "abc"]
    # The bare metal node does not concern us.
    metal = hypervisor("metal", "ironic")
    result = look(checks.reporters, seen(etc, everything[0], metal))
    assert result.code == Code.WARNING
    assert "names for the reports of only 0 more days" in result.details
    # when a sweep has made them
    cloud.insert_swept(datetime.datetime.now(datetime.UTC))
    result = look(checks.reporters, seen(etc, everything[0], metal))
    assert result.code == Code.SUCCESS
    assert "All 1 hosts have" in result.details
    # One is stale, one not even known to Placement.
    result = look(checks.reporters, seen(etc, *everything, metal))
    assert result.code == Code.WARNING
    assert "2 of 3 hosts" in result.details
    assert "(b, c)" in result.details
    result = look(checks.reporters, seen(etc, *everything[1:]))
    assert result.code == Code.FAILURE


def test_reporters_where_the_policy_asks_nothing_of_hosts(etc, cloud):
    etc.write("policy.yaml", POLICY)
    cloud.host("a", {COMPUTE})
    assert look(checks.reporters, etc.node).code == Code.SUCCESS
    etc.write("policy.yaml", f"{POLICY}hosts: {{require: [kernel_aslr]}}\n")
    node = seen(etc, hypervisor("a"))
    assert look(checks.reporters, node).code == Code.FAILURE


def test_reporters_when_the_nova_api_does_not_answer(etc, cloud):
    cloud.host("a", marks())
    # The login's endpoint is Placement's, which knows no hypervisors.
    result = look(checks.reporters, etc.node)
    assert result.code == Code.WARNING
    assert "not known which hypervisors" in result.details


def test_the_command(etc, cloud, capsys):
    cloud.host("a", marks())
    arguments = [*etc.arguments, "upgrade", "check", "--json"]
    # This nova.conf lacks the filter that the policy's aliases need.
    assert status.main(arguments) == Code.FAILURE
    # Placement runs in this process, and its log goes to standard error.
    out = capsys.readouterr().out
    result = {each["check"]: each for each in json.loads(out)["checks"]}
    assert result.pop("PCI passthrough")["result"] == Code.FAILURE
    assert Code.FAILURE not in {each["result"] for each in result.values()}
    assert result["Placement"]["result"] == Code.SUCCESS
    assert result["Reporters"]["result"] == Code.WARNING
    assert "crashed" not in out

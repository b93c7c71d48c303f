# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status: flavors and hypervisors, as the Nova API lists them.

``tests/functional/placement/test_status.py`` has what Placement says.
"""

from types import SimpleNamespace

import pytest
from keystoneauth1 import exceptions
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.cmd import status
from nova_vhard.status import cloud
from tests.unit.cli.nodes import POLICY, Etc, compute

pytestmark = pytest.mark.services
OFFERED = f"{POLICY}passthrough: {{allow: {{aliases: [gpu]}}}}\n"
IOMMU = "trait:CUSTOM_VHARD_IOMMU"
REMAPPING = "trait:CUSTOM_VHARD_INTERRUPT_REMAPPING"
GPU = {"pci_passthrough:alias": "gpu:1"}
SYNCED = {**GPU, IOMMU: "required", REMAPPING: "required"}


def flavor(name, specs):
    return SimpleNamespace(name=name, extra_specs=specs)


def look(tmp_path, flavors, roles=("admin",), text=OFFERED):
    etc = Etc(tmp_path)
    etc.write("policy.yaml", text)
    node = etc.node
    node.compute = compute(flavors)
    access = SimpleNamespace(role_names=roles)
    auth = SimpleNamespace(get_access=lambda session: access)
    if roles is None:
        auth = SimpleNamespace()
    node.cloud = SimpleNamespace(session=SimpleNamespace(auth=auth))
    return status._run(cloud.flavors, node, None)


@pytest.mark.parametrize(
    ("flavors", "code", "text"),
    [
        ([], Code.SUCCESS, "0 flavors"),
        ([flavor("a", {}), flavor("b", SYNCED)], Code.SUCCESS, "1 flavors"),
        ([flavor("a", GPU)], Code.FAILURE, "1 flavors lack traits"),
        (
            [flavor("a", {IOMMU: "required"})],
            Code.WARNING,
            "no longer requires",
        ),
        (
            [flavor(f"f{each}", GPU) for each in range(8)],
            Code.FAILURE,
            "(f0, f1, f2, f3, f4 and 3 more)",
        ),
        ([flavor("a\u202e\n" + "x" * 99, GPU)], Code.FAILURE, "(axxx"),
    ],
)
def test_flavors(tmp_path, flavors, code, text):
    result = look(tmp_path, flavors)
    assert result.code == code
    assert text in result.details
    assert result.details.isprintable()
    if code != Code.SUCCESS:
        assert "openstack vhard flavor sync" in result.details


@pytest.mark.parametrize(
    ("roles", "text"),
    [(("service",), "has no role admin"), (None, "does not show its roles")],
)
def test_what_a_login_cannot_see_is_no_success(tmp_path, roles, text):
    result = look(tmp_path, [flavor("b", SYNCED)], roles)
    assert result.code == Code.WARNING
    assert text in result.details
    assert "--os-cloud" in result.details


def test_an_api_that_does_not_answer(tmp_path):
    def down():
        raise exceptions.ConnectFailure("unreachable")
        yield

    result = look(tmp_path, down())
    assert result.code == Code.WARNING
    assert "ConnectFailure: unreachable" in result.details


def test_a_policy_that_cannot_be_used(tmp_path):
    result = look(tmp_path, [], text="mode: [\n")
    assert result.code == Code.FAILURE
    assert "the policy cannot be used" in result.details


@pytest.mark.parametrize(
    ("check", "text", "code", "words"),
    [
        (cloud.flavors, POLICY, Code.WARNING, "not known which flavors"),
        (cloud.reporters, OFFERED, Code.WARNING, "not known which hosts"),
        (
            cloud.placement,
            OFFERED,
            Code.FAILURE,
            "no auth_type in group [placement] of nova.conf",
        ),
    ],
)
def test_no_login_at_all(tmp_path, check, text, code, words):
    etc = Etc(tmp_path)
    etc.write("policy.yaml", text)
    result = status._run(check, etc.node, None)
    assert result.code == code
    assert words in result.details


def test_a_cloud_that_clouds_yaml_does_not_name(tmp_path, monkeypatch):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "none.yaml"))
    etc = Etc(tmp_path)
    node = etc.node
    node.conf.set_override("os_cloud", "nowhere")
    result = status._run(cloud.flavors, node, None)
    assert result.code == Code.WARNING
    assert "nowhere" in result.details

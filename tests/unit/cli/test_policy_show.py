# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard policy show``: what is not in cases/policy_show.yaml."""

import pytest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.osc.policy.show import ShowPolicy
from nova_vhard.policy import document
from tests.unit.cli.desk import rows


@pytest.mark.parametrize("name", document.SHIPPED)
def test_effective_is_the_policy(name):
    """Independent count: what is shown is what a policy is built of."""
    result = {
        each["Key"]: (each["Value"], each["Mode"])
        for each in rows(ShowPolicy, "--effective", name)
    }
    policy = document.load(document.shipped(name))
    kinds = {key.split(".")[1] for key in result if key.startswith("guest_d")}
    assert kinds == set(KINDS)
    for kind, rule in policy.guest_devices.items():
        value, mode = result[f"guest_devices.{kind}.allow"]
        written = tuple(KINDS[kind].canonical(each) for each in value)
        assert written == rule.allow.listed
        assert mode == str(rule.mode or policy.mode)
    assert result["hosts.require"][0] == sorted(policy.hosts.require)
    assert result["moves.hosts"][0] == policy.moves_hosts
    assert result["on_host.mode"][0] == policy.on_host.mode

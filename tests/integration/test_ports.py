# SPDX-License-Identifier: Apache-2.0
"""Ports of the real Neutron, of each vnic type: rows 21 and 35.

Neutron has mechanism drivers for all of them. No host has a device to give,
and the computes have Nova's fake driver.
"""

import pytest

from cloud.policies import BASELINE
from tests.integration.people import REFUSED, refusal, until

#: vnic type: what the gate calls that which it stands for.
DEVICES = {
    "direct": "vf",
    "direct-physical": "pf",
    "macvtap": "vf",
    "remote-managed": "remote_managed",
    "vdpa": "vdpa",
    "virtio-forwarder": "vf",
}
#: For Ironic's machines.
METAL = ("baremetal", "smart-nic")
RULE = "[rule passthrough.allow]"
ALLOWED = BASELINE + (
    f"passthrough: {{allow: {{ports: [{', '.join(set(DEVICES.values()))}]}}, "
    "require: []}\n"
)


@pytest.fixture
def port(request, member):
    """A port of a vnic type, which is deleted at the end."""
    made = member.port(request.param)
    yield made
    for server in member.compute().servers():
        member.remove(server)
    member.network.delete_port(made)


def ask(member, port):
    """Ask for a server with a port; return it at once."""
    return member.ask("with-a-port", "clean", port=port.id)


def plug(member, server, port):
    return member.compute().create_server_interface(server, port_id=port.id)


@pytest.mark.parametrize("port", ["normal"], indirect=True)
def test_a_normal_port_is_bound_and_comes_up(member, admin, port):
    server = member.settle(ask(member, port))
    assert server.status == "ACTIVE", server.fault
    seen = admin.network.get_port(port)
    bound = (seen.status, seen.binding_vif_type, seen.binding_host_id)
    assert bound == ("ACTIVE", "ovs", admin.host(server))


@pytest.mark.parametrize("port", ["normal"], indirect=True)
def test_21_a_normal_port_comes_and_goes(member, port):
    with member.server("with-a-port", "clean") as server:
        plug(member, server, port)
        until(lambda: member.network.get_port(port).status == "ACTIVE")
        member.compute().delete_server_interface(port.id, server)
        until(lambda: not member.network.get_port(port).device_id)


@pytest.mark.parametrize(
    ("port", "words"),
    [
        *((key, f"port {{}} asks for '{DEVICES[key]}'") for key in DEVICES),
        ("accelerator-direct", "accelerator of port {}"),
        ("accelerator-direct-physical", "accelerator of port {}"),
    ],
    indirect=["port"],
)
def test_21_a_port_on_a_device_is_refused(member, port, words):
    texts = [refusal(ask, member, port)]
    if "accelerator" not in words:
        with member.server("without-a-port", "clean") as server:
            texts.append(refusal(plug, member, server, port))
        assert not member.network.get_port(port).device_id
    for text in texts:
        assert REFUSED + words.format(port.id) in text
        assert RULE in text


@pytest.mark.parametrize("port", [*METAL, *DEVICES], indirect=True)
def test_what_the_policy_allows_is_for_nova_to_find(
    policy, member, port, decisions
):
    """No host has a device: what Nova would do with it is not shown here."""
    policy(ALLOWED)
    server = member.settle(ask(member, port))
    assert server.status == "ERROR"
    assert "passthrough" not in server.fault["message"]
    assert "hardening" not in server.fault["message"]
    assert {event["outcome"] for event in decisions()} == {"allow"}

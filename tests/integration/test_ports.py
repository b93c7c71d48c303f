# SPDX-License-Identifier: Apache-2.0
"""Ports of the real Neutron, of each vnic type: rows 21 and 35.

Neutron has mechanism drivers for all of them. No host has a device to give,
and the computes have Nova's fake driver.
"""

import pytest

from cloud import clients
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
def port(member):
    """Call for a port of a vnic type, which is gone at the end."""
    made = []

    def new(vnic_type="normal"):
        made.append(member.port(vnic_type))
        return made[-1]

    yield new
    for server in member.compute().servers():
        member.remove(server)
    for each in made:
        member.network.delete_port(each)


def ask(member, port):
    """Ask for a server with a port; return it at once."""
    image = member.image_id("clean")
    return clients.Client.ask(
        member, "with-a-port", port=port.id, image_id=image
    )


def plug(member, server, port):
    return member.compute().create_server_interface(server, port_id=port.id)


def test_a_normal_port_is_bound_and_comes_up(member, admin, port):
    made = port()
    server = member.settle(ask(member, made))
    assert server.status == "ACTIVE", server.fault
    seen = admin.network.get_port(made)
    assert seen.status == "ACTIVE"
    assert seen.binding_host_id == admin.host(server)
    assert seen.binding_vif_type == "ovs"


def test_21_a_normal_port_comes_and_goes(member, port):
    made = port()
    with member.server("with-a-port", "clean") as server:
        plug(member, server, made)
        until(lambda: member.network.get_port(made).status == "ACTIVE")
        member.compute().delete_server_interface(made.id, server)
        until(lambda: not member.network.get_port(made).device_id)


@pytest.mark.parametrize(
    ("vnic_type", "words"),
    [
        *((key, f"port {{}} asks for '{DEVICES[key]}'") for key in DEVICES),
        ("accelerator-direct", "accelerator of port {}"),
        ("accelerator-direct-physical", "accelerator of port {}"),
    ],
)
def test_21_a_port_on_a_device_is_refused(member, port, vnic_type, words):
    made = port(vnic_type)
    texts = [refusal(ask, member, made)]
    if vnic_type in DEVICES:
        with member.server("without-a-port", "clean") as server:
            texts.append(refusal(plug, member, server, made))
        assert not member.network.get_port(made).device_id
    for text in texts:
        assert REFUSED + words.format(made.id) in text
        assert RULE in text


@pytest.mark.parametrize("vnic_type", [*METAL, *DEVICES])
def test_what_the_policy_allows_is_for_nova_to_find(
    policy, member, port, decisions, vnic_type
):
    """No host has a device: what Nova would do with it is not shown here."""
    policy(ALLOWED)
    server = member.settle(ask(member, port(vnic_type)))
    assert server.status == "ERROR"
    assert "passthrough" not in server.fault["message"]
    assert "hardening" not in server.fault["message"]
    assert {event["outcome"] for event in decisions()} == {"allow"}

# SPDX-License-Identifier: Apache-2.0
"""Tests of how devices plugged into a running server are judged."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from nova_vhard.policy.hardware import (
    DISK,
    DOMAIN,
    IMAGE,
    STORED,
    DeviceChoice,
    HardwareRequest,
    Holder,
    Passthrough,
)
from nova_vhard.policy.subject import ATTACH, UPDATE, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import image, passthrough
from nova_vhard.request.changes import ChangeReader
from nova_vhard.request.lookups import Flavor, Image, Server
from nova_vhard.request.server_request import ServerRequest
from tests.unit.helpers import TODAY, broken, policy

WHO = SimpleNamespace(project_id="p1", project_domain_id="d1", roles=("a",))
RULES = policy(
    guest_devices={
        "disk_bus": {"allow": ["virtio"]},
        "scsi_model": {"allow": ["virtio-scsi"]},
        "vif_model": {"allow": ["virtio"]},
        "video_model": {"allow": ["virtio"]},
        "tpm_model": {"allow": []},
    }
)
OLD = {"hw_video_model": "cirrus", "hw_vif_model": "e1000"}
PORTS = {
    kind: {"id": kind, "binding:vnic_type": kind}
    for kind in (
        *("normal", "macvtap", "virtio-forwarder", "new"),
        *passthrough.DIRECT_VNIC,
    )
}


SUBJECT = Subject(
    ATTACH,
    "p1",
    "d1",
    frozenset("a"),
    image="an-image",
    flavor="m1.small",
    flavor_id="1",
    server="a-server",
)


def attached(method, body, **properties):
    """Return the request to attach something to a server of an image."""
    server = Server(
        "a-server",
        "p1",
        "an-image",
        Flavor("m1.small", "1"),
        image.read({**OLD, **properties}),
    )
    find = SimpleNamespace(
        server={server.id: server}.__getitem__,
        kept_devices=lambda _server: [],
        port=PORTS.__getitem__,
    )
    return getattr(ChangeReader(find, WHO), method)(server.id, body)


@pytest.mark.parametrize(
    ("bus", "refused"),
    [
        ("virtio", set()),
        ("ide", {("disk_bus", "ide")}),
        ("scsi", {("disk_bus", "scsi"), ("scsi_model", "lsilogic")}),
        # Nova calls it sda, and plugs a later sdb in as scsi.
        (
            "sata",
            {
                ("disk_bus", "sata"),
                ("disk_bus", "scsi"),
                ("scsi_model", "lsilogic"),
            },
        ),
    ],
)
def test_a_volume_is_judged_by_its_bus_and_no_other_device(bus, refused):
    body = {"volumeAttachment": {"volumeId": "v"}}
    request = attached("attach_volume", body, hw_disk_bus=bus)
    verdict = evaluate(RULES, request.hardware, request.subject, TODAY)
    assert broken(verdict) == refused


def test_a_network_card_is_judged_alone():
    properties = {"hw_disk_bus": "ide", "hw_tpm_model": "tpm-tis"}
    request = attached("attach_interface", {}, **properties)
    verdict = evaluate(RULES, request.hardware, request.subject, TODAY)
    assert broken(verdict) == {("vif_model", "e1000")}
    assert (request.hardware.passthrough, request.attached_to) == ((), None)


@pytest.mark.parametrize("method", ["attach_volume", "attach_interface"])
def test_who_attaches(method):
    assert attached(method, {}).subject == SUBJECT


def test_a_later_volume_is_what_brings_scsi_in():
    request = attached("attach_volume", {}, hw_disk_bus="usb")
    choice = request.hardware.choices[-1]
    assert (choice.kind, choice.value) == ("disk_bus", "scsi")
    # by the bus that Nova keeps of the image: another image fixes it
    assert (choice.setting, choice.origin) == ("hw_disk_bus", IMAGE)
    assert choice.holder == STORED
    disk = request.hardware.devices[-1]
    assert (disk.type, disk.name) == (DISK, choice.device)


def of_port(port_id):
    body = {"interfaceAttachment": {"port_id": port_id}}
    return attached("attach_interface", body)


@pytest.mark.parametrize("port_id", sorted(passthrough.DIRECT_VNIC))
def test_a_device_without_a_card_is_judged_on_the_servers_host(port_id):
    request = of_port(port_id)
    assert request.hardware.only == frozenset()
    assert (request.subject, request.attached_to) == (SUBJECT, "a-server")
    if port_id == "direct":
        asked = Passthrough("ports", "vf", "port direct")
        assert request.hardware.passthrough == (asked,)


@pytest.mark.parametrize("port_id", ["macvtap", "virtio-forwarder", "new"])
def test_a_device_behind_a_card_of_the_image(port_id):
    """libvirt gives such a port the model that the image names."""
    request, card = of_port(port_id), attached("attach_interface", {})
    kind = port_id if port_id == "new" else "vf"
    asked = Passthrough("ports", kind, f"port {port_id}")
    assert request.hardware == replace(card.hardware, passthrough=(asked,))
    assert (request.subject, request.attached_to) == (SUBJECT, "a-server")


@pytest.mark.parametrize("port_id", ["normal", None])
def test_a_port_that_brings_none_is_a_network_card(port_id):
    assert of_port(port_id) == attached("attach_interface", {})


def test_a_share_is_a_file_system_of_the_host():
    choice = DeviceChoice("file_system", "virtiofs", "share", origin=DOMAIN)
    assert attached("attach_share", {}) == ServerRequest(
        HardwareRequest((choice,), only=frozenset(("file_system",))), SUBJECT
    )


IDE = {"hw_disk_bus": "ide"}
SATA = {"hw_disk_bus": "sata"}
BOTH = {"hw_disk_bus": "ide", "hw_cdrom_bus": "sata"}


@pytest.mark.parametrize(
    ("method", "change", "new", "touched"),
    [
        ("add_metadata", {"metadata": SATA}, SATA, {"hw_disk_bus"}),
        # The v2 API ignores "metadata" there.
        (
            "set_metadata",
            {"meta": SATA, "metadata": IDE},
            SATA,
            {"hw_disk_bus"},
        ),
        (
            "add_metadata",
            {"metadata": {"hw_cdrom_bus": "sata"}},
            BOTH,
            {"hw_cdrom_bus"},
        ),
        ("add_metadata", {}, IDE, set()),
        ("replace_metadata", {"metadata": {}}, {}, {"hw_disk_bus"}),
        (
            "replace_metadata",
            {"metadata": {"hw_cdrom_bus": "sata"}},
            {"hw_cdrom_bus": "sata"},
            {"hw_cdrom_bus", "hw_disk_bus"},
        ),
        ("remove_metadata", "hw_disk_bus", {}, {"hw_disk_bus"}),
        ("remove_metadata", "hw_cdrom_bus", IDE, {"hw_cdrom_bus"}),
    ],
)
@pytest.mark.parametrize(
    ("project", "facts"),
    [("p1", {"domain": "d1", "roles": frozenset("a")}), ("p2", {})],
)
def test_a_change_of_an_images_metadata(
    method, change, new, touched, project, facts
):
    """The change is of the image's project, regardless of the sender."""
    holder = Holder("an-image", project, "qcow2")
    old = Image(IDE, "qcow2", holder=holder)
    find = SimpleNamespace(image={holder.id: old}.__getitem__)
    request = getattr(ChangeReader(find, WHO), method)(holder.id, change)
    image = Image(new, "qcow2", holder=holder)
    assert request == ServerRequest(
        image.hardware(),
        Subject(UPDATE, project, image=holder.id, **facts),
        image=image,
        before=old,
        touched=frozenset(touched),
    )

# SPDX-License-Identifier: Apache-2.0
"""What is plugged into a server that runs, and what is judged of it then."""

from types import SimpleNamespace

import pytest

from nova_vhard.policy.subject import ATTACH
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import image
from nova_vhard.request.changes import ChangeReader
from nova_vhard.request.lookups import Flavor, Server
from tests.unit.helpers import TODAY, found, policy

WHO = SimpleNamespace(project_id="p1", project_domain_id="d1", roles=("a",))
RULES = policy(
    guest_devices={
        "disk_bus": {"allow": ["virtio"]},
        "scsi_model": {"allow": ["virtio-scsi"]},
        "vif_model": {"allow": ["virtio"]},
        "video_model": {"allow": ["virtio"]},
    }
)
OLD = {"hw_video_model": "cirrus", "hw_vif_model": "e1000"}


def attached(method, body, **properties):
    """Return the request to attach something to a server of an image."""
    server = Server(
        "a-server",
        "p1",
        "an-image",
        Flavor("m1.small", "1"),
        image.read({**OLD, **properties}),
    )
    find = SimpleNamespace(server={server.id: server}.__getitem__)
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
    assert found(verdict) == refused


def test_a_network_card_is_judged_alone():
    request = attached("attach_interface", {}, hw_disk_bus="ide")
    verdict = evaluate(RULES, request.hardware, request.subject, TODAY)
    assert found(verdict) == {("vif_model", "e1000")}


@pytest.mark.parametrize("method", ["attach_volume", "attach_interface"])
def test_who_attaches(method):
    subject = attached(method, {}).subject
    assert (subject.operation, subject.project) == (ATTACH, "p1")
    assert (subject.image, subject.flavor) == ("an-image", "m1.small")
    assert subject.roles == {"a"}

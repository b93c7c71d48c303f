# SPDX-License-Identifier: Apache-2.0
"""Volumes of the real Cinder: what they say of their image is judged.

Rows 8, 26 and 30 of the table of bypasses, by their numbers. Other
tests of volumes are in tests/functional/bypass and test_guests.py.
"""

import pytest

from tests.integration.people import REFUSED, refusal, until
from tests.integration.rows import root

IDE = "hw_disk_bus='ide' is not allowed (allowed: virtio, scsi)"


@pytest.fixture(autouse=True)
def nothing_is_left(member):
    """Delete all servers, snapshots and volumes at the end."""
    yield
    for server in member.compute().servers():
        member.remove(server)
    storage = member.storage
    for delete, kept in (
        (storage.delete_snapshot, storage.snapshots),
        (storage.delete_volume, storage.volumes),
    ):
        for each in kept():
            delete(each)
        until(lambda kept=kept: not list(kept()))


@pytest.fixture
def ask(member):
    """Return a function that requests a server of block devices."""

    def of_disks(disks):
        return member.ask("of-disks", block_device_mapping=disks)

    return of_disks


def test_08_image_metadata_of_a_volume_is_judged(member, ask):
    volume = member.volume()
    member.storage.set_volume_image_metadata(volume, hw_disk_bus="ide")
    disks = root("volume", volume.id)
    text = refusal(ask, disks)
    assert f"{REFUSED}volume property {IDE}" in text
    # when what the text says to type is typed
    advice = "openstack volume set --image-property hw_disk_bus=virtio "
    assert f"`{advice}{volume.id}`" in text
    assert member.command(*advice.split()[1:], volume.id).success
    # then
    server = member.settle(ask(disks))
    assert server.status == "ACTIVE", server.fault
    (attached,) = member.storage.get_volume(volume).attachments
    assert attached["server_id"] == server.id


def test_08_30_a_volume_keeps_the_metadata_of_its_image(member, ask):
    """Cinder copies it, behind the gates; of two sources Nova reads one."""
    old, empty = member.image_id("old-router"), member.volume().id
    volume = member.volume(image_id=old)
    copy = member.volume(source_volume_id=volume.id)
    snapshot = member.snapshot(volume).id
    for disks in (
        root("image", old),
        root("volume", volume.id),
        root("volume", copy.id),
        root("snapshot", snapshot),
        root("volume", empty, snapshot_id=snapshot),
        root("volume", empty, image_id=old),
    ):
        assert IDE in refusal(ask, disks)


@pytest.mark.parametrize(
    ("bus", "outcome"), [("ide", "warn"), ("virtio", "allow")]
)
def test_26_a_volume_becomes_an_image_that_boots_if_it_may(
    member, decisions, bus, outcome
):
    volume = member.volume()
    member.storage.set_volume_image_metadata(volume, hw_disk_bus=bus)
    answer = member.storage.upload_volume_to_image(
        volume, f"of-{bus}", disk_format="qcow2", container_format="bare"
    )
    image = member.image.get_image(answer["image_id"])
    image = member.image.wait_for_status(image, "active", interval=0.2)
    # then it is taken, for Cinder could not say to anybody why not
    assert image.hw_disk_bus == bus
    (event,) = (each for each in decisions() if each["gate"] == "glance-api")
    assert event["service"]
    assert event["outcome"] == outcome
    # but Nova's gate says whether it boots
    if bus == "ide":
        assert IDE in refusal(member.ask, "of-a-volume", f"of-{bus}")
    else:
        with member.server("of-a-volume", f"of-{bus}") as server:
            assert server.image.id == image.id
    member.image.delete_image(image)

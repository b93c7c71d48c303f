# SPDX-License-Identifier: Apache-2.0
"""Volumes of the real Cinder: what they say of their image is judged.

Rows 8, 17, 26, 29 and 30 of the table of bypasses, by their numbers.
"""

import pytest

from tests.integration.people import REFUSED, refusal, until
from tests.integration.rows import root

IDE = "hw_disk_bus='ide' is not allowed (allowed: virtio, scsi)"
OF_VOLUME = f"volume property {IDE}"
CIRRUS = {"hw_video_model": "cirrus"}
RESCUER = {"hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}
#: A disk beside the root.
DATA = {"boot_index": -1, "destination_type": "volume", "volume_size": 1}


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
def volume(member):
    """A volume to boot from, of no image."""
    return member.volume()


def test_08_what_its_owner_writes_about_a_volume_is_judged(member, volume):
    # given
    member.image_metadata(volume, hw_disk_bus="ide")
    disks = root("volume", volume.id)
    # when
    text = refusal(member.of_disks, disks)
    # then
    assert REFUSED + OF_VOLUME in text
    # when what the text says to type is typed
    advice = "openstack volume set --image-property hw_disk_bus=virtio "
    assert f"`{advice}{volume.id}`" in text
    assert member.command(*advice.split()[1:], volume.id).success
    # then
    server = member.settle(member.of_disks(disks))
    assert server.status == "ACTIVE", server.fault
    (attached,) = member.storage.get_volume(volume).attachments
    assert attached["server_id"] == server.id


def test_08_a_volume_says_what_its_image_said(member):
    # given what Cinder copies, behind the gates of Nova
    volume = member.volume(image_id=member.image_id("old-router"))
    metadata = member.storage.get_volume(volume).volume_image_metadata
    assert metadata["hw_disk_bus"] == "ide"
    # then
    for made in (volume, member.volume(source_volume_id=volume.id)):
        text = refusal(member.of_disks, root("volume", made.id))
        assert OF_VOLUME in text
    old = member.image_id("old-router")
    assert IDE in refusal(member.of_disks, root("image", old))


def test_a_blank_disk_is_judged_by_its_bus(member):
    image = member.image_id("clean")
    local = {"boot_index": 0, "source_type": "image", "uuid": image}
    local["destination_type"] = "local"
    blank = {**DATA, "source_type": "blank"}
    disks = [local, {**blank, "disk_bus": "ide"}]
    text = refusal(member.of_disks, disks, image_id=image)
    assert "disk_bus='ide' is not allowed" in text
    server = member.settle(member.of_disks([local, blank], image_id=image))
    assert server.status == "ACTIVE", server.fault
    (made,) = member.storage.volumes()
    assert made.status == "in-use"


def test_17_an_old_server_gets_no_more_of_what_it_has(
    old_server, member, volume
):
    text = refusal(
        member.compute().create_volume_attachment,
        old_server,
        volume_id=volume.id,
    )
    assert IDE in text
    assert member.storage.get_volume(volume).status == "available"


@pytest.mark.parametrize("bus", ["ide", "virtio"])
def test_26_a_volume_becomes_an_image_that_boots_if_it_may(
    member, volume, decisions, bus
):
    # given
    member.image_metadata(volume, hw_disk_bus=bus)
    # when
    answer = member.storage.upload_volume_to_image(
        volume, f"of-{bus}", disk_format="qcow2", container_format="bare"
    )
    image = member.image.get_image(answer["image_id"])
    image = member.image.wait_for_status(image, "active", interval=0.2)
    # then it is taken, for Cinder could not say to anybody why not
    assert image.hw_disk_bus == bus
    (event,) = (each for each in decisions() if each["gate"] == "glance-api")
    assert event["service"]
    assert event["outcome"] == {"ide": "warn", "virtio": "allow"}[bus]
    # but Nova's gate says whether it boots
    if bus == "ide":
        assert IDE in refusal(member.ask, "of-a-volume", f"of-{bus}")
    else:
        with member.server("of-a-volume", f"of-{bus}") as server:
            assert server.image.id == image.id
    member.image.delete_image(image)


def test_29_a_rescue_reads_what_the_snapshot_was_taken_of(member, volume):
    # given
    image = member.upload("rescuer", **RESCUER)
    disks = root("snapshot", member.snapshot(volume).id)
    server = member.settle(member.of_disks(disks))
    assert server.status == "ACTIVE", server.fault
    # when
    member.image_metadata(volume, **CIRRUS)
    # then
    text = refusal(member.compute().rescue_server, server, image_ref=image.id)
    assert "hw_video_model='cirrus'" in text
    assert member.settle(server).status == "ACTIVE"
    member.image.delete_image(image)


def test_30_the_root_that_names_two_is_judged_by_what_nova_reads(
    member, volume
):
    # given
    other = member.volume()
    member.image_metadata(other, **CIRRUS)
    beside = member.snapshot(other).id
    # then
    old = member.image_id("old-router")
    for more, words in (
        ({"snapshot_id": beside}, "hw_video_model='cirrus'"),
        ({"image_id": old}, IDE),
    ):
        text = refusal(member.of_disks, root("volume", volume.id, **more))
        assert words in text
    # when the snapshot is the source itself
    assert "hw_video_model='cirrus'" in refusal(
        member.of_disks, root("snapshot", beside)
    )

# SPDX-License-Identifier: Apache-2.0
"""Rows 29 and 30: which object Nova takes a root disk's metadata from.

``nova.block_device.get_bdm_image_metadata``: the volume that the snapshot was
taken of, if there is a snapshot; then the image, then the volume.
"""

from tests import services
from tests.functional.bypass import ways
from tests.functional.bypass.ways import (
    CIRRUS,
    IDE,
    PC,
    VOLUME,
    Attempt,
    New,
)

VIRTIO = {"hw_video_model": "virtio"}
SCSI = {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}
SNAPSHOT = {**VOLUME, "source_type": "snapshot"}
IN_VOLUME = {**VOLUME, "source_type": "image", "volume_size": 1}


def changed(kind, **server):
    """Return a stable rescue of a server whose root's origin has changed."""
    return Attempt(
        server,
        (CIRRUS,),
        ("hw_video_model", "cirrus"),
        ways.rescue(**ways.STABLE),
        changed=(kind, {"hw_video_model": "cirrus"}),
    )


CHANGED = {
    "test_bypass_29_volume_that_a_snapshot_was_taken_of": changed(
        "volume",
        block_device_mapping_v2=[
            {**SNAPSHOT, "uuid": New("snapshot", VIRTIO)}
        ],
    ),
    "test_bypass_29_snapshot_in_format_1": changed(
        "volume",
        block_device_mapping=[
            {"device_name": "vda", "snapshot_id": New("snapshot", VIRTIO)}
        ],
    ),
    "test_bypass_29_image_that_a_volume_was_made_of": changed(
        "image",
        block_device_mapping_v2=[{**IN_VOLUME, "uuid": New("image", VIRTIO)}],
    ),
    # Nova reads the snapshot at the boot, and no longer in a rescue
    "test_bypass_29_volume_with_a_snapshot_beside_it": changed(
        "volume",
        block_device_mapping_v2=[
            {
                **VOLUME,
                "uuid": New("volume", VIRTIO),
                "snapshot_id": New("snapshot"),
            }
        ],
    ),
}


@ways.rows(CHANGED)
class Changed(ways.Ways):
    """Row 29: what the root was made of has changed since the boot."""


TestGuardedChanged, TestAskedChanged = ways.asked(Changed, ways.Asked)


def two(**root):
    """Return a boot with a config drive, whose bus is by the machine type."""
    server = {"block_device_mapping_v2": [root], "config_drive": True}
    return Attempt(server, (IDE,), ("hw_cdrom_bus",))


def blank(**more):
    """Return the boot from a blank disk, which takes no uuid."""
    return two(**{**VOLUME, "source_type": "blank", "volume_size": 1}, **more)


TWO_NAMES = {
    "test_bypass_30_snapshot_beside_the_source": two(
        **VOLUME, uuid=New("volume"), snapshot_id=New("snapshot", PC)
    ),
    # Nova reads the image, whatever the disk is made of
    "test_bypass_30_image_beside_a_volume": two(
        **VOLUME, uuid=New("volume"), image_id=New("image", PC)
    ),
    "test_bypass_30_image_beside_a_snapshot": two(
        **SNAPSHOT, uuid=New("snapshot"), image_id=New("image", PC)
    ),
    "test_bypass_30_blank_disk_with_a_volume": blank(
        volume_id=New("volume", PC)
    ),
    "test_bypass_30_blank_disk_with_a_snapshot": blank(
        snapshot_id=New("snapshot", PC)
    ),
    "test_bypass_30_blank_disk_with_an_image": blank(
        image_id=New("image", PC)
    ),
    "test_bypass_30_both_in_format_1": Attempt(
        {
            "block_device_mapping": [
                {
                    "device_name": "vda",
                    "volume_id": New("volume"),
                    "snapshot_id": New("snapshot", PC),
                }
            ],
            "config_drive": True,
        },
        (IDE,),
        ("hw_cdrom_bus",),
    ),
    # the source has a virtio-scsi controller, what Nova reads none
    "test_bypass_30_controller_of_the_other_image": Attempt(
        {
            "block_device_mapping_v2": [
                {
                    **VOLUME,
                    "uuid": New("volume", SCSI),
                    "snapshot_id": New("snapshot"),
                    "disk_bus": "scsi",
                }
            ]
        },
        (ways.lsi_controller,),
        ("hw_scsi_model",),
    ),
}
#: Keys that format 1 does not have.
FOREIGN_KEYS = (
    {"source_type": "image", "uuid": New("image")},
    {"source_type": "volume", "uuid": New("volume")},
    {"image_id": New("image")},
    {"source_type": "blank"},
)


@ways.rows(TWO_NAMES)
class TwoNames(ways.Ways):
    """Row 30: a root that names two things, of which Nova reads one."""

    def setUp(self):
        """Let a volume connect that Nova has not reserved, as Cinder does.

        Nova does not reserve it where the device names an image as well; its
        fixture knows volumes that are reserved.
        """
        super().setUp()
        connection = {"driver_volume_type": "fake", "data": {"foo": "bar"}}
        answers = {"initialize_connection": connection, "attach": None}
        for name, answer in answers.items():
            self.stub_out(
                f"nova.volume.cinder.API.{name}",
                lambda *_args, answer=answer, **_more: answer,
            )

    def test_bypass_30_keys_that_format_1_does_not_have(self):
        """The v2 API drops them unseen, and reads the volume."""
        for more in FOREIGN_KEYS:
            self.witness.texts.clear()
            root = {"device_name": "vda", "volume_id": New("volume", PC)}
            server = {"block_device_mapping": [{**root, **more}]}
            body = self.wish(None, config_drive=True, **self.known(server))
            del body["server"]["networks"]
            response = self.call("POST", "/v2/servers", body, version=None)
            if services.NOVA < 34:
                # The gate does not see which keys Nova drops.
                self.boots(response, IDE)
            else:
                self.ends(response, IDE, names=["hw_cdrom_bus"])


TestGuardedTwoNames, TestAskedTwoNames, TestFilterAloneTwoNames = ways.asked(
    TwoNames, ways.Asked, ways.FilterAlone
)

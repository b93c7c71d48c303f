# SPDX-License-Identifier: Apache-2.0
"""Rows 29 and 30: which object Nova takes a root disk's metadata from.

``nova.block_device.get_bdm_image_metadata``: the volume that the snapshot was
taken of, if there is a snapshot; then the image, then the volume.
"""

from pathlib import Path

from tests import services
from tests.functional.bypass import ways
from tests.functional.nova import base

IDE = 'bus="ide"'
CIRRUS = '<model type="cirrus"/>'
PC = {"hw_machine_type": "pc"}
SCSI = {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}


class Roots(ways.Ways):
    def setUp(self):
        super().setUp()
        self.rescuer = self.image(
            hw_rescue_bus="virtio", hw_rescue_device="disk"
        )

    def of_image(self, image, **more):
        """Return the root disk on a new volume made of an image."""
        return {
            "boot_index": 0,
            "uuid": image,
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": 1,
            **more,
        }

    def of_snapshot(self, snapshot, **more):
        """Return the root disk on a new volume made of a snapshot."""
        return self.disk(snapshot, source_type="snapshot", **more)

    def rescue(self, server):
        """Rescue a server from an image that is clean: a stable rescue."""
        home = Path(base.CONF.instances_path) / server
        home.mkdir(exist_ok=True)
        action = {"rescue": {"rescue_image_ref": self.rescuer}}
        return self.act(server, action)


class Changed(Roots):
    """Row 29: what the root was made of has changed since the boot."""

    def ends_changed(self, server, metadata):
        """Change what is there since the boot, and rescue the server."""
        metadata["hw_video_model"] = "cirrus"
        self.ends(
            self.rescue(server), CIRRUS, names=["hw_video_model", "cirrus"]
        )

    def origin(self, volume):
        """Return the image metadata that Cinder keeps with a volume."""
        return self.cinder.volumes[volume]["volume_image_metadata"]

    def test_bypass_29_volume_that_a_snapshot_was_taken_of(self):
        volume = self.volume(hw_video_model="virtio")
        root = self.of_snapshot(self.snapshot(volume))
        server = self.active(None, block_device_mapping_v2=[root])
        self.ends_changed(server, self.origin(volume))

    def test_bypass_29_snapshot_in_format_1(self):
        volume = self.volume(hw_video_model="virtio")
        root = {"device_name": "vda", "snapshot_id": self.snapshot(volume)}
        server = self.active(None, block_device_mapping=[root])
        self.ends_changed(server, self.origin(volume))

    def test_bypass_29_image_that_a_volume_was_made_of(self):
        image = self.image(hw_video_model="virtio")
        root = self.of_image(image)
        server = self.active(None, block_device_mapping_v2=[root])
        self.ends_changed(server, self.glance.images[image]["properties"])

    def test_bypass_29_volume_with_a_snapshot_beside_it(self):
        """Nova reads the snapshot at the boot, and no longer in a rescue."""
        snapshot = self.snapshot(self.volume())
        volume = self.volume(hw_video_model="virtio")
        root = self.disk(volume, snapshot_id=snapshot)
        server = self.active(None, block_device_mapping_v2=[root])
        self.ends_changed(server, self.origin(volume))


(TestGuardedChanged,) = ways.cases(Changed, base.LibvirtCase, ways.Guarded)


class TwoNames(Roots):
    """Row 30: a root that names two things, of which Nova reads one."""

    def ends_on_ide(self, *devices, version="latest", root="/v2.1", **more):
        """Boot with a config drive, whose bus is by the machine type."""
        self.witness.texts.clear()
        body = self.wish(None, config_drive=True, **more)
        if root == "/v2":
            del body["server"]["networks"]
        response = self.call("POST", f"{root}/servers", body, version=version)
        if root == "/v2" and services.NOVA < 34:
            # The gate does not see which keys Nova drops; the filter does.
            self.boots(response, IDE)
        else:
            self.ends(response, IDE, names=["hw_cdrom_bus"])
        self.settle()

    def let_volumes_connect(self):
        """Answer as Cinder does where Nova has reserved no volume.

        Nova does not where the device names an image as well; its fixture
        knows volumes that are reserved.
        """
        connection = {"driver_volume_type": "fake", "data": {"foo": "bar"}}
        for name, answer in (
            ("initialize_connection", connection),
            ("attach", None),
        ):
            self.stub_out(
                f"nova.volume.cinder.API.{name}",
                lambda *_args, answer=answer, **_more: answer,
            )

    def test_bypass_30_snapshot_beside_the_source(self):
        pc = self.snapshot(self.volume(**PC))
        self.ends_on_ide(
            block_device_mapping_v2=[
                self.disk(self.volume(), snapshot_id=pc),
            ]
        )

    def test_bypass_30_image_beside_the_source(self):
        """Nova reads the image, whatever the disk is made of."""
        self.let_volumes_connect()
        pc = self.image(**PC)
        clean = self.volume()
        for root in (
            self.disk(clean, image_id=pc),
            self.of_snapshot(self.snapshot(clean), image_id=pc),
        ):
            self.ends_on_ide(block_device_mapping_v2=[root])

    def test_bypass_30_blank_disk_that_names_something(self):
        """A blank disk takes no uuid, and may name all else."""
        pc = self.volume(**PC)
        blank = {
            "boot_index": 0,
            "source_type": "blank",
            "destination_type": "volume",
            "volume_size": 1,
        }
        for name, value in (
            ("volume_id", pc),
            ("snapshot_id", self.snapshot(pc)),
            ("image_id", self.image(**PC)),
        ):
            root = {**blank, name: value}
            self.ends_on_ide(block_device_mapping_v2=[root])

    def test_bypass_30_both_in_format_1(self):
        root = {
            "device_name": "vda",
            "volume_id": self.volume(),
            "snapshot_id": self.snapshot(self.volume(**PC)),
        }
        self.ends_on_ide(block_device_mapping=[root])

    def test_bypass_30_keys_that_format_1_does_not_have(self):
        """The v2 API drops them unseen, and reads the volume."""
        for more in (
            {"source_type": "image", "uuid": self.image()},
            {"source_type": "volume", "uuid": self.volume()},
            {"image_id": self.image()},
            {"source_type": "blank"},
        ):
            root = {"device_name": "vda", "volume_id": self.volume(**PC)}
            self.ends_on_ide(
                version=None,
                root="/v2",
                block_device_mapping=[{**root, **more}],
            )

    def test_bypass_30_controller_of_the_other_image(self):
        """The source has a virtio-scsi controller, what Nova reads none."""
        clean = self.volume(**SCSI)
        pc = self.snapshot(self.volume())
        root = self.disk(clean, snapshot_id=pc, disk_bus="scsi")
        response = self.boot(None, block_device_mapping_v2=[root])
        self.ends(response, ways.lsi_controller, names=["hw_scsi_model"])


TestGuardedTwoNames, TestFilterAloneTwoNames = ways.cases(
    TwoNames, base.LibvirtCase, ways.Guarded, ways.FilterAlone
)

# SPDX-License-Identifier: Apache-2.0
"""Row 31: the image that comes speaks for devices that stay.

Nova keeps the bus of each disk in its database, and takes the controller and
the machine type from the image of the moment.
"""

from pathlib import Path

from tests.functional.bypass import ways
from tests.functional.nova import base, helpers

IDE = 'bus="ide"'
LSI = ways.lsi_controller
CONTROLLER = {"hw_scsi_model": "virtio-scsi"}
SCSI = {"hw_disk_bus": "scsi", **CONTROLLER}
PC = {"hw_machine_type": "pc"}
Q35 = {"hw_machine_type": "q35"}
STABLE = {"hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}


class Kept(ways.Ways):
    def rebuild(self, server, **properties):
        image = self.image(**properties)
        return self.act(server, {"rebuild": {"imageRef": image}})

    def rescue(self, server, **properties):
        home = Path(base.CONF.instances_path) / server
        home.mkdir(exist_ok=True)
        image = self.image(**properties)
        return self.act(server, {"rescue": {"rescue_image_ref": image}})

    def data(self, **more):
        """Return a data disk on a volume, in format 2."""
        return self.disk(self.volume(), boot_index=-1, **more)

    def booted(self, properties, *data, **more):
        """Boot a server from an image, with data disks; return both ids."""
        image = self.image(**properties)
        root = {
            "boot_index": 0,
            "uuid": image,
            "source_type": "image",
            "destination_type": "local",
        }
        if data:
            more["block_device_mapping_v2"] = [root, *data]
        return image, self.active(image, **more)

    def change(self, image, *gone, **properties):
        """Change an image behind every gate."""
        stored = self.glance.images[image]["properties"]
        for name in gone:
            stored.pop(name, None)
        stored.update(properties)


class Controller(Kept):
    """The bus is kept, and the controller is not."""

    def ends_on_lsi(self, response):
        self.ends(response, LSI, names=["scsi", "hw_scsi_model"])

    def test_bypass_31_rebuild_keeps_the_bus_of_the_root(self):
        """Innocent users do that."""
        _, server = self.booted(SCSI)
        self.ends_on_lsi(self.rebuild(server, hw_disk_bus="virtio"))

    def test_bypass_31_rebuild_without_any_property(self):
        _, server = self.booted(SCSI)
        self.ends_on_lsi(self.rebuild(server))

    def test_bypass_31_rebuild_with_the_own_image_changed(self):
        """No scheduler sees it."""
        image, server = self.booted(SCSI)
        self.change(image, *SCSI)
        body = {"rebuild": {"imageRef": image}}
        self.ends_on_lsi(self.act(server, body))

    def test_bypass_31_rebuild_keeps_the_bus_of_a_data_disk(self):
        _, server = self.booted(CONTROLLER, self.data(disk_bus="scsi"))
        self.ends_on_lsi(self.rebuild(server, hw_disk_bus="virtio"))

    def test_bypass_31_rebuild_keeps_the_bus_of_a_cdrom(self):
        cdrom = self.data(disk_bus="scsi", device_type="cdrom")
        _, server = self.booted(CONTROLLER, cdrom)
        self.ends_on_lsi(self.rebuild(server, hw_disk_bus="virtio"))

    def test_bypass_31_unshelve_keeps_the_bus(self):
        _, server = self.booted(SCSI)
        self.act(server, {"shelve": None})
        self.wait(server, "SHELVED_OFFLOADED")
        metadata = self.instance(server).system_metadata
        self.change(metadata["shelved_image_id"], *SCSI)
        self.ends_on_lsi(self.act(server, {"unshelve": None}))

    def test_bypass_31_stable_rescue_keeps_the_bus(self):
        """The server's own image speaks for its disks, as it is now."""
        image, server = self.booted(SCSI)
        self.change(image, *SCSI)
        self.ends_on_lsi(self.rescue(server, **STABLE, **CONTROLLER))

    def test_bypass_31_stable_rescue_from_scsi(self):
        """The rescue image names a controller; Nova reads the server's."""
        _, server = self.booted({"hw_disk_bus": "virtio"})
        stable = {"hw_rescue_bus": "scsi", "hw_rescue_device": "disk"}
        self.ends_on_lsi(self.rescue(server, **stable, **CONTROLLER))

    def test_bypass_31_stable_rescue_from_a_scsi_cdrom(self):
        _, server = self.booted({"hw_disk_bus": "virtio"})
        stable = {"hw_rescue_device": "cdrom", "hw_cdrom_bus": "scsi"}
        self.ends_on_lsi(self.rescue(server, **stable, **CONTROLLER))


(TestGuardedController,) = ways.cases(
    Controller, base.LibvirtCase, ways.Guarded
)


class Machine(Kept):
    """A CD-ROM without a kept bus has the one of the machine type."""

    def test_bypass_31_stable_rescue_under_a_config_drive(self):
        image, server = self.booted(Q35, config_drive=True)
        self.change(image, "hw_cdrom_bus", **PC)
        response = self.rescue(server, **STABLE, **Q35)
        self.ends(response, IDE, names=["hw_cdrom_bus", "config drive"])

    def test_bypass_31_stable_rescue_of_a_server_from_an_iso(self):
        image = self.image(**Q35)
        self.glance.images[image]["disk_format"] = "iso"
        server = self.active(image)
        self.change(image, "hw_cdrom_bus", **PC)
        response = self.rescue(server, **STABLE, **Q35)
        self.ends(response, IDE, names=["hw_cdrom_bus"])

    def test_bypass_31_stable_rescue_cdrom_by_the_rescue_image(self):
        """Its bus is by the rescue image's machine type."""
        _, server = self.booted(Q35)
        response = self.rescue(server, hw_rescue_device="cdrom", **PC)
        self.ends(response, IDE, names=["hw_cdrom_bus"])


(TestGuardedMachine,) = ways.cases(Machine, base.LibvirtCase, ways.Guarded)


class Moves(Kept):
    """Devices older than the policy are judged under ``moves``."""

    POLICY = "moves: {guest_devices: enforce}\n"

    def ends_on(self, disk, rule):
        """Rebuild a server that has had a disk since before the policy."""
        self.write_policy("enabled: false\n")
        _, server = self.booted(Q35, self.data(**disk))
        self.write_policy(self.POLICY)
        self.witness.texts.clear()
        response = self.rebuild(server, **helpers.CLEAN, **Q35)
        bus = f'bus="{disk["disk_bus"]}"'
        names = [disk["disk_bus"], f"guest_devices.{rule}"]
        self.ends(response, bus, names=names)

    def test_bypass_31_kept_bus_of_a_data_disk(self):
        for bus in ("usb", "sata", "ide"):
            self.ends_on({"disk_bus": bus}, "disk_bus")

    def test_bypass_31_kept_floppy(self):
        floppy = {"disk_bus": "fdc", "device_type": "floppy"}
        self.ends_on(floppy, "floppy_bus")


(TestGuardedMoves,) = ways.cases(Moves, base.LibvirtCase, ways.Guarded)

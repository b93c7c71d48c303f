# SPDX-License-Identifier: Apache-2.0
"""Devices that come of another record of the image than the gate reads.

Nova keeps up to four: Glance's image, the server's system_metadata, the
RequestSpec of the last scheduling, and the domain as it was last made.
"""

from nova import context as nova_context
from nova.virt import driver

from nova_vhard.gates import nova_servers
from tests.functional.bypass import test_bypass_kept as kept
from tests.functional.bypass import ways
from tests.functional.nova import base

KEPT = "nova_vhard.gates.nova_servers.kept_devices"
NO_DISK = "nova.virt.libvirt.driver.LibvirtDriver.migrate_disk_and_power_off"
#: 202 since microversion 2.101, which Nova 31 does not have.
ATTACHED = (200, 202)
NOWHERE = {"trait:CUSTOM_NOWHERE": "required"}


class Resizes(kept.Kept):
    def setUp(self):
        super().setUp()
        # Nova's fixture makes no disks: there is none to copy.
        self.stub_out(NO_DISK, lambda *args, **more: "{}")
        self.flags(allow_resize_to_same_host=True)

    def again(self, server, image):
        """Rebuild a server with its own image: nothing is scheduled."""
        response = self.act(server, {"rebuild": {"imageRef": image}})
        assert response.status_int == 202, response.text
        self.wait(server, "ACTIVE")
        self.witness.texts.clear()

    def attach(self, server):
        path = f"/v2.1/servers/{server}/os-volume_attachments"
        body = {"volumeAttachment": {"volumeId": self.volume()}}
        return self.call("POST", path, body)

    def test_resize_takes_the_machine_of_the_request_spec(self):
        image, server = self.booted(kept.PC)
        self.change(image, img_config_drive="mandatory", **kept.Q35)
        self.again(server, image)
        response = self.act(server, {"resize": {"flavorRef": "2"}})
        self.ends(response, kept.IDE)

    def test_resize_takes_the_controller_of_the_request_spec(self):
        image, server = self.booted(kept.Q35)
        self.change(image, **kept.SCSI)
        self.again(server, image)
        assert self.attach(server).status_int in ATTACHED
        self.settle()
        self.witness.texts.clear()
        response = self.act(server, {"resize": {"flavorRef": "2"}})
        self.ends(response, kept.LSI)


class Stale(Resizes):
    def shelved(self, server):
        """Shelve a server; return the id of its snapshot."""
        self.act(server, {"shelve": None})
        self.wait(server, "SHELVED_OFFLOADED")
        self.witness.texts.clear()
        return self.instance(server).system_metadata["shelved_image_id"]

    def on_virtio(self, properties):
        """Boot a server whose root alone is not on its image's bus."""
        image = self.image(**properties)
        root = {
            "boot_index": 0,
            "uuid": image,
            "source_type": "image",
            "destination_type": "local",
            "disk_bus": "virtio",
        }
        return self.active(image, block_device_mapping_v2=[root])

    def test_rescue_after_a_rebuild_that_found_no_host(self):
        """The config drive is asked for by system_metadata alone."""
        _, server = self.booted(kept.Q35)
        wanted = {"img_config_drive": "mandatory", **kept.Q35, **NOWHERE}
        assert self.rebuild(server, **wanted).status_int == 202
        self.fault(server)
        self.witness.texts.clear()
        self.ends(self.rescue(server, **kept.PC), kept.IDE)

    def test_unshelve_names_a_disk_by_system_metadata(self):
        server = self.on_virtio({**kept.SCSI, **kept.Q35})
        snapshot = self.shelved(server)
        assert self.attach(server).status_int in ATTACHED
        self.change(snapshot, *kept.SCSI)
        self.ends(self.act(server, {"unshelve": None}), kept.LSI)

    def test_attach_to_a_domain_without_the_controller(self):
        server = self.on_virtio({**kept.SCSI, **kept.Q35})
        self.change(self.shelved(server), *kept.SCSI)
        response = self.act(server, {"unshelve": None})
        if response.status_int == 403:
            return
        self.wait(server, "ACTIVE")
        domain = self.domain_xml(server)
        assert "virtio-scsi" not in domain
        # libvirt picks a controller for a disk that is plugged in, too
        self.ends(self.attach(server), 'bus="scsi"')

    def attached_meanwhile(self):
        """Attach a disk to a server after the gate has looked at its disks.

        :returns: ids of its image, and of the server
        """
        server = self.on_virtio({**kept.SCSI, **kept.Q35})
        before = [*self.kept_devices(server)]
        assert self.attach(server).status_int in ATTACHED
        self.given('bus="scsi"')
        self.settle()
        self.witness.texts.clear()
        self.stub_out(KEPT, lambda _info: before)
        return self.instance(server).image_ref, server

    def kept_devices(self, server):
        context = nova_context.get_admin_context()
        instance = self.instance(server)
        rows = nova_servers.block_devices(context, instance)
        info = driver.get_block_device_info(instance, rows)
        return nova_servers.kept_devices(info)

    def test_bypass_31_rebuild_while_a_disk_is_attached(self):
        _, server = self.attached_meanwhile()
        response = self.rebuild(server, hw_disk_bus="virtio")
        self.ends(response, kept.LSI, names=["scsi_model"])

    def test_bypass_31_stable_rescue_while_a_disk_is_attached(self):
        image, server = self.attached_meanwhile()
        self.change(image, *kept.SCSI)
        response = self.rescue(server, **kept.STABLE)
        self.ends(response, kept.LSI, names=["scsi_model"])


(TestGuarded,) = ways.cases(Stale, base.LibvirtCase, ways.Guarded)


(TestFilterAlone,) = ways.cases(Resizes, base.LibvirtCase, ways.FilterAlone)


class OtherArchitecture(kept.Kept):
    """hosts as the installation guide has them: x86_64=q35 and no more."""

    POLICY = "guest_devices: {machine_type: {allow: [q35], mode: enforce}}\n"

    def setUp(self):
        super().setUp()
        self.flags(hw_machine_type=["x86_64=q35"], group="libvirt")

    def test_config_drive_of_i686(self):
        image = self.image(hw_architecture="i686")
        self.ends(self.boot(image, config_drive=True), kept.IDE)

    def test_machine_of_i686_by_its_legacy_name(self):
        image = self.image(architecture="i386")
        self.ends(self.boot(image), 'machine="pc"')

    def test_legacy_rescue_with_i686(self):
        _, server = self.booted({}, config_drive=True)
        self.witness.texts.clear()
        rescue = self.rescue(server, hw_architecture="i686")
        self.ends(rescue, kept.IDE)


(TestGuardedArchitecture,) = ways.cases(
    OtherArchitecture, base.LibvirtCase, ways.Guarded
)

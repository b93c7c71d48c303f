# SPDX-License-Identifier: Apache-2.0
"""Devices that come of another record of the image than the gate reads.

Nova keeps up to four: Glance's image, the server's system_metadata, the
RequestSpec of the last scheduling, and the domain as it was last made.
"""

from nova import context as nova_context
from nova.virt import driver

from nova_vhard.gates import nova_servers
from tests.functional.bypass import ways
from tests.functional.bypass.test_bypass_kept import LSI, SCSI
from tests.functional.bypass.ways import (
    IDE,
    OWN,
    PC,
    Q35,
    STABLE,
    Attempt,
    New,
)
from tests.functional.nova import base

#: 202 since microversion 2.101, which Nova 31 does not have.
ATTACHED = (200, 202)
DRIVE = {"img_config_drive": "mandatory"}
RESIZE = {"resize": {"flavorRef": "2"}}
UNSHELVE = {"unshelve": None}
#: In the refusal of the API's gate.
ALLOWED = ("(allowed:",)
#: A server whose root alone is not on its image's bus.
ON_VIRTIO = ways.with_disks({**SCSI, **Q35}, disk_bus="virtio")


class Stale(ways.Ways):
    def setUp(self):
        super().setUp()
        self.let_it_resize()

    def acts(self, server, action, *devices, **more):
        """Send an action, and check how it ends."""
        self.witness.texts.clear()
        self.ends(self.act(server, self.known(action)), *devices, **more)

    def attached(self, server):
        """Attach a volume to a server."""
        assert self.attach(server).status_int in ATTACHED
        self.settle()

    def test_resize_takes_the_controller_of_the_request_spec(self):
        """A rebuild with the server's own image is not scheduled."""
        server = self.booted({"imageRef": New("image", Q35)})
        self.change(server, "image", {**SCSI, **Q35})
        response = self.act(server, self.known({"rebuild": {"imageRef": OWN}}))
        assert response.status_int == 202, response.text
        self.wait(server, "ACTIVE")
        self.attached(server)
        self.acts(server, RESIZE, *LSI)

    def test_rescue_after_a_rebuild_that_found_no_host(self):
        """The config drive is asked for by system_metadata alone."""
        server = self.booted({"imageRef": New("image", Q35)})
        nowhere = {"trait:CUSTOM_NOWHERE": "required"}
        wanted = ways.rebuild(**DRIVE, **Q35, **nowhere)
        assert self.act(server, self.known(wanted)).status_int == 202
        self.fault(server)
        self.acts(server, ways.rescue(**PC), IDE)

    def test_unshelve_names_a_disk_by_system_metadata(self):
        server = self.booted(ON_VIRTIO)
        snapshot = self.shelved(server)
        self.attached(server)
        for name in SCSI:
            self.stored("image", snapshot).pop(name, None)
        self.acts(server, UNSHELVE, *LSI)

    def attached_meanwhile(self):
        """Attach a disk to a server after the gate has looked at its disks."""
        server = self.booted(ON_VIRTIO)
        context = nova_context.get_admin_context()
        instance = self.instance(server)
        rows = nova_servers.block_devices(context, instance)
        info = driver.get_block_device_info(instance, rows)
        before = [*nova_servers.kept_devices(info)]
        self.attached(server)
        self.given('bus="scsi"')
        self.stub_out(
            "nova_vhard.gates.nova_servers.kept_devices", lambda _info: before
        )
        return server

    def test_bypass_31_rebuild_while_a_disk_is_attached(self):
        action = ways.rebuild(hw_disk_bus="virtio")
        names = ["scsi_model"]
        self.acts(self.attached_meanwhile(), action, *LSI, names=names)

    def test_bypass_31_stable_rescue_while_a_disk_is_attached(self):
        server = self.attached_meanwhile()
        self.change(server, "image", Q35)
        action = ways.rescue(**STABLE)
        self.acts(server, action, *LSI, names=["scsi_model"])


(TestGuarded,) = ways.cases(Stale, base.LibvirtCase, ways.Guarded)


@ways.rows(
    {
        "test_config_drive_of_i686": Attempt(
            {
                "imageRef": New("image", {"hw_architecture": "i686"}),
                "config_drive": True,
            },
            (IDE,),
            ALLOWED,
        ),
        "test_machine_of_i686_by_its_legacy_name": Attempt(
            {"imageRef": New("image", {"architecture": "i386"})},
            ('machine="pc"',),
            ALLOWED,
        ),
        "test_legacy_rescue_with_i686": Attempt(
            {"imageRef": New("image"), "config_drive": True},
            (IDE,),
            action=ways.rescue(hw_architecture="i686"),
        ),
    }
)
class OtherArchitecture(ways.Ways):
    """hosts as the installation guide has them: x86_64=q35 and no more."""

    POLICY = "guest_devices: {machine_type: {allow: [q35], mode: enforce}}\n"

    def setUp(self):
        super().setUp()
        self.flags(hw_machine_type=["x86_64=q35"], group="libvirt")


TestGuardedArchitecture, TestAskedArchitecture = ways.asked(
    OtherArchitecture, ways.Asked
)

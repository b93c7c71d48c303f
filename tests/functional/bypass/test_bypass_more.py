# SPDX-License-Identifier: Apache-2.0
"""Rows 6, 8, 11, 12, 14 and 17 once more: two steps that add up."""

import uuid
from dataclasses import replace
from pathlib import Path

from nova_vhard.gates import nova_servers
from tests.functional.bypass import ways
from tests.functional.nova import base, helpers

IDE = 'bus="ide"'
PC = {"hw_machine_type": "pc"}
Q35 = {"hw_machine_type": "q35"}


class Boots:
    def test_bypass_06_root_volume_by_another_spelling_of_zero(self):
        """Nova takes any text of digits for the number of a boot index."""
        for zero in ("00", "-0"):
            self.witness.texts.clear()
            root = self.disk(self.volume(**PC), boot_index=zero)
            response = self.boot(
                None, block_device_mapping_v2=[root], config_drive=True
            )
            self.boots(response, IDE)

    def test_bypass_06_root_volume_in_format_1_behind_another(self):
        """Nova's root is the device whose whole letter is a."""
        devices = [
            {"device_name": "vdaa", "volume_id": self.volume()},
            {"device_name": "vda", "volume_id": self.volume(**PC)},
        ]
        response = self.boot(
            None, block_device_mapping=devices, config_drive=True
        )
        self.boots(response, IDE)


class Rows(Boots):
    def rebuild(self, server, **properties):
        image = self.image(**properties)
        return self.act(server, {"rebuild": {"imageRef": image}})

    def test_bypass_11_stable_rescue_reads_the_root_volume_anew(self):
        volume = self.volume(hw_vif_model="virtio")
        server = self.active(
            None,
            block_device_mapping_v2=[self.disk(volume)],
            networks=[{"port": self.neutron.port_1["id"]}],
        )
        metadata = {"hw_vif_model": "e1000"}
        self.cinder.volumes[volume]["volume_image_metadata"] = metadata
        home = Path(base.CONF.instances_path) / server
        home.mkdir(exist_ok=True)
        image = self.image(hw_rescue_bus="virtio", hw_rescue_device="disk")
        action = {"rescue": {"rescue_image_ref": image}}
        self.ends(self.act(server, action), '<model type="e1000"/>')

    def test_bypass_12_machine_type_under_a_config_drive(self):
        server = self.shelved_on_pc()
        self.ends(self.act(server, {"unshelve": None}), IDE)

    def test_bypass_12_unshelve_while_it_is_offloaded(self):
        """It is on its host yet when the gate looks, and not for Nova."""
        server = self.shelved_on_pc()
        real = nova_servers.read
        self.stub_out(
            "nova_vhard.gates.nova_servers.read",
            lambda instance: replace(real(instance), offloaded=False),
        )
        self.ends(self.act(server, {"unshelve": None}), IDE)

    def shelved_on_pc(self):
        """Shelve a server; its snapshot gets a machine with IDE."""
        server = self.active(self.image(**Q35), config_drive=True)
        self.act(server, {"shelve": None})
        self.wait(server, "SHELVED_OFFLOADED")
        metadata = self.instance(server).system_metadata
        snapshot = self.glance.images[metadata["shelved_image_id"]]
        snapshot["properties"].pop("hw_cdrom_bus", None)
        snapshot["properties"].update(PC)
        self.witness.texts.clear()
        return server

    def test_bypass_14_machine_type_under_a_config_drive(self):
        server = self.active(self.image(**Q35), config_drive=True)
        self.ends(self.rebuild(server, **PC), IDE)


(TestGuarded,) = ways.cases(Rows, base.LibvirtCase, ways.Guarded)


(TestFilterAlone,) = ways.cases(Boots, base.LibvirtCase, ways.FilterAlone)


class Sata:
    POLICY = "guest_devices: {disk_bus: {allow: [virtio, sata]}}\n"

    def test_bypass_17_sata_becomes_scsi_when_it_is_plugged_in(self):
        """Nova names the disk sdb, and takes that for a scsi bus."""
        server = self.active(self.image(hw_disk_bus="sata"))
        self.witness.texts.clear()
        response = self.call(
            "POST",
            f"/v2.1/servers/{server}/os-volume_attachments",
            {"volumeAttachment": {"volumeId": str(uuid.uuid4())}},
        )
        self.ends(response, 'bus="scsi"')


(TestGuardedSata,) = ways.cases(Sata, base.LibvirtCase, ways.Guarded)


class TestFlavorWrites(ways.Guarded, base.FakeDriverCase):
    """A flavor that lacks the traits may not get other passthrough."""

    def test_bypass_23_more_passthrough_on_a_flavor_that_lacks_traits(self):
        flavor = {"id": "f", "name": "f", "ram": 512, "vcpus": 1, "disk": 1}
        self.admin_api.post_flavor({"flavor": flavor})
        path = "/v2.1/flavors/f/os-extra_specs"
        alias = "pci_passthrough:alias"
        old = {"extra_specs": {alias: "a:1"}}
        plain = self.without_gate()
        response = self.call("POST", path, old, roles=helpers.ADMIN, app=plain)
        assert response.status_int == 200, response.text
        for method, where, body in (
            ("PUT", f"{path}/{alias}", {alias: "b:2"}),
            ("POST", path, {"extra_specs": {"resources:VGPU": "1"}}),
        ):
            response = self.call(method, where, body, roles=helpers.ADMIN)
            assert response.status_int == 403, response.text

# SPDX-License-Identifier: Apache-2.0
"""Servers, their flavors and devices as the readers get them, field by field.

Nova's own objects, without a database behind them.
"""

import uuid
from types import SimpleNamespace

import pytest
from nova import context, exception, objects
from nova.compute import task_states, vm_states
from nova.virt import driver

from nova_vhard.gates import nova_servers
from nova_vhard.policy.hardware import STORED
from nova_vhard.request import image
from nova_vhard.request.lookups import Flavor, KeptDevice, Server

objects.register_all()

SERVER, IMAGE, SNAPSHOT = (str(uuid.UUID(int=n)) for n in (1, 2, 3))
WHO = context.RequestContext("user", "p1", is_admin=False)
CELL = objects.CellMapping(
    uuid=str(uuid.UUID(int=9)),
    name="cell0",
    transport_url="none:///",
    database_connection="sqlite://",
)


def instance(**fields):
    """Return a server as Nova's database has it."""
    standard = {
        "uuid": SERVER,
        "project_id": "p1",
        "image_ref": IMAGE,
        "vm_state": vm_states.ACTIVE,
        "config_drive": "",
        "launched_at": None,
        "host": "host1",
        "node": "node1",
        "root_device_name": "/dev/vda",
        "flavor": objects.Flavor(
            name="m1.gpu", flavorid="7", extra_specs={"hw:pmu": "on"}
        ),
        "system_metadata": {
            "image_hw_disk_bus": "virtio",
            "image_base_image_ref": IMAGE,
            "shelved_image_id": SNAPSHOT,
            "owner_project_name": "other",
        },
    }
    return objects.Instance(WHO, **{**standard, **fields})


def test_each_field_of_a_server():
    assert nova_servers.read(instance()) == Server(
        id=SERVER,
        project="p1",
        image=IMAGE,
        flavor=Flavor("m1.gpu", "7", {"hw:pmu": "on"}),
        hardware=image.read({"hw_disk_bus": "virtio"}, holder=STORED),
        properties={"hw_disk_bus": "virtio", "base_image_ref": IMAGE},
        config_drive=False,
        base_image=IMAGE,
        shelved_image=SNAPSHOT,
        offloaded=False,
        running=True,
    )


def test_a_server_on_a_volume_has_no_image():
    server = nova_servers.read(instance(image_ref="", system_metadata={}))
    assert (server.image, server.base_image) == (None, None)
    assert (server.shelved_image, server.properties) == (None, {})


@pytest.mark.parametrize(
    ("fields", "offloaded", "running", "drive"),
    [
        ({"vm_state": vm_states.ACTIVE}, False, True, False),
        ({"vm_state": vm_states.STOPPED}, False, False, False),
        # One that is being started may run when Nova looks.
        (
            {
                "vm_state": vm_states.STOPPED,
                "task_state": task_states.POWERING_ON,
            },
            False,
            True,
            False,
        ),
        (
            {"vm_state": vm_states.STOPPED, "task_state": None},
            False,
            False,
            False,
        ),
        ({"vm_state": vm_states.SHELVED}, False, True, False),
        ({"vm_state": vm_states.SHELVED_OFFLOADED}, True, True, False),
        ({"config_drive": "True"}, False, True, True),
        # Nova requires it.
        (
            {"system_metadata": {"image_img_config_drive": "mandatory"}},
            False,
            True,
            True,
        ),
    ],
)
def test_the_state_of_a_server(fields, offloaded, running, drive):
    server = nova_servers.read(instance(**fields))
    facts = (server.offloaded, server.running, server.config_drive)
    assert facts == (offloaded, running, drive)


@pytest.mark.parametrize("specs", [{}, {"extra_specs": {}}])
def test_a_flavor_without_extra_specs(specs):
    bare = objects.Flavor(name="m1.small", flavorid="1", **specs)
    assert nova_servers.flavor(bare) == Flavor("m1.small", "1", {})


def device(number, **fields):
    """Return a row of a server's block devices."""
    standard = {
        "id": number,
        "uuid": str(uuid.UUID(int=100 + number)),
        "instance_uuid": SERVER,
        "source_type": "blank",
        "destination_type": "local",
        "guest_format": None,
        "device_name": None,
        "device_type": "disk",
        "disk_bus": None,
        "boot_index": -1,
        "volume_size": 1,
        "volume_type": None,
        "image_id": None,
        "snapshot_id": None,
        "volume_id": None,
        "connection_info": None,
        "delete_on_termination": False,
        "attachment_id": None,
        "no_device": False,
        "encrypted": False,
        "encryption_secret_uuid": None,
        "encryption_format": None,
        "encryption_options": None,
    }
    return objects.BlockDeviceMapping(WHO, **{**standard, **fields})


VOLUME = {
    "source_type": "volume",
    "destination_type": "volume",
    "volume_id": str(uuid.UUID(int=50)),
}


def kept(*rows):
    """Return what is kept of block devices, through Nova's own function."""
    listed = objects.BlockDeviceMappingList(WHO, objects=list(rows))
    info = driver.get_block_device_info(instance(), listed)
    return list(nova_servers.kept_devices(info))


def test_each_field_of_local_devices():
    root = device(
        1,
        source_type="image",
        image_id=IMAGE,
        boot_index=0,
        device_name="/dev/sda",
        disk_bus="scsi",
    )
    ephemeral = device(
        2, device_name="/dev/hdb", disk_bus="ide", device_type="cdrom"
    )
    swap = device(
        3, guest_format="swap", device_name="/dev/vdc", disk_bus="virtio"
    )
    assert kept(swap, ephemeral, root) == [
        KeptDevice("scsi", "disk", "sda", named=False, root=True),
        KeptDevice("ide", "cdrom", "hdb", named=False, root=False),
        KeptDevice("virtio", None, "vdc", named=False, root=False),
    ]


def test_each_field_of_volumes():
    root = device(
        1, **VOLUME, boot_index=0, device_name="/dev/vda", disk_bus="usb"
    )
    data = device(
        2, **VOLUME, device_name="/dev/sdb", device_type="lun", disk_bus="scsi"
    )
    bare = device(3, **VOLUME, device_name="/dev/vdc", device_type=None)
    assert kept(root, data, bare) == [
        KeptDevice("usb", "disk", "vda", named=False, root=True),
        KeptDevice("scsi", "lun", "sdb", named=True, root=False),
        KeptDevice(None, None, "vdc", named=True, root=False),
    ]
    assert kept() == []


class TestCell:
    """Whose database is read, and as whom."""

    @pytest.fixture(autouse=True)
    def mapped(self, monkeypatch):
        self.asked = []
        monkeypatch.setattr(context, "CELL_CACHE", {})
        mapping = objects.InstanceMapping(cell_mapping=CELL)
        self.answer(
            monkeypatch,
            objects.InstanceMapping,
            "get_by_instance_uuid",
            mapping,
        )

    def answer(self, patch, kind, name, answer):
        """Let a class method of Nova's note what it is asked, and answer."""

        def ask(who, *arguments):
            cell = getattr(who, "cell_uuid", None)
            self.asked.append((kind.__name__, who, cell, *arguments))
            return answer

        patch.setattr(kind, name, ask)

    def test_the_block_devices(self, monkeypatch):
        rows = objects.BlockDeviceMappingList(WHO, objects=[])
        kind = objects.BlockDeviceMappingList
        self.answer(monkeypatch, kind, "get_by_instance_uuid", rows)
        assert nova_servers.block_devices(WHO, instance()) is rows
        (_, who, _, server), (_, targeted, cell, again) = self.asked
        assert who is WHO
        assert server == again == SERVER
        assert targeted.user_id == "user"
        assert cell == CELL.uuid

    def test_the_host(self, monkeypatch):
        facts = {"uuid": SERVER, "host": "host1", "hypervisor_type": "QEMU"}
        for kind, name, answer in (
            (
                objects.ComputeNode,
                "get_by_host_and_nodename",
                objects.ComputeNode(**facts),
            ),
            (
                objects.Service,
                "get_by_compute_host",
                SimpleNamespace(version=70),
            ),
        ):
            self.answer(monkeypatch, kind, name, answer)
        service = {"version": 70}
        expected = nova_servers.Host(**facts, service=service)
        assert nova_servers.host(instance()) == expected
        (_, who, _, server), *asked = self.asked
        assert who.is_admin
        assert server == SERVER
        for _, targeted, cell, *_names in asked:
            assert targeted.is_admin
            assert cell == CELL.uuid
        assert [names for _, _, _, *names in asked] == [
            ["host1", "node1"],
            ["host1"],
        ]


@pytest.mark.parametrize(
    "record", [objects.ImageMeta.from_dict({"id": IMAGE}), None]
)
def test_the_record_of_a_server(monkeypatch, record):
    asked = []

    def ask(who, server):
        asked.append((who, server))
        if record is None:
            raise exception.RequestSpecNotFound(instance_uuid=server)
        return objects.RequestSpec(image=record)

    monkeypatch.setattr(objects.RequestSpec, "get_by_instance_uuid", ask)
    assert nova_servers.recorded(WHO, instance()) is record
    assert asked == [(WHO, SERVER)]

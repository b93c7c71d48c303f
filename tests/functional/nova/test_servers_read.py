# SPDX-License-Identifier: Apache-2.0
"""Servers, their flavors and devices as the readers get them, field by field.

Nova's own objects, without a database behind them.
"""

import uuid
from dataclasses import replace
from unittest import mock

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


READ = Server(
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
STOPPED, OFFLOADED = vm_states.STOPPED, vm_states.SHELVED_OFFLOADED
#: Nova requires a config drive.
MANDATORY = {"image_img_config_drive": "mandatory"}


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({}, {}),
        # A server on a volume has no image.
        (
            {"image_ref": "", "system_metadata": {}},
            {
                "image": None,
                "base_image": None,
                "shelved_image": None,
                "properties": {},
                "hardware": image.read({}, None, "volume", STORED),
            },
        ),
        ({"vm_state": STOPPED}, {"running": False}),
        ({"vm_state": STOPPED, "task_state": None}, {"running": False}),
        # A server that is being started may run when Nova reads it.
        ({"vm_state": STOPPED, "task_state": task_states.POWERING_ON}, {}),
        ({"vm_state": vm_states.SHELVED}, {}),
        ({"vm_state": OFFLOADED}, {"offloaded": True}),
        ({"config_drive": "True"}, {"config_drive": True}),
        (
            {"system_metadata": MANDATORY},
            {
                "config_drive": True,
                "base_image": None,
                "shelved_image": None,
                "properties": {"img_config_drive": "mandatory"},
                "hardware": image.read(
                    {"img_config_drive": "mandatory"}, holder=STORED
                ),
            },
        ),
    ],
)
def test_each_field_of_a_server(fields, changed):
    assert nova_servers.read(instance(**fields)) == replace(READ, **changed)


@pytest.mark.parametrize("specs", [{}, {"extra_specs": {}}])
def test_a_flavor_without_extra_specs(specs):
    assert nova_servers.flavor(
        objects.Flavor(name="m1.small", flavorid="1", **specs)
    ) == Flavor("m1.small", "1", {})


ROOT = {"boot_index": 0}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Swap, an ephemeral disk and the root, which Nova sorts
        (
            [
                {
                    "guest_format": "swap",
                    "device_name": "/dev/vdc",
                    "disk_bus": "virtio",
                },
                {
                    "device_name": "/dev/hdb",
                    "disk_bus": "ide",
                    "device_type": "cdrom",
                },
                {
                    **ROOT,
                    "source_type": "image",
                    "image_id": IMAGE,
                    "device_name": "/dev/sda",
                    "disk_bus": "scsi",
                },
            ],
            [
                KeptDevice("scsi", "disk", "sda", named=False, root=True),
                KeptDevice("ide", "cdrom", "hdb", named=False, root=False),
                KeptDevice("virtio", None, "vdc", named=False, root=False),
            ],
        ),
        (
            [
                {
                    **VOLUME,
                    **ROOT,
                    "device_name": "/dev/vda",
                    "disk_bus": "usb",
                },
                {
                    **VOLUME,
                    "device_name": "/dev/sdb",
                    "device_type": "lun",
                    "disk_bus": "scsi",
                },
                {**VOLUME, "device_name": "/dev/vdc", "device_type": None},
            ],
            [
                KeptDevice("usb", "disk", "vda", named=False, root=True),
                KeptDevice("scsi", "lun", "sdb", named=True, root=False),
                KeptDevice(None, None, "vdc", named=True, root=False),
            ],
        ),
        ([], []),
    ],
    ids=["local", "volumes", "none"],
)
def test_each_field_of_devices(rows, expected):
    """Nova's own function sorts them."""
    listed = [device(number, **row) for number, row in enumerate(rows, 1)]
    devices = objects.BlockDeviceMappingList(WHO, objects=listed)
    info = driver.get_block_device_info(instance(), devices)
    assert list(nova_servers.kept_devices(info)) == expected


@pytest.fixture
def asked(monkeypatch):
    """Return a function that stubs a class method of Nova with an answer.

    The function returns the list of calls: context, its cell, and arguments.
    """
    monkeypatch.setattr(context, "CELL_CACHE", {})

    def answers(kind, name, answer):
        calls = []

        def ask(who, *arguments):
            calls.append((who, getattr(who, "cell_uuid", None), *arguments))
            return answer

        monkeypatch.setattr(kind, name, ask)
        return calls

    return answers


BY_UUID = "get_by_instance_uuid"
MAPPING = objects.InstanceMapping(cell_mapping=CELL)


def test_block_devices_are_read_in_the_servers_cell_as_the_user(asked):
    rows = objects.BlockDeviceMappingList(WHO, objects=[])
    mapped = asked(objects.InstanceMapping, BY_UUID, MAPPING)
    calls = asked(objects.BlockDeviceMappingList, BY_UUID, rows)
    assert nova_servers.block_devices(WHO, instance()) is rows
    assert mapped == [(WHO, None, SERVER)]
    ((targeted, *rest),) = calls
    assert (targeted.user_id, *rest) == ("user", CELL.uuid, SERVER)


def test_a_host_is_read_in_the_servers_cell_as_an_administrator(asked):
    facts = {"uuid": SERVER, "host": "host1", "hypervisor_type": "QEMU"}
    mapped = asked(objects.InstanceMapping, BY_UUID, MAPPING)
    nodes = asked(
        objects.ComputeNode,
        "get_by_host_and_nodename",
        objects.ComputeNode(**facts),
    )
    services = asked(
        objects.Service, "get_by_compute_host", mock.Mock(version=70)
    )
    expected = nova_servers.Host(**facts, service={"version": 70})
    assert nova_servers.host(instance()) == expected
    calls = [*mapped, *nodes, *services]
    assert all(who.is_admin for who, *_ in calls)
    assert [rest for _, *rest in calls] == [
        [None, SERVER],
        [CELL.uuid, "host1", "node1"],
        [CELL.uuid, "host1"],
    ]


@pytest.mark.parametrize(
    "record", [objects.ImageMeta.from_dict({"id": IMAGE}), None]
)
def test_the_record_of_a_server(monkeypatch, record):
    get = mock.Mock(return_value=objects.RequestSpec(image=record))
    if record is None:
        get.side_effect = exception.RequestSpecNotFound(instance_uuid=SERVER)
    monkeypatch.setattr(objects.RequestSpec, BY_UUID, get)
    assert nova_servers.recorded(WHO, instance()) is record
    get.assert_called_once_with(WHO, SERVER)

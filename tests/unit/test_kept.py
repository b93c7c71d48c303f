# SPDX-License-Identifier: Apache-2.0
"""Devices that a server keeps under the image that comes."""

import pytest

from nova_vhard.policy.hardware import (
    CDROM,
    SERVER,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.request import image
from nova_vhard.request.kept import with_kept, with_later_disks
from nova_vhard.request.lookups import KeptDevice


def kept(device, request=None):
    """Return the buses and the devices that come of one that stays."""
    result = with_kept(request or HardwareRequest(), [device], False)
    return [
        (wish.kind, wish.value)
        for wish in result.choices
        if wish.kind != "device_type"
    ], result.reason(CDROM)


def test_a_bus_that_nova_knows_stays():
    assert kept(KeptDevice("scsi", "disk")) == ([("disk_bus", "scsi")], None)


@pytest.mark.parametrize(
    ("name", "bus"), [("hda", "ide"), ("sdb", "scsi"), ("vdc", "virtio")]
)
@pytest.mark.parametrize(
    "device", [{"named": True}, {"disk_bus": "xen"}, {"disk_bus": "uml"}]
)
def test_without_one_that_it_knows_the_name_decides(device, name, bus):
    device = KeptDevice(device_name=name, **device)
    assert kept(device) == ([("disk_bus", bus)], None)


@pytest.mark.parametrize("device", [{"named": True}, {"disk_bus": "xen"}])
def test_without_a_name_the_kind_decides(device):
    buses, reason = kept(KeptDevice(device_type="cdrom", **device))
    assert buses == []
    assert reason == "the server's cdrom"


@pytest.mark.parametrize("bus", [None, ""])
def test_a_local_disk_without_a_bus_is_on_the_disks_bus(bus):
    """Whatever its kind and name are: get_disk_mapping passes that bus."""
    device = KeptDevice(bus, "cdrom", "hda")
    assert kept(device) == ([], None)


def test_an_iso_image_replaces_the_root():
    """get_root_info takes bus and kind from the image then."""
    request = image.read({}, "iso")
    root = KeptDevice("scsi", "disk", "sda", root=True)
    assert kept(root, request) == ([], "an ISO image")
    other = KeptDevice("scsi", "disk", "sdb")
    assert kept(other, request)[0] == [("disk_bus", "scsi")]


def test_every_device_beside_a_replaced_root_stays():
    devices = [
        KeptDevice("scsi", "disk", "sda", root=True),
        KeptDevice("usb", "disk", "sdb"),
        KeptDevice("ide", "disk", "hdc"),
    ]
    made = with_kept(image.read({}, "iso"), devices, False)
    assert [choice.value for choice in made.choices] == ["usb", "ide"]


@pytest.mark.parametrize(
    ("device", "where", "bus_kind"),
    [
        (KeptDevice("scsi", "cdrom", "sda"), "cdrom sda", "cdrom_bus"),
        (KeptDevice("usb", "floppy", "sdb"), "floppy sdb", "floppy_bus"),
        (KeptDevice("scsi", "lun"), "lun", "disk_bus"),
    ],
)
def test_a_device_that_stays_is_named_after_the_server(
    device, where, bus_kind
):
    place = f"the server's {where}"
    kind = device.device_type
    assert with_kept(HardwareRequest(), [device], False).choices == (
        DeviceChoice("device_type", kind, f"kind of {place}", place, SERVER),
        DeviceChoice(
            bus_kind, device.disk_bus, f"bus of {place}", place, SERVER
        ),
    )


@pytest.mark.parametrize("kind", [None, "disk", "of-tomorrow"])
def test_a_disk_that_stays_is_judged_by_its_bus_alone(kind):
    place = "the server's disk vda"
    device = KeptDevice("virtio", kind, "vda")
    assert with_kept(HardwareRequest(), [device], False).choices == (
        DeviceChoice("disk_bus", "virtio", f"bus of {place}", place, SERVER),
    )


def test_a_config_drive_stays():
    assert with_kept(HardwareRequest(), [], True).reasons == (
        (CDROM, "the server's config drive"),
    )


@pytest.mark.parametrize("bus", ["scsi", "sata", "usb"])
def test_a_later_disk_beside_one_that_is_named_sda_is_on_scsi(bus):
    place = "a disk that is attached later"
    stored = image.read({"hw_disk_bus": bus})
    assert with_later_disks(HardwareRequest(), stored).choices == (
        DeviceChoice("disk_bus", "scsi", place, place, SERVER),
    )


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"hw_disk_bus": "virtio"},
        {"hw_disk_bus": "ide"},
        # one block device's bus is not the bus of the others
        {"mappings": '[{"disk_bus": "sata"}]'},
        {"hw_cdrom_bus": "sata"},
    ],
)
def test_any_other_later_disk_is_as_the_image_says(properties):
    request = HardwareRequest()
    stored = image.read(properties)
    assert with_later_disks(request, stored) is request

# SPDX-License-Identifier: Apache-2.0
"""Devices that a server keeps under the image that comes."""

import pytest

from nova_vhard.policy.hardware import (
    CDROM,
    CONFIG_DRIVE,
    DISK,
    ROOT,
    SERVER,
    USUAL,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.request import image
from nova_vhard.request.kept_devices import with_kept
from nova_vhard.request.lookups import KeptDevice

#: Says nothing of a disk.
STORED_IMAGE = HardwareRequest()


def kept(device, request=None):
    """Return the buses and the devices that come of one that stays."""
    result = with_kept(
        request or HardwareRequest(), [device], False, STORED_IMAGE
    )
    return [
        (wish.kind, wish.value)
        for wish in result.choices
        if wish.kind != "device_type"
    ], [each for each in result.devices if each not in USUAL]


ISO = image.read({}, "iso")
DRIVE = [(CDROM, "cdrom 0", "the server's cdrom")]


@pytest.mark.parametrize(
    ("device", "request_", "buses", "devices"),
    [
        # a bus that Nova knows stays
        (KeptDevice("scsi", "disk"), None, [("disk_bus", "scsi")], []),
        # without one that it knows the name decides
        *(
            (KeptDevice(device_name=name, **device), None, [bus], [])
            for name, bus in (
                ("hda", ("disk_bus", "ide")),
                ("sdb", ("disk_bus", "scsi")),
                ("vdc", ("disk_bus", "virtio")),
            )
            for device in (
                {"named": True},
                {"disk_bus": "xen"},
                {"disk_bus": "uml"},
            )
        ),
        # without a name the kind decides
        (KeptDevice(device_type="cdrom", named=True), None, [], DRIVE),
        (KeptDevice("xen", "cdrom"), None, [], DRIVE),
        # a local disk without a bus is on the disks' bus, regardless of kind
        # and name: get_disk_mapping passes that bus
        *(
            (
                KeptDevice(bus, "cdrom", "hda"),
                None,
                [],
                [(DISK, "cdrom hda", "the server's cdrom hda")],
            )
            for bus in (None, "")
        ),
        # an ISO image replaces the root: get_root_info takes bus and kind
        # from the image then
        (
            KeptDevice("scsi", "disk", "sda", root=True),
            ISO,
            [],
            [image.ISO_IMAGE],
        ),
        (
            KeptDevice("scsi", "disk", "sdb"),
            ISO,
            [("disk_bus", "scsi")],
            [image.ISO_IMAGE],
        ),
    ],
)
def test_a_device_that_stays(device, request_, buses, devices):
    assert kept(device, request_) == (buses, devices)


def test_every_device_beside_a_replaced_root_stays():
    devices = [
        KeptDevice("scsi", "disk", "sda", root=True),
        KeptDevice("usb", "disk", "sdb"),
        KeptDevice("ide", "disk", "hdc"),
    ]
    made = with_kept(image.read({}, "iso"), devices, False, STORED_IMAGE)
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
    name = f"{kind} {device.device_name or 0}"
    assert with_kept(
        HardwareRequest(), [device], False, STORED_IMAGE
    ).choices == (
        DeviceChoice(
            *("device_type", kind, f"kind of {place}", place, SERVER),
            device=name,
        ),
        DeviceChoice(
            *(bus_kind, device.disk_bus, f"bus of {place}", place, SERVER),
            device=name,
        ),
    )


@pytest.mark.parametrize("kind", [None, "disk", "of-tomorrow"])
def test_a_disk_that_stays_is_judged_by_its_bus_alone(kind):
    place = "the server's disk vda"
    device = KeptDevice("virtio", kind, "vda")
    assert with_kept(
        HardwareRequest(), [device], False, STORED_IMAGE
    ).choices == (
        DeviceChoice(
            *("disk_bus", "virtio", f"bus of {place}", place, SERVER),
            device="disk vda",
        ),
    )


@pytest.mark.parametrize("properties", [{}, {"img_config_drive": "mandatory"}])
def test_a_config_drive_stays_and_is_one_device(properties):
    made = with_kept(image.read(properties), [], True, STORED_IMAGE)
    assert [each.name for each in made.of_type(CDROM)] == [CONFIG_DRIVE]


@pytest.mark.parametrize(
    ("device", "disks"),
    [
        # its own bus: it does not take what the image of the moment says
        (KeptDevice("virtio", "disk", "vda", root=True), []),
        (KeptDevice(None, "disk", "vda", root=True), [ROOT]),
        (KeptDevice("virtio", "disk", "vdb"), [ROOT]),
        (KeptDevice(None, "disk", "vdb"), [ROOT, "disk vdb"]),
    ],
)
def test_disks_that_take_the_bus_of_the_image(device, disks):
    made = with_kept(HardwareRequest(), [device], False, STORED_IMAGE)
    assert [each.name for each in made.of_type(DISK)] == disks


@pytest.mark.parametrize(
    ("bus", "name", "made"),
    [
        ("sata", None, [("disk_bus", "scsi")]),
        ("usb", None, [("disk_bus", "scsi")]),
        ("scsi", None, [("disk_bus", "scsi")]),
        ("virtio", None, [("disk_bus", "virtio")]),
        ("ide", None, [("disk_bus", "ide")]),
        # it has a name already, which decides
        ("sata", "vdb", [("disk_bus", "virtio")]),
    ],
)
def test_a_volume_without_a_name_is_named_by_the_stored_image(bus, name, made):
    stored = image.read({"hw_disk_bus": bus})
    device = KeptDevice(None, "disk", name, named=True)
    result = with_kept(HardwareRequest(), [device], False, stored)
    assert [(each.kind, each.value) for each in result.choices] == made

# SPDX-License-Identifier: Apache-2.0
"""Devices that a server keeps under the image that comes."""

import pytest

from nova_vhard.policy.hardware import CDROM, HardwareRequest
from nova_vhard.request import image
from nova_vhard.request.kept import with_kept
from nova_vhard.request.lookups import KeptDevice


def kept(device, request=None):
    """Return the buses and the devices that come of one that stays."""
    found = with_kept(request or HardwareRequest(), [device], False)
    return [
        (wish.kind, wish.value)
        for wish in found.wishes
        if wish.kind != "device_type"
    ], found.reason(CDROM)


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

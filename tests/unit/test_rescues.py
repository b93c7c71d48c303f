# SPDX-License-Identifier: Apache-2.0
"""Tests of the image of a rescue, and of rescues that cannot be judged."""

import pytest

from nova_vhard.catalogue.devices import OF_FILE
from nova_vhard.policy.defaults import implied
from nova_vhard.policy.hardware import (
    CDROM,
    DISK,
    FLOPPY,
    STORED,
    VOLUME,
    HardwareRequest,
)
from nova_vhard.policy.model import Assume
from nova_vhard.request import image as image_reader
from nova_vhard.request.kept_devices import with_kept
from nova_vhard.request.lookups import Image, KeptDevice, NotFound, Server
from nova_vhard.request.rescue import (
    Unusable,
    rescue_disk,
    rescue_image,
    rescued,
)
from tests.unit.lookups import lookups

IMAGE_ID = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"
BASE_ID = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
IMAGES = {IMAGE_ID: Image({"a": "1"}), BASE_ID: Image({"b": "2"})}
NO_TABLET = Assume(pointer_model="ps2mouse")
STABLE = Image({"hw_rescue_device": "disk"})
ADDRESS = "http://10.0.0.1/image"


def server(**more):
    properties = more.get("properties", {})
    return Server(
        **{
            "id": "a-server",
            "image": IMAGE_ID,
            "hardware": image_reader.read(properties, holder=STORED),
            **more,
        }
    )


@pytest.mark.parametrize(
    ("more", "named", "expected"),
    [
        ({}, IMAGE_ID, IMAGE_ID),
        ({}, None, IMAGE_ID),
        ({"base_image": BASE_ID}, "", BASE_ID),
        ({"base_image": BASE_ID}, IMAGE_ID, IMAGE_ID),
        ({"base_image": BASE_ID, "image": None}, None, BASE_ID),
        ({"base_image": ADDRESS}, BASE_ID, BASE_ID),
        # Nova's to answer
        ({"image": None}, None, None),
        ({}, "gone", None),
    ],
)
def test_the_image_that_is_rescued_with(more, named, expected):
    find = lookups(image=IMAGES)
    if expected:
        assert rescue_image(find, server(**more), named) is IMAGES[expected]
    else:
        with pytest.raises(NotFound):
            rescue_image(find, server(**more), named)


GONE = "3f2a6e04-7c5d-4a59-9a75-2c8c1b0f6f11"


def unusable(**more):
    """Return the fault of a rescue with an unusable image."""
    with pytest.raises(Unusable) as error:
        rescue_image(lookups(image=IMAGES), server(**more), None)
    return error.value.fault


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({"base_image": ADDRESS}, ADDRESS),
        ({"base_image": ADDRESS, "image": None}, ADDRESS),
        ({"base_image": GONE}, GONE),
        ({"image": GONE}, GONE),
    ],
)
def test_what_only_the_compute_service_would_look_at(more, value):
    fault = unusable(**more)
    assert fault.source == "stored image property base_image_ref"
    assert (fault.value, fault.count, fault.names) == (value, "", frozenset())


def test_a_root_volume_that_cannot_be_read():
    hardware = rescued(lookups(own_image={}), server(), STABLE)
    (fault,) = hardware.faults
    assert fault.source == "the root volume of this server"
    assert fault.value == "a-server"
    assert hardware == HardwareRequest(devices=(), faults=(fault,))


def test_a_legacy_rescue_is_of_the_rescue_image_alone():
    """Its own references are not followed, nor is it ever a CD-ROM."""
    properties = {"hw_disk_bus": "ide", "base_image_ref": ADDRESS}
    properties["img_config_drive"] = "mandatory"
    of_disk = image_reader.read({"hw_disk_bus": "ide"})
    for drive in (True, False):
        hardware = rescued(
            lookups(), server(config_drive=drive), Image(properties, "iso")
        )
        assert hardware == with_kept(of_disk, (), drive, of_disk)


@pytest.mark.parametrize(
    "own", [None, Image({"hw_disk_bus": "sata"}, origin=VOLUME)]
)
def test_a_stable_rescue_adds_a_disk_to_what_the_server_has(own):
    # The last one is named by the stored image.
    stays = [KeptDevice("scsi", "lun", "sdb"), KeptDevice(named=True)]
    existing = server(properties={"hw_disk_bus": "ide"}, config_drive=True)
    find = lookups(
        own_image={"a-server": own}, kept_devices={"a-server": stays}
    )
    hardware = rescued(find, existing, STABLE)
    made_of = existing.hardware if own is None else own.hardware()
    before = with_kept(made_of, stays, True, existing.hardware)
    assert hardware.choices == before.choices
    assert hardware.devices == before.devices
    assert (hardware.origin, hardware.holder) == (before.origin, before.holder)
    assert hardware.rescue_disk == rescue_disk(STABLE)
    assert hardware.faults == ()


BOTH = frozenset(("rescue_bus", "rescue_device", *OF_FILE))


@pytest.mark.parametrize(
    ("device", "expected", "bus"),
    [
        ("disk", DISK, "disk_bus"),
        ("cdrom", CDROM, "cdrom_bus"),
        ("floppy", FLOPPY, "floppy_bus"),
        ("of-tomorrow", DISK, "disk_bus"),
    ],
)
def test_the_kind_of_the_disk_of_a_stable_rescue(device, expected, bus):
    disk = rescue_disk(
        Image({"hw_rescue_device": device, "base_image_ref": ADDRESS})
    )
    (added,) = disk.devices
    why = f"hw_rescue_device={device}"
    assert added == (expected, "rescue disk", why)
    assert disk.only == BOTH | {bus}
    assert disk.faults == ()
    # Nova picks no bus on which libvirt adds a controller.
    rescued = HardwareRequest(rescue_disk=disk)
    picked = implied(rescued, NO_TABLET, ("usb_model",))
    assert "usb_model" not in {each.kind for each in picked}


def test_the_bus_of_the_disk_of_a_stable_rescue():
    disk = rescue_disk(
        Image({"hw_rescue_device": "cdrom", "hw_rescue_bus": "usb"}, "iso")
    )
    assert (disk.devices, disk.only) == ((), BOTH)


@pytest.mark.parametrize(
    ("value", "running", "slow"),
    [
        ("61", True, True),
        (61, True, True),
        ("61", False, False),
        ("60", True, False),
        ("", True, False),
        ("soon", True, False),
    ],
)
def test_a_server_that_shuts_down_slowly(value, running, slow):
    existing = server(
        properties={"os_shutdown_timeout": value}, running=running
    )
    find = lookups(own_image={"a-server": None}, kept_devices={"a-server": ()})
    faults = rescued(find, existing, STABLE).faults
    place = "stored image property os_shutdown_timeout"
    assert [(each.source, each.value) for each in faults] == (
        [(place, str(value))] if slow else []
    )
    # a legacy one reads none of it
    assert rescued(find, existing, Image()).faults == ()

# SPDX-License-Identifier: Apache-2.0
"""Readers: what an image, a flavor or a block device mapping asks for."""

import json

import pytest

from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    CDROM,
    CONFIG_DRIVE,
    FLAVOR,
    FLOPPY,
    IMAGE,
    ROOT,
    VOLUME,
    DeviceChoice,
    Holder,
)
from nova_vhard.request import block_device, flavor, image, nova_api

HOLDER = Holder("a-volume", "p1")


def names(devices):
    return [each.name for each in devices]


def choices(properties):
    request = image.read(properties)
    return {(each.kind, each.value, each.setting) for each in request.choices}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (
            {"hw_disk_bus": "ide"},
            {("disk_bus", "ide", "hw_disk_bus")},
        ),
        # Nova reads these in any case, and in old spellings.
        (
            {"hw_vif_model": "VirtualE1000"},
            {("vif_model", "e1000", "hw_vif_model")},
        ),
        (
            {"hw_scsi_model": "ParaVirtual"},
            {("scsi_model", "vmpvscsi", "hw_scsi_model")},
        ),
        (
            {"architecture": "AMD64"},
            {("architecture", "x86_64", "architecture")},
        ),
        ({"vm_mode": "PV"}, {("vm_mode", "xen", "vm_mode")}),
        # A disk bus it does not: IDE is a value that Nova will not take.
        (
            {"hw_disk_bus": "IDE"},
            {("disk_bus", "IDE", "hw_disk_bus")},
        ),
        (
            {"vmware_adaptertype": "ide"},
            {("disk_bus", "ide", "vmware_adaptertype")},
        ),
        (
            {"vmware_adaptertype": "lsiLogicsas"},
            {
                ("disk_bus", "scsi", "vmware_adaptertype"),
                ("scsi_model", "lsisas1068", "vmware_adaptertype"),
            },
        ),
        ({"vmware_adaptertype": ""}, set()),
        # The name of today wins over the legacy one.
        (
            {"vmware_adaptertype": "ide", "hw_disk_bus": "virtio"},
            {("disk_bus", "virtio", "hw_disk_bus")},
        ),
        (
            {"ipxe_boot": "yes", "hw_ipxe_boot": "no"},
            {("ipxe_boot", "false", "hw_ipxe_boot")},
        ),
        (
            {"hw_redirected_usb_ports": "03"},
            {("redirected_usb_ports", "3", "hw_redirected_usb_ports")},
        ),
        # Not text, as a body may have it before Glance checks its schema.
        (
            {"hw_disk_bus": ["ide"]},
            {("disk_bus", "['ide']", "hw_disk_bus")},
        ),
        ({"hw_disk_bus": None}, {("disk_bus", "None", "hw_disk_bus")}),
        ({"hw_time_travel": "on", "name": "x"}, set()),
        # A device behind one that cannot be read is read.
        (
            {"mappings": [7, {"disk_bus": "ide"}]},
            {
                ("disk_bus", "unreadable: 7", "mappings[0]"),
                ("disk_bus", "ide", "mappings[1].disk_bus"),
            },
        ),
    ],
)
def test_image_properties(properties, expected):
    assert choices(properties) == expected


@pytest.mark.parametrize(
    "name", ["block_device_mapping", "img_block_device_mapping", "mappings"]
)
@pytest.mark.parametrize("encode", [json.dumps, lambda listed: listed])
def test_block_devices_in_an_image(name, encode):
    listed = [{}, {"disk_bus": "ide", "device_type": "cdrom"}]
    assert choices({name: encode(listed)}) == {
        ("device_type", "cdrom", f"{name}[1].device_type"),
        ("cdrom_bus", "ide", f"{name}[1].disk_bus"),
    }


@pytest.mark.parametrize("name", ["mappings", "block_device_mapping"])
@pytest.mark.parametrize("value", ["{", [7], [{"disk_bus": "ide"}]])
def test_a_device_in_a_mapping_knows_where_it_stands(name, value):
    holder = Holder("8c1f", "5e0d")
    (choice,) = image.read({name: value}, None, VOLUME, holder).choices
    assert (choice.origin, choice.holder) == (VOLUME, holder)
    assert choice.source == f"volume property {choice.setting}"
    assert choice.names == {name}


LONGEST = "[" + " " * (block_device.MOST_CHARACTERS - 2) + "]"


@pytest.mark.parametrize(
    ("value", "good"),
    [
        *(
            (value, False)
            for value in (
                *("{", '{"disk_bus": "ide"}', "7", "[7]", "[" * 5000, "null"),
                *("", "0", "false", "{}", "NaN", "[" * 40_000),
            )
        ),
        ("[]", True),
        # as much as may be, and more
        ([{}] * block_device.MOST_ENTRIES, True),
        ([{}] * (block_device.MOST_ENTRIES + 1), False),
        (json.dumps([{}] * 257), False),
        (LONGEST, True),
        (f"{LONGEST} ", False),
        ("[" + " " * 65_535 + "]", False),
    ],
)
@pytest.mark.parametrize("name", ["mappings", "block_device_mapping"])
def test_block_devices_that_cannot_be_read_are_allowed_by_no_policy(
    name, value, good
):
    result = choices({name: value})
    assert [(kind, text[:11]) for kind, text, _ in result] == (
        [] if good else [("disk_bus", "unreadable:")]
    )
    assert all(len(text) < 64 for _, text, _ in result)


SWAP = {
    "source_type": "blank",
    "destination_type": "local",
    "guest_format": "swap",
    "device_type": "cdrom",
}


def test_swap_is_a_disk_whatever_its_device_type_says():
    """Nova's own device for swap has no device_type."""
    (_, bus), devices = block_device.read([{**SWAP, "disk_bus": "ide"}], "b")
    assert (bus.kind, bus.value, devices) == ("disk_bus", "ide", [])
    assert block_device.read([SWAP], "b")[1] == []
    blank = {**SWAP, "destination_type": "volume", "disk_bus": "ide"}
    assert block_device.read([blank], "b")[0][1].kind == "cdrom_bus"


@pytest.mark.parametrize(
    ("value", "place", "text"),
    [
        ("{", "mappings", "{"),
        ({"a": 1}, "mappings", "{'a': 1}"),
        ([7], "mappings[0]", "7"),
        ('[{}, "a\\n"]', "mappings[1]", "a"),
        ("x" * 99, "mappings", "x" * 39 + "…"),
    ],
)
def test_what_cannot_be_read_is_shown_with_its_place(value, place, text):
    wish = DeviceChoice(
        kind="disk_bus",
        value=f"unreadable: {text}",
        source=f"volume property {place}",
        setting=place,
        origin=VOLUME,
        names=frozenset(("mappings",)),
        holder=HOLDER,
        device=place,
    )
    assert block_device.read(value, "mappings", VOLUME, HOLDER) == ([wish], [])


def test_the_choices_of_an_entry_are_named_after_their_place():
    entries = [{"device_type": "lun", "disk_bus": "ide"}]
    kind, bus = block_device.read(entries, "mappings", VOLUME, HOLDER)[0]
    common = {
        "origin": VOLUME,
        "names": frozenset(("mappings",)),
        "holder": HOLDER,
        "device": "mappings[0]",
    }
    assert kind == DeviceChoice(
        "device_type",
        "lun",
        "volume property mappings[0].device_type",
        "mappings[0].device_type",
        **common,
    )
    assert bus == DeviceChoice(
        "disk_bus",
        "ide",
        "volume property mappings[0].disk_bus",
        "mappings[0].disk_bus",
        **common,
    )


def test_the_list_of_a_request_has_no_bound_here():
    """Properties of images and volumes are limited; Nova limits bodies."""
    choices, _ = block_device.read([{"disk_bus": "ide"}] * 257, "devices")
    assert len(choices) == 257
    place = "devices[256].disk_bus"
    assert choices[-1] == DeviceChoice(
        *("disk_bus", "ide", place, place, BLOCK_DEVICE),
        device="devices[256]",
    )


IMAGE_ID = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"


@pytest.mark.parametrize("value", [0, False, []])
def test_a_reference_that_is_no_text_is_a_fault(value):
    (fault,) = image.read({"base_image_ref": value}).faults
    assert fault.names == {"base_image_ref"}


@pytest.mark.parametrize("origin", [IMAGE, VOLUME])
@pytest.mark.parametrize(
    ("name", "value", "is_fault"),
    [
        ("hw_qemu_guest_agent", "true" + " " * 251, False),
        ("hw_qemu_guest_agent", "true" + " " * 251 + "x", True),
        ("hw_boot_menu", "true" + " " * 251 + "x", True),
        ("hw_serial_port_count", " " * 255 + "1", True),
        # 64 characters of 4 bytes
        ("hw_boot_menu", "\U0001f600" * 64, True),
        # As text, it is not among the allowed values.
        ("hw_vif_model", "e1000" + " " * 251, False),
        # An image that another was made of is known by its id; any other
        # reference is a fault.
        ("base_image_ref", IMAGE_ID, False),
        ("base_image_ref", "", False),
        *(
            ("base_image_ref", value, True)
            for value in (
                f"http://10.0.0.1/v2/images/{IMAGE_ID}",
                IMAGE_ID.replace("-", ""),
                f"{{{IMAGE_ID}}}",
                f"{IMAGE_ID}\n",
                *(" ", "0", "x"),
            )
        ),
    ],
)
def test_a_property_that_nova_would_cut(name, value, is_fault, origin):
    """Nova keeps 255 bytes of it, and builds the guest of them later."""
    faults = image.read({name: value}, None, origin, HOLDER).faults
    assert [
        (each.names, each.value, each.source, each.origin, each.holder)
        for each in faults
    ] == [
        ({name}, value, f"{origin} property {name}", origin, HOLDER)
    ] * is_fault


def test_facts_that_defaults_depend_on():
    request = image.read(
        {
            "architecture": "i386",
            "hw_machine_type": "q35",
            "vmware_ostype": "x",
            "img_config_drive": "mandatory",
            "hw_emulation_architecture": "AMD64",
        }
    )
    assert request.emulated == "x86_64"
    assert request.architecture == "i686"
    assert request.machine_type == "q35"
    assert request.os_distro == "x"
    assert names(request.of_type(CDROM)) == [CONFIG_DRIVE]


def test_names_that_a_change_is_charged_by():
    (wish,) = image.read({"vmware_adaptertype": "ide"}).choices
    assert wish.names == {"vmware_adaptertype", "hw_disk_bus"}
    value = '[{"disk_bus": "ide"}]'
    (wish,) = image.read({"block_device_mapping": value}).choices
    assert wish.names == {"block_device_mapping"}
    for name in wish.names:
        assert name in image.READ


LISTS = (
    "block_device_mapping",
    "img_block_device_mapping",
    "mappings",
    "img_mappings",
)
DRIVES = [{"device_type": "cdrom"}, {"disk_bus": "ide"}]


def test_what_an_image_says_in_several_places_is_all_read():
    properties = {
        "img_config_drive": "mandatory",
        "hw_vif_model": "e1000",
        "hw_disk_bus": "usb",
        **{name: json.dumps(DRIVES) for name in LISTS},
    }
    request = image.read(properties, "iso")
    assert sorted((each.setting, each.value) for each in request.choices) == (
        sorted(
            [
                ("hw_disk_bus", "usb"),
                ("hw_vif_model", "e1000"),
                ("img_config_drive", "mandatory"),
                *((f"{name}[0].device_type", "cdrom") for name in LISTS),
                *((f"{name}[1].disk_bus", "ide") for name in LISTS),
            ]
        )
    )
    assert names(request.of_type(CDROM)) == [
        *(ROOT, CONFIG_DRIVE),
        *(f"{name}[0]" for name in LISTS),
    ]


def test_what_the_body_of_a_boot_says_in_several_places_is_all_read():
    lists = ("block_device_mapping_v2", "block_device_mapping")
    body = {**dict.fromkeys(lists, DRIVES), "config_drive": True}
    choices, devices = nova_api.in_body(body)
    assert sorted(wish.setting for wish in choices) == sorted(
        f"{name}{field}"
        for name in lists
        for field in ("[0].device_type", "[1].disk_bus")
    )
    assert {each.type for each in devices} == {CDROM}
    assert names(devices) == [*(f"{name}[0]" for name in lists), CONFIG_DRIVE]


def test_block_device_mappings_of_a_request():
    result, devices = block_device.read(
        [
            {"device_type": "cdrom", "boot_index": 1},
            {"device_type": "floppy"},
            {"device_type": "floppy", "disk_bus": "usb"},
            {"device_type": "lun", "disk_bus": "scsi"},
            {"disk_bus": "ide"},
        ],
        "block_device_mapping_v2",
    )
    assert [(each.kind, each.value) for each in result] == [
        ("device_type", "cdrom"),
        ("device_type", "floppy"),
        ("device_type", "floppy"),
        ("floppy_bus", "usb"),
        ("device_type", "lun"),
        ("disk_bus", "scsi"),
        ("disk_bus", "ide"),
    ]
    assert [(each.type, each.name) for each in devices] == [
        (CDROM, "block_device_mapping_v2[0]"),
        (FLOPPY, "block_device_mapping_v2[1]"),
    ]
    assert all(not each.names for each in result)


def test_flavor_extra_specs():
    result = flavor.read(
        {
            "hw:sound_model": "ich9",
            "hw_rng:allowed": "True",
            "hw:pmem": "small",
            "hw:cpu_policy": "dedicated",
        }
    )
    assert [(each.kind, each.value, each.setting) for each in result] == [
        ("pmem", "small", "hw:pmem"),
        ("sound_model", "ich9", "hw:sound_model"),
        ("rng", "true", "hw_rng:allowed"),
    ]


@pytest.mark.parametrize(
    ("value", "canonical", "written"),
    [("true", "true", None), ("True", "true", "True"), ("0", "false", "0")],
)
def test_a_flavors_choice_is_shown_as_it_was_written(
    value, canonical, written
):
    assert flavor.read({"hw_rng:allowed": value}) == [
        DeviceChoice(
            kind="rng",
            value=canonical,
            source="flavor extra spec hw_rng:allowed",
            setting="hw_rng:allowed",
            origin=FLAVOR,
            written=written,
        )
    ]


@pytest.mark.parametrize(
    ("properties", "kind", "value", "name", "written"),
    [
        ({"hw_disk_bus": "ide"}, "disk_bus", "ide", "hw_disk_bus", None),
        ({"hw_vif_model": "E1000"}, "vif_model", "e1000", None, "E1000"),
        ({"vmware_adaptertype": "x"}, "disk_bus", "scsi", "hw_disk_bus", "x"),
    ],
)
def test_an_images_choice_is_shown_as_it_was_written(
    properties, kind, value, name, written
):
    (setting,) = properties
    request = image.read(properties, None, VOLUME, HOLDER)
    assert (request.origin, request.holder) == (VOLUME, HOLDER)
    assert request.explicit(kind) == (
        DeviceChoice(
            kind=kind,
            value=value,
            source=f"volume property {setting}",
            setting=setting,
            origin=VOLUME,
            names=frozenset((setting, name or setting)),
            written=written,
            holder=HOLDER,
        ),
    )

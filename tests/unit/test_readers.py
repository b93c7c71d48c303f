# SPDX-License-Identifier: Apache-2.0
"""Readers of images, flavors, block device mappings and descriptions."""

import json
from operator import attrgetter
from types import SimpleNamespace

import pytest

from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    CDROM,
    CONFIG_DRIVE,
    FLAVOR,
    FLOPPY,
    IMAGE,
    NOBODY,
    ROOT,
    SERVER,
    STORED,
    VOLUME,
    DeviceChoice,
    HardwareRequest,
    Holder,
    Passthrough,
)
from nova_vhard.policy.model import PassthroughRule, Values
from nova_vhard.policy.subject import BOOT, Subject, subject_of
from nova_vhard.request import (
    block_device,
    described,
    flavor,
    flavor_traits,
    image,
    lookups,
    nova_api,
)
from tests.unit.helpers import TODAY, policy

HOLDER = Holder("a-volume", "p1")
ENTRIES = [{}, {"disk_bus": "ide", "device_type": "cdrom"}]


def names(devices):
    return [each.name for each in devices]


def choices(properties):
    return {
        (each.kind, each.value, each.setting)
        for each in image.read(properties).choices
    }


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
        *(
            (
                {name: listed},
                {
                    ("device_type", "cdrom", f"{name}[1].device_type"),
                    ("cdrom_bus", "ide", f"{name}[1].disk_bus"),
                },
            )
            for name in (
                *("block_device_mapping", "img_block_device_mapping"),
                "mappings",
            )
            for listed in (ENTRIES, json.dumps(ENTRIES))
        ),
    ],
)
def test_image_properties(properties, expected):
    assert choices(properties) == expected


@pytest.mark.parametrize("name", ["mappings", "block_device_mapping"])
@pytest.mark.parametrize("value", ["{", [7], [{"disk_bus": "ide"}]])
def test_a_device_in_a_mapping_knows_where_it_stands(name, value):
    holder = Holder("8c1f", "5e0d")
    (choice,) = image.read({name: value}, None, VOLUME, holder).choices
    assert (choice.origin, choice.holder) == (VOLUME, holder)
    assert (choice.source, choice.names) == (
        f"volume property {choice.setting}",
        {name},
    )


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
    place = "mappings[0]"
    assert block_device.read(entries, "mappings", VOLUME, HOLDER)[0] == [
        DeviceChoice(
            *(kind, value, f"volume property {place}.{key}", f"{place}.{key}"),
            origin=VOLUME,
            names=frozenset(("mappings",)),
            holder=HOLDER,
            device=place,
        )
        for kind, key, value in (
            ("device_type", "device_type", "lun"),
            ("disk_bus", "disk_bus", "ide"),
        )
    ]


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
    assert [
        (each.names, each.value, each.source, each.origin, each.holder)
        for each in image.read({name: value}, None, origin, HOLDER).faults
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
    assert (
        request.emulated,
        request.architecture,
        request.machine_type,
        request.os_distro,
    ) == ("x86_64", "i686", "q35", "x")
    assert names(request.of_type(CDROM)) == [CONFIG_DRIVE]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (
            {"vmware_adaptertype": "ide"},
            {"vmware_adaptertype", "hw_disk_bus"},
        ),
        (
            {"block_device_mapping": '[{"disk_bus": "ide"}]'},
            {"block_device_mapping"},
        ),
    ],
)
def test_names_that_a_change_is_charged_by(properties, expected):
    (wish,) = image.read(properties).choices
    assert wish.names == expected
    assert expected - {"hw_disk_bus"} <= image.READ


LISTS = (
    "block_device_mapping",
    "img_block_device_mapping",
    "mappings",
    "img_mappings",
)
DRIVES = [{"device_type": "cdrom"}, {"disk_bus": "ide"}]


def test_what_an_image_says_in_several_places_is_all_read():
    request = image.read(
        {
            "img_config_drive": "mandatory",
            "hw_vif_model": "e1000",
            "hw_disk_bus": "usb",
            **{name: json.dumps(DRIVES) for name in LISTS},
        },
        "iso",
    )
    places = [
        ("hw_disk_bus", "usb"),
        ("hw_vif_model", "e1000"),
        ("img_config_drive", "mandatory"),
        *((f"{name}[0].device_type", "cdrom") for name in LISTS),
        *((f"{name}[1].disk_bus", "ide") for name in LISTS),
    ]
    assert sorted(
        [(each.setting, each.value) for each in request.choices]
    ) == sorted(places)
    assert names(request.of_type(CDROM)) == [
        *(ROOT, CONFIG_DRIVE),
        *(f"{name}[0]" for name in LISTS),
    ]


def test_what_the_body_of_a_boot_says_in_several_places_is_all_read():
    lists = ("block_device_mapping_v2", "block_device_mapping")
    choices, devices = nova_api.in_body(
        {**dict.fromkeys(lists, DRIVES), "config_drive": True}
    )
    assert sorted(wish.setting for wish in choices) == sorted(
        f"{name}{field}"
        for name in lists
        for field in ("[0].device_type", "[1].disk_bus")
    )
    assert [tuple(each)[:2] for each in devices] == [
        (CDROM, name) for name in (*(f"{n}[0]" for n in lists), CONFIG_DRIVE)
    ]


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


# Changes that ``openstack vhard flavor sync`` would make to a flavor.

RULE = PassthroughRule(
    allow={
        "aliases": Values(("gpu",)),
        "device_profiles": Values(("*",)),
        "mdev": Values(("VGPU",)),
    },
    require=frozenset(("iommu", "interrupt_remapping")),
)
ALIAS = {"pci_passthrough:alias": "gpu:1"}
IOMMU = "trait:CUSTOM_VHARD_IOMMU"
REMAPPING = "trait:CUSTOM_VHARD_INTERRUPT_REMAPPING"
ASLR = "trait:CUSTOM_VHARD_KERNEL_ASLR"


def made(specs):
    return flavor_traits.plan_traits(
        SimpleNamespace(name="f", extra_specs=specs), RULE
    )


@pytest.mark.parametrize(
    ("specs", "lacks", "surplus"),
    [
        (ALIAS, {IOMMU, REMAPPING}, set()),
        ({**ALIAS, IOMMU: "required"}, {REMAPPING}, set()),
        (
            {**ALIAS, IOMMU: "required", REMAPPING: "required"},
            set(),
            set(),
        ),
        # A forbidden trait is not a required one.
        ({**ALIAS, IOMMU: "forbidden"}, {IOMMU, REMAPPING}, set()),
        # The trait is no longer needed.
        ({IOMMU: "required"}, set(), {IOMMU}),
        # The flavor itself requires a check.
        ({"vhard:require": "kernel_aslr"}, {ASLR}, set()),
        (
            {"vhard:require": "kernel_aslr", ASLR: "required"},
            set(),
            set(),
        ),
        ({"resources:VGPU": "1"}, {IOMMU, REMAPPING}, set()),
        ({"accel:device_profile": "fpga"}, {IOMMU, REMAPPING}, set()),
    ],
)
def test_what_a_flavor_needs(specs, lacks, surplus):
    result = made({**specs, "trait:CUSTOM_OTHER": "required"})
    assert (set(result.lacks), set(result.surplus)) == (lacks, surplus)


@pytest.mark.parametrize(
    "specs",
    [{}, None, {"hw:cpu_policy": "dedicated"}, {"trait:X": "required"}],
)
def test_a_flavor_that_has_nothing_to_do_with_us(specs):
    assert made(specs) is None


@pytest.mark.parametrize("specs", [ALIAS, {"resources:VGPU": "1"}])
def test_a_kind_that_the_policy_does_not_name_is_not_allowed(specs):
    rule = PassthroughRule(allow={}, require=RULE.require)
    assert (
        flavor_traits.plan_traits(SimpleNamespace(extra_specs=specs), rule)
        is None
    )


def test_what_is_asked_for_is_named_with_its_kind():
    plan = made({**ALIAS, IOMMU: "required"})
    assert plan.flavor.name == "f"
    assert plan.required == {
        "CUSTOM_VHARD_IOMMU",
        "CUSTOM_VHARD_INTERRUPT_REMAPPING",
    }
    assert (plan.passthrough, plan.lacks) == (("aliases: gpu",), (REMAPPING,))
    assert plan.differs


# The requester, from the context of a service.


def context(project="p1", roles=("Member", "ADMIN"), domain="d1"):
    return SimpleNamespace(
        project_id=project, project_domain_id=domain, roles=roles
    )


OWN = ("p1", "d1", {"member", "admin"})


@pytest.mark.parametrize(
    ("who", "project", "expected"),
    [
        (context(), "p1", OWN),
        *(
            (context(roles=roles), "p1", ("p1", "d1", set()))
            for roles in (None, (), [])
        ),
        # without a valid project, the caller's project is used
        *((context(), project, OWN) for project in (None, "", 7, ["p1"])),
        # the caller's roles and domain do not apply to another project
        (context(), "p2", ("p2", None, set())),
        # a service without a context
        (None, "p2", ("p2", None, set())),
    ],
)
def test_who_asks(who, project, expected):
    subject = subject_of(BOOT, who, project)
    assert (subject.project, subject.domain, subject.roles) == expected


@pytest.mark.parametrize(
    ("named", "facts"),
    [
        ([], (None, None, None)),
        (
            ["an-image", SimpleNamespace(name="m1.small", flavorid="7")],
            ("an-image", "m1.small", "7"),
        ),
        # an image id must be text
        ([["image"]], (None, None, None)),
    ],
)
def test_image_and_flavor_are_named(named, facts):
    subject = subject_of(BOOT, context(), "p1", *named)
    assert (subject.image, subject.flavor, subject.flavor_id) == facts


# Objects in a description have the names that they have in a cloud.

IDE, ISO = {"properties": {"hw_disk_bus": "ide"}}, {"disk_format": "iso"}
DESCRIBED_ALIAS = {"extra_specs": {"pci_passthrough:alias": "gpu"}}
DEMAND = {"extra_specs": {"vhard:require": "kernel_aslr"}}
PROVEN = {"allow": {"aliases": "*"}, "require": ["iommu", "one_time_use"]}
SMT = {"hosts": {"require": ["smt"]}, "moves": {"hosts": "warn"}}


def read(operation, **data):
    return described.read({"operation": operation, **data})


def bus(origin, holder):
    return DeviceChoice(
        kind="disk_bus",
        value="ide",
        source=f"{origin} property hw_disk_bus",
        setting="hw_disk_bus",
        origin=origin,
        names=frozenset(("hw_disk_bus",)),
        holder=holder,
    )


DESCRIBED_OWN = lookups.Flavor("m1.small", "7", DESCRIBED_ALIAS["extra_specs"])
GPU = Passthrough("aliases", "gpu", "flavor extra spec pci_passthrough:alias")
MADE_OF = {"properties": {"image_id": "i1", "hw_disk_bus": "ide"}}
RESCUED = {
    "project": "p1",
    "image": {"properties": {"hw_rescue_device": "disk"}},
}


@pytest.mark.parametrize(
    ("operation", "data", "expected"),
    [
        # the root disk is an image or a volume
        *(
            (
                operation,
                {"project": "p1", key: {**IDE, "id": "i1"}},
                {
                    "hardware.choices": (bus(origin, holder),),
                    "hardware.origin": origin,
                    "hardware.holder": holder,
                },
            )
            for operation in ("boot", "move")
            for key, origin, holder in (
                ("image", IMAGE, Holder("i1", "p1")),
                ("volume", VOLUME, NOBODY),
            )
        ),
        # a root volume is identified by the image that it was created from
        ("boot", {"volume": MADE_OF}, {"subject.image": "i1"}),
        (
            "boot",
            {"volume": {}},
            {
                "subject.image": None,
                "hardware": HardwareRequest(origin=VOLUME, has_flavor=True),
            },
        ),
        # ports, with and without a name
        *(
            (
                "boot",
                {"ports": ["normal", port]},
                {
                    "hardware.passthrough": (
                        Passthrough("ports", "vf", f"port {name}"),
                    )
                },
            )
            for port, name in (
                ("direct", "PORT"),
                ({"vnic_type": "direct"}, "PORT"),
                ({"vnic_type": "direct", "id": "a-port"}, "a-port"),
            )
        ),
        # a resize starts from the current flavor of the server
        (
            "resize",
            {"server": DESCRIBED_ALIAS, "flavor": {"name": "large"}},
            {"hardware.passthrough": (), "subject.flavor": "large"},
        ),
        # a stable rescue keeps the server's own image
        *(
            (
                "rescue",
                {**RESCUED, "server": {**IDE, **server}},
                {
                    "hardware.choices": (
                        bus(origin, Holder(described.OWN_IMAGE, "p1")),
                    ),
                    "hardware.origin": origin,
                    "hardware.holder": Holder(described.OWN_IMAGE, "p1"),
                },
            )
            for server, origin in (({}, IMAGE), ({"origin": VOLUME}, VOLUME))
        ),
        ("rescue", {"image": IDE}, {"existing": ()}),
    ],
)
def test_what_a_description_is_read_as(operation, data, expected):
    request = read(operation, **data)
    for name, value in expected.items():
        found = attrgetter(name)(request)
        if name == "hardware.choices":
            found = found[: len(value)]
        assert found == value, name


@pytest.mark.parametrize(
    "operation", ["boot", "upload", "move", "rebuild", "rescue", "resize"]
)
def test_described_who_asks(operation):
    data = {"project": "p1", "domain": "d1", "roles": ["Reader"]}
    # An image that is uploaded again already has an id.
    subject = read(
        operation,
        **data,
        **{"image": {"id": "i1"}} if operation == "upload" else {},
    ).subject
    image = {"resize": "its own image", "upload": "i1"}.get(operation)
    assert subject == Subject(
        operation, "p1", "d1", frozenset(("reader",)), image
    )


#: Description of a server, and the resulting Server.
SERVERS = [
    (
        {
            "operation": "rebuild",
            "project": "p1",
            "flavor": {"name": "m1.small", "id": "7", **DEMAND},
            "image": {"id": "i1"},
            "server": {
                "id": "a-server",
                "config_drive": 1,
                "same_image": same,
                **IDE,
                **DESCRIBED_ALIAS,
            },
        },
        lookups.Server(
            "a-server",
            "p1",
            own,
            DESCRIBED_OWN,
            image.read(IDE["properties"], holder=STORED),
            IDE["properties"],
            config_drive=True,
        ),
    )
    for same, own in ((False, "its own image"), (True, "i1"))
]
#: Without a description, nothing is known about the server.
SERVERS += [
    (
        {"operation": "resize"},
        lookups.Server(
            "",
            None,
            "its own image",
            lookups.Flavor(None, None, {}),
            HardwareRequest(holder=STORED),
        ),
    )
]


@pytest.mark.parametrize(("data", "expected"), SERVERS)
def test_a_server_is_all_that_is_described(data, expected):
    assert described.Description(data).server("any") == expected


def test_a_flavor_has_a_name_and_an_id():
    description = described.Description(
        {"flavor": {"name": "m1.small", "id": "7", **DESCRIBED_ALIAS}}
    )
    assert (
        description.flavor("any")
        == description.boot_flavor("any")
        == DESCRIBED_OWN
    )


def cdroms(hardware):
    return [each.name for each in hardware.of_type(CDROM)]


CDROM_KIND = ("device_type", "cdrom", "kind of the server's cdrom")


def on(value):
    return [("disk_bus", value, "bus of the server's disk")]


@pytest.mark.parametrize(
    ("server", "choices", "devices"),
    [
        ({}, on("virtio"), []),
        ({"disk_format": "raw"}, on("virtio"), []),
        (IDE, on("ide"), []),
        # libosinfo or the image selected the bus of the root disk
        ({"properties": {"os_distro": "x"}}, [], []),
        (
            {"properties": {"os_distro": "x", "hw_disk_bus": "ide"}},
            on("ide"),
            [],
        ),
        # the bus of a block device is not that of the root disk
        (
            {"properties": {"mappings": '[{"disk_bus": "usb"}]'}},
            on("virtio"),
            [],
        ),
        (ISO, [CDROM_KIND], [ROOT]),
        (
            {**ISO, "properties": {"hw_cdrom_bus": "scsi"}},
            [CDROM_KIND, ("cdrom_bus", "scsi", "bus of the server's cdrom")],
            [],
        ),
        ({**ISO, "config_drive": True}, [CDROM_KIND], [CONFIG_DRIVE, ROOT]),
    ],
)
def test_a_server_keeps_its_root_disk(server, choices, devices):
    hardware = read("rebuild", server=server).hardware
    assert cdroms(hardware) == devices
    own = [each for each in hardware.choices if each.origin == SERVER]
    assert [(each.kind, each.value, each.source) for each in own] == choices
    assert {each.device for each in own} <= {ROOT}


@pytest.mark.parametrize(
    ("operation", "sections", "checks"),
    [
        *(
            (operation, {"passthrough": PROVEN}, {"iommu", "one_time_use"})
            for operation in ("boot", "move", "resize")
        ),
        ("boot", {"passthrough": {**PROVEN, "mode": "warn"}}, set()),
        (
            "boot",
            {
                "passthrough": PROVEN,
                "exemptions": [
                    {
                        "id": "gpu",
                        "reason": "a lease",
                        "until": "2999-12-31",
                        "projects": ["p1"],
                        "rules": {"passthrough.require": ["one_time_use"]},
                    }
                ],
            },
            {"iommu"},
        ),
        # no host is selected
        ("rebuild", {"passthrough": PROVEN}, set()),
        ("rescue", {"passthrough": PROVEN}, set()),
        # a resize selects a host like a boot; a move does not enforce checks
        ("boot", SMT, {"smt"}),
        ("move", SMT, set()),
        ("resize", SMT, set()),
        # a flavor requires host checks
        *(
            (operation, {}, {"kernel_aslr"})
            for operation in ("boot", "move", "resize")
        ),
    ],
)
def test_what_a_host_and_its_devices_must_have_proven(
    operation, sections, checks
):
    request = read(
        operation, project="p1", flavor=DESCRIBED_ALIAS if sections else DEMAND
    )
    assert checks == described.host_checks(request, policy(**sections), TODAY)


@pytest.mark.parametrize(
    ("operation", "data", "first", "drives"),
    [
        # existing devices depend on the server alone
        ("resize", {"server": ISO}, [], [ROOT]),
        ("resize", {"server": {**IDE, "origin": VOLUME}}, [VOLUME], []),
        (
            "rebuild",
            {"server": {**IDE, "config_drive": True}},
            [IMAGE],
            [CONFIG_DRIVE],
        ),
        ("rescue", {"image": IDE, "server": IDE}, [IMAGE], []),
        ("rebuild", {"image": IDE}, [], []),
    ],
)
def test_devices_that_are_there(operation, data, first, drives):
    present = read(operation, **data).existing[0]
    assert (present.choices[:1], cdroms(present)) == (
        tuple(bus(each, STORED) for each in first),
        drives,
    )


def test_flavors_of_what_is_there():
    request = read(
        "rebuild", flavor={"extra_specs": {"hw:tpm_model": "tpm-tis"}}
    )
    kinds = [choice.kind for choice in request.hardware.choices]
    assert (kinds, request.existing[-1].only) == (
        ["disk_bus", "tpm_model"],
        {"tpm_model"},
    )
    assert read("rebuild", server=IDE).existing[-1].only == frozenset()


@pytest.mark.parametrize(
    ("operation", "data", "names"),
    [
        (
            "rescue",
            {
                "image": {"properties": {"hw_rescue_device": "disk"}},
                "server": ISO,
            },
            [ROOT],
        ),
        *(
            (operation, {"image": {**ISO, **IDE}}, [ROOT])
            for operation in ("boot", "upload", "move", "rebuild")
        ),
        # an ISO image replaces the root disk
        *(
            ("rebuild", {"server": server, "image": ISO}, [ROOT])
            for server in ({}, IDE, ISO)
        ),
        ("boot", {"config_drive": True}, [CONFIG_DRIVE]),
        ("move", {"config_drive": True}, [CONFIG_DRIVE]),
    ],
)
def test_the_cdroms_of_a_server(operation, data, names):
    assert cdroms(read(operation, **data).hardware) == names

# SPDX-License-Identifier: Apache-2.0
"""Objects in a description have the same names as in a cloud."""

import datetime
from dataclasses import replace

import pytest

from nova_vhard.policy.hardware import (
    CDROM,
    CONFIG_DRIVE,
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
from nova_vhard.policy.subject import Subject
from nova_vhard.request import described, image
from nova_vhard.request.lookups import Flavor, Server
from tests.unit.helpers import TODAY, policy

IDE = {"properties": {"hw_disk_bus": "ide"}}
ISO = {"disk_format": "iso"}
ALIAS = {"extra_specs": {"pci_passthrough:alias": "gpu"}}
DEMAND = {"extra_specs": {"vhard:require": "kernel_aslr"}}
PROVEN = {"allow": {"aliases": "*"}, "require": ["iommu", "one_time_use"]}
SMT = {"hosts": {"require": ["smt"]}, "moves": {"hosts": "warn"}}


def read(operation, **data):
    return described.read({"operation": operation, **data}).request


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


@pytest.mark.parametrize(
    ("key", "origin", "holder"),
    [
        ("image", IMAGE, Holder("i1", "p1")),
        ("volume", VOLUME, NOBODY),
    ],
)
@pytest.mark.parametrize("operation", ["boot", "move"])
def test_a_root_is_an_image_or_a_volume(operation, key, origin, holder):
    request = read(operation, project="p1", **{key: {**IDE, "id": "i1"}})
    hardware = request.hardware
    assert hardware.choices == (bus(origin, holder),)
    assert (hardware.origin, hardware.holder) == (origin, holder)


def test_a_root_volume_is_named_by_the_image_that_it_was_made_of():
    volume = {"properties": {"image_id": "i1", "hw_disk_bus": "ide"}}
    assert read("boot", volume=volume).subject.image == "i1"
    request = read("boot", volume={})
    assert request.subject.image is None
    expected = HardwareRequest(origin=VOLUME, has_flavor=True)
    assert request.hardware == expected


@pytest.mark.parametrize(
    "operation", ["boot", "upload", "move", "rebuild", "rescue", "resize"]
)
def test_who_asks(operation):
    data = {"project": "p1", "domain": "d1", "roles": ["Reader"]}
    # An image that is uploaded again has an id.
    more = {"image": {"id": "i1"}} if operation == "upload" else {}
    subject = read(operation, **data, **more).subject
    image = {"resize": "its own image", "upload": "i1"}.get(operation)
    assert subject == Subject(
        operation, "p1", "d1", frozenset(("reader",)), image
    )


def test_a_server_is_all_that_is_described():
    server = {"id": "a-server", "config_drive": 1, **IDE, **ALIAS}
    data = {
        "operation": "rebuild",
        "project": "p1",
        "flavor": {"name": "m1.small", "id": "7", **DEMAND},
        "image": {"id": "i1"},
    }
    expected = Server(
        "a-server",
        "p1",
        "its own image",
        Flavor("m1.small", "7", ALIAS["extra_specs"]),
        image.read(IDE["properties"], holder=STORED),
        IDE["properties"],
        config_drive=True,
    )
    for same in (False, True):
        description = {**data, "server": {**server, "same_image": same}}
        answer = described.Description(description).server("any")
        own = "i1" if same else "its own image"
        assert answer == replace(expected, image=own)


def test_nothing_is_known_of_a_server_that_is_not_described():
    server = described.Description({"operation": "resize"}).server("any")
    hardware = HardwareRequest(holder=STORED)
    empty = Flavor(None, None, {})
    assert server == Server("", None, "its own image", empty, hardware)


def test_a_flavor_has_a_name_and_an_id():
    data = {"flavor": {"name": "m1.small", "id": "7", **ALIAS}}
    expected = Flavor("m1.small", "7", ALIAS["extra_specs"])
    description = described.Description(data)
    assert description.flavor("any") == expected
    assert description.boot_flavor("any") == expected


def test_a_rebuild_is_under_the_flavor_that_stays():
    specs = {"extra_specs": {"hw:tpm_model": "tpm-tis"}}
    request = read("rebuild", flavor=specs)
    kinds = [choice.kind for choice in request.hardware.choices]
    assert kinds == ["disk_bus", "tpm_model"]
    assert request.existing[-1].only == {"tpm_model"}


@pytest.mark.parametrize(
    ("port", "name"),
    [
        ("direct", "PORT"),
        ({"vnic_type": "direct"}, "PORT"),
        ({"vnic_type": "direct", "id": "a-port"}, "a-port"),
    ],
)
def test_a_port_has_a_name(port, name):
    assert read("boot", ports=["normal", port]).hardware.passthrough == (
        Passthrough("ports", "vf", f"port {name}"),
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
        # its bus is what libosinfo picked, or what the image said
        ({"properties": {"os_distro": "x"}}, [], []),
        (
            {"properties": {"os_distro": "x", "hw_disk_bus": "ide"}},
            on("ide"),
            [],
        ),
        # the bus of one block device is not the root's
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
        # no host is chosen
        ("rebuild", {"passthrough": PROVEN}, set()),
        ("rescue", {"passthrough": PROVEN}, set()),
        # a resize looks for a host as a move does
        ("boot", SMT, {"smt"}),
        ("move", SMT, set()),
        ("resize", SMT, set()),
        # a flavor demands checks of a host
        *(
            (operation, {}, {"kernel_aslr"})
            for operation in ("boot", "move", "resize")
        ),
    ],
)
def test_what_a_host_and_its_devices_must_have_proven(
    operation, sections, checks
):
    flavor = ALIAS if sections else DEMAND
    data = described.read({"operation": operation, "flavor": flavor})
    assert data.host_checks(policy(**sections), TODAY) == checks


def test_a_server_of_a_volume_or_an_iso_image_has_its_devices_of_that():
    request = read("resize", server={**IDE, "origin": VOLUME})
    assert request.hardware.choices[0] == bus(VOLUME, STORED)
    request = read("resize", server=ISO)
    (present,) = request.existing
    for hardware in (request.hardware, present):
        assert (hardware.choices, cdroms(hardware)) == ((), [ROOT])


def test_a_server_has_its_devices_of_what_nova_stores():
    request = read("rebuild", server={**IDE, "config_drive": True})
    (present, flavor) = request.existing
    assert present.choices[0] == bus(IMAGE, STORED)
    assert cdroms(present) == [CONFIG_DRIVE]
    assert flavor.only == frozenset()


def test_a_resize_is_from_the_flavor_that_the_server_has():
    request = read("resize", server=ALIAS, flavor={"name": "large"})
    (present,) = request.existing
    source = "flavor extra spec pci_passthrough:alias"
    assert present.passthrough == (Passthrough("aliases", "gpu", source),)
    assert request.hardware.passthrough == ()
    assert request.subject.flavor == "large"


@pytest.mark.parametrize(
    ("server", "origin"), [({}, IMAGE), ({"origin": VOLUME}, VOLUME)]
)
def test_a_stable_rescue_is_under_the_servers_own_image(server, origin):
    request = read(
        "rescue",
        project="p1",
        image={"properties": {"hw_rescue_device": "disk"}},
        server={**IDE, **server},
    )
    holder = Holder(described.OWN_IMAGE, "p1")
    assert request.hardware.choices[0] == bus(origin, holder)
    assert (request.hardware.origin, request.hardware.holder) == (
        origin,
        holder,
    )


def test_what_is_there_already_is_the_servers_alone():
    (present,) = read("rescue", image=IDE, server=IDE).existing
    assert present.choices[0] == bus(IMAGE, STORED)
    assert read("rescue", image=IDE).existing == ()
    existing = read("rebuild", image=IDE).existing
    assert not any(hardware.choices for hardware in existing)


def test_a_boot_has_its_block_devices():
    listed = [{"disk_bus": "ide", "device_type": "disk"}]
    request = read("boot", block_devices=listed)
    assert [choice.source for choice in request.hardware.choices] == [
        "block_device_mapping_v2[0].device_type",
        "block_device_mapping_v2[0].disk_bus",
    ]


def test_an_exemption_from_what_a_host_must_have_proven_has_an_end():
    exemption = {
        "id": "old",
        "reason": "no other host",
        "projects": ["p1"],
        "rules": {"passthrough.require": ["iommu", "one_time_use"]},
        "until": TODAY.isoformat(),
    }
    rules = policy(passthrough=PROVEN, exemptions=[exemption])
    data = {"operation": "boot", "project": "p1", "flavor": ALIAS}
    request = described.read(data)
    assert request.host_checks(rules, TODAY) == set()
    later = TODAY + datetime.timedelta(days=1)
    assert request.host_checks(rules, later) == {"iommu", "one_time_use"}


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
        # an ISO image takes the place of the root disk
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

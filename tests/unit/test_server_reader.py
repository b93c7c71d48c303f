# SPDX-License-Identifier: Apache-2.0
"""Tests of reading each request about a server, without Nova."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from nova_vhard.policy.hardware import (
    CDROM,
    CONFIG_DRIVE,
    ROOT,
    STORED,
    USUAL,
    HardwareRequest,
    Holder,
    Passthrough,
)
from nova_vhard.policy.subject import (
    BOOT,
    REBUILD,
    RESCUE,
    RESIZE,
    SNAPSHOT,
    UNSHELVE,
    Subject,
)
from nova_vhard.request import image as image_reader
from nova_vhard.request.compose import with_present_flavor, with_specs
from nova_vhard.request.kept_devices import with_kept, with_new_disk
from nova_vhard.request.lookups import (
    Flavor,
    Image,
    KeptDevice,
    LookupFailed,
    NotFound,
    Server,
)
from nova_vhard.request.nova_api import ServerReader
from nova_vhard.request.rescue import HAD, devices_alone
from nova_vhard.request.server_request import ServerRequest, of_image
from tests.unit.lookups import lookups

WHO = SimpleNamespace(
    project_id="p1", project_domain_id="d1", roles=("Member",)
)
OWNER = {"project": "p1", "domain": "d1", "roles": frozenset(("member",))}
OLD_ID = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"
NEW_ID = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
STORED_METADATA = {"hw_disk_bus": "sata"}
OLD = Image(STORED_METADATA, "raw", holder=Holder(OLD_ID, "p1", "raw"))
NEW = Image({"hw_disk_bus": "ide"}, "iso", holder=Holder(NEW_ID, "p1", "iso"))
SMALL = Flavor("small", "1", {"pci_passthrough:alias": "gpu:1"})
LARGE = Flavor(
    "large", "2", {"hw_rng:allowed": "true", "pci_passthrough:alias": "nic"}
)
#: The last one is named by the stored image.
STAYS = (KeptDevice("scsi", "disk", "sdb"), KeptDevice(named=True))
PORTS = {
    kind: {"id": kind, "binding:vnic_type": kind}
    for kind in ("normal", "direct", "vdpa")
}
VF = Passthrough("ports", "vf", "port direct")
VDPA = Passthrough("ports", "vdpa", "port vdpa")


def server(**more):
    """Return a server of the old image and the small flavor."""
    return Server(
        **{
            "id": "a-server",
            "project": "p1",
            "image": OLD_ID,
            "flavor": SMALL,
            "hardware": image_reader.read(STORED_METADATA, holder=STORED),
            "properties": STORED_METADATA,
            "config_drive": True,
            **more,
        }
    )


def reader(existing=None, **more):
    """Return a reader with a known server, images, flavors and ports."""
    existing = existing or server()
    flavors = {flavor.flavorid: flavor for flavor in (SMALL, LARGE)}
    images = {OLD_ID: OLD, NEW_ID: NEW}
    known = {
        "server": {existing.id: existing},
        "kept_devices": {existing.id: STAYS},
        "recorded_image": {existing.id: OLD},
        "own_image": {existing.id: None},
        "image": images,
        "boot_image": images,
        "flavor": flavors,
        "boot_flavor": flavors,
        "port": PORTS,
    }
    return ServerReader(lookups(**{**known, **more}), WHO)


def kept(hardware):
    """Return a request combined with the devices that the server keeps.

    A volume that is attached in the meantime is on scsi.
    """
    stored = server().hardware
    return with_new_disk(with_kept(hardware, STAYS, True, stored), stored)


PRESENT = replace(kept(server().hardware), only=HAD)


def boot(server_reader=None, **keys):
    body = {"imageRef": NEW_ID, "flavorRef": "2", **keys}
    return (server_reader or reader()).boot({"server": body})


def test_a_boot_has_what_image_flavor_body_and_ports_bring():
    request = boot(
        block_device_mapping=[{"disk_bus": "fdc"}],
        block_device_mapping_v2=[{"device_type": "cdrom"}],
        config_drive="yes",
        networks=[{"port": "direct"}, {"port": "vdpa"}],
    )
    hardware = request.hardware
    assert [(wish.value, wish.source) for wish in hardware.choices] == [
        ("ide", "image property hw_disk_bus"),
        ("true", "flavor extra spec hw_rng:allowed"),
        ("cdrom", "block_device_mapping_v2[0].device_type"),
        ("fdc", "block_device_mapping[0].disk_bus"),
    ]
    assert [each.name for each in hardware.of_type(CDROM)] == [
        *(ROOT, "block_device_mapping_v2[0]", CONFIG_DRIVE),
    ]
    assert hardware.devices[: len(USUAL)] == USUAL
    assert hardware.has_flavor
    alias = "flavor extra spec pci_passthrough:alias"
    assert hardware.passthrough == (
        Passthrough("aliases", "nic", alias),
        VF,
        VDPA,
    )
    facts = {"image": NEW_ID, "flavor": "large", "flavor_id": "2"}
    assert request.subject == Subject(BOOT, **OWNER, **facts)
    assert (request.existing, request.scheduled) == ((), None)


@pytest.mark.parametrize("value", [None, "", False, "no", 0])
def test_a_boot_without_a_config_drive(value):
    assert boot(config_drive=value) == boot()


@pytest.mark.parametrize(
    ("networks", "asked"),
    [
        ("auto", ()),
        (None, ()),
        ([], ()),
        (["direct", None, {}, {"uuid": "a-net"}, {"port": None}], ()),
        ([{"port": "normal"}], ()),
        ([{"port": None}, {"port": "normal"}, {"port": "direct"}], (VF,)),
    ],
)
def test_the_ports_of_a_boot(networks, asked):
    passthrough = boot(networks=networks).hardware.passthrough
    assert passthrough == (*boot().hardware.passthrough, *asked)


ERRORS = pytest.mark.parametrize(
    "error", [NotFound("it is gone"), LookupFailed("no answer")]
)


UNKNOWN = pytest.mark.parametrize(
    ("method", "reference"),
    [("boot_flavor", "2"), ("boot_image", NEW_ID), ("port", "direct")],
)


def lacking(method, reference, error):
    """Return a reader with one look-up that fails."""
    known = {**PORTS, "2": LARGE, NEW_ID: NEW, reference: error}
    return reader(**{method: known})


@ERRORS
@UNKNOWN
@pytest.mark.parametrize("keys", [{}, {"config_drive": True}])
def test_a_boot_is_left_to_the_scheduler(
    method, reference, error, keys, caplog
):
    """If Nova continues, the scheduler judges the stored data."""
    find = lacking(method, reference, error)
    with pytest.raises(NotFound):
        boot(find, networks=[{"port": "direct"}], **keys)
    away = isinstance(error, LookupFailed)
    assert (
        caplog.messages == ["Left to the scheduler's gate: no answer"] * away
    )


@ERRORS
@UNKNOWN
@pytest.mark.parametrize("zone", ["nova:compute1", "nova::node"])
def test_no_scheduler_judges_a_boot_on_a_forced_host(
    method, reference, error, zone
):
    find = lacking(method, reference, error)
    with pytest.raises(type(error)):
        boot(find, networks=[{"port": "direct"}], availability_zone=zone)


@UNKNOWN
@pytest.mark.parametrize(
    "key", ["block_device_mapping", "block_device_mapping_v2"]
)
def test_what_a_body_says_is_judged_without_the_rest(method, reference, key):
    """A probe can therefore ask for a flavor that does not exist."""
    find = lacking(method, reference, NotFound("it is gone"))
    ports = [{"port": "direct"}]
    request = boot(find, networks=ports, **{key: [{"disk_bus": "ide"}]})
    (choice,) = request.hardware.choices
    assert (choice.kind, choice.value) == ("disk_bus", "ide")
    assert request.hardware.devices == ()
    assert request.hardware.only == {"disk_bus"}
    asks = request.subject.operation, request.subject.project
    assert asks == (BOOT, OWNER["project"])


def subject(operation, image=OLD_ID, flavor=SMALL):
    return Subject(
        operation,
        **OWNER,
        image=image,
        flavor=flavor.name,
        flavor_id=flavor.flavorid,
        server="a-server",
    )


def flavored(request):
    """Return a request with the devices that the server's flavor sets."""
    return with_present_flavor(request, SMALL.extra_specs)


@pytest.mark.parametrize(("made_of", "scheduled"), [(NEW, True), (OLD, False)])
def test_a_root_volume_counts_as_the_image_that_it_was_made_of(
    made_of, scheduled
):
    existing = server(image=None)
    root = Image(holder=Holder("v", made_of=OLD_ID))
    body = {"rebuild": {"imageRef": made_of.holder.id}}
    request = reader(existing, own_image={existing.id: root}).rebuild(
        existing.id, body
    )
    assert bool(request.scheduled) is scheduled


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("rebuild", {"rebuild": {"imageRef": "gone"}}),
        ("rebuild", {"rebuild": {}}),
        ("rescue", {"rescue": {"rescue_image_ref": "gone"}}),
        ("resize", {"resize": {"flavorRef": "gone"}}),
        ("resize", {"resize": {}}),
    ],
)
def test_what_is_not_there_is_novas_to_answer(method, body):
    with pytest.raises(NotFound):
        getattr(reader(), method)("a-server", body)


#: A rebuild with another image, which is scheduled; a snapshot; a rescue.
REBUILT = ServerRequest(
    flavored(kept(NEW.hardware())),
    subject(REBUILD, NEW_ID),
    existing=(flavored(PRESENT),),
    scheduled=NEW.hardware(),
)
UNSHELVED = replace(REBUILT, subject=subject(UNSHELVE, NEW_ID), scheduled=None)
PLAIN = image_reader.read(NEW.properties, holder=NEW.holder)
RESCUED = ServerRequest(
    flavored(with_kept(PLAIN, (), True, server().hardware)),
    subject(RESCUE, NEW_ID),
    existing=(flavored(devices_alone(PRESENT)),),
)
OWN_RESCUED = replace(
    RESCUED,
    hardware=flavored(with_kept(OLD.hardware(), (), True, server().hardware)),
    subject=subject(RESCUE),
    existing=(flavored(PRESENT),),
)
RESIZED = ServerRequest(
    with_specs(kept(OLD.hardware()), LARGE.extra_specs),
    subject(RESIZE, flavor=LARGE),
    existing=(with_specs(PRESENT, SMALL.extra_specs),),
)
METADATA = {"name": "x", "metadata": {"hw_cdrom_bus": "ide"}}
SNAPSHOT_TAKEN = of_image(
    Image({**STORED_METADATA, "hw_cdrom_bus": "ide"}),
    subject(SNAPSHOT),
    Image(STORED_METADATA),
    frozenset(("hw_cdrom_bus",)),
)
SHELVED = {"offloaded": True, "shelved_image": NEW_ID}


@pytest.mark.parametrize(
    ("more", "action", "content", "expected"),
    [
        ({}, "rebuild", {"imageRef": NEW_ID}, REBUILT),
        (
            {},
            "rebuild",
            {"imageRef": OLD_ID},
            replace(
                REBUILT,
                hardware=flavored(kept(OLD.hardware())),
                subject=subject(REBUILD),
                scheduled=None,
            ),
        ),
        ({}, "rescue", {"rescue_image_ref": NEW_ID}, RESCUED),
        # One that names no image is of the server's own.
        ({}, "rescue", None, OWN_RESCUED),
        ({}, "rescue", {}, OWN_RESCUED),
        # A resize brings the new flavor under Nova's record.
        ({}, "resize", {"flavorRef": "2"}, RESIZED),
        ({}, "resize", {"flavorRef": 2}, RESIZED),
        (SHELVED, "unshelve", None, UNSHELVED),
        # Nova may offload a server while it is asked to unshelve it.
        ({**SHELVED, "offloaded": False}, "unshelve", None, UNSHELVED),
        # A server that is made of no snapshot is not judged.
        ({**SHELVED, "shelved_image": ""}, "unshelve", None, None),
        ({"shelved_image": ""}, "unshelve", None, None),
        ({"shelved_image": "gone"}, "unshelve", None, None),
        # A snapshot is charged with its metadata.
        ({}, "createImage", METADATA, SNAPSHOT_TAKEN),
        ({}, "createBackup", METADATA, SNAPSHOT_TAKEN),
        ({}, "createImage", None, None),
        ({}, "createImage", {}, None),
        ({}, "createImage", {"metadata": {}}, None),
    ],
)
def test_the_request_for_an_action(more, action, content, expected):
    find = reader(server(**more))
    method = getattr(find, action, find.snapshot)
    assert method("a-server", {action: content}) == expected


@pytest.mark.parametrize(
    ("more", "operation", "fault"),
    [
        # a snapshot that is gone
        (
            {"offloaded": True, "shelved_image": "gone"},
            UNSHELVE,
            ("stored image property shelved_image_id", "gone"),
        ),
        # a rescue with something else than an image
        (
            {"base_image": "http://10.0.0.1/image"},
            RESCUE,
            ("stored image property base_image_ref", "http://10.0.0.1/image"),
        ),
    ],
)
def test_what_cannot_be_judged(more, operation, fault):
    body = {operation: None}
    request = getattr(reader(server(**more)), operation)("a-server", body)
    (found,) = request.hardware.faults
    assert (found.source, found.value) == fault
    assert request == ServerRequest(
        HardwareRequest(devices=(), faults=(found,)), subject(operation)
    )


@pytest.mark.parametrize("action", ["rebuild", "rescue", "resize"])
def test_who_acts_on_anothers_server_is_judged_as_its_project(action):
    key = {"rebuild": "imageRef", "rescue": "rescue_image_ref"}
    named = {key[action]: NEW_ID} if action in key else {"flavorRef": "2"}
    others = reader(server(project="p2"))
    subject = getattr(others, action)("a-server", {action: named}).subject
    assert (subject.project, subject.domain) == ("p2", None)
    assert subject.roles == frozenset()

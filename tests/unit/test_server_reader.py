# SPDX-License-Identifier: Apache-2.0
"""What each request about a server is read as, without Nova."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from nova_vhard.catalogue.devices import OF_FILE
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
from nova_vhard.request import nova_api
from nova_vhard.request.kept import with_kept, with_new_disk
from nova_vhard.request.lookups import (
    Flavor,
    Image,
    KeptDevice,
    LookupFailed,
    NotFound,
    NotShown,
    Server,
)
from nova_vhard.request.nova_api import ServerReader
from nova_vhard.request.parts import with_specs
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
STAYS = KeptDevice("scsi", "disk", "sdb")
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


def reader(existing=None, files=(), **more):
    """Return a reader to whom a server, images, flavors, ports are known.

    :param files: images of other disks that a boot may be from
    """
    existing = existing or server()
    flavors = {flavor.flavorid: flavor for flavor in (SMALL, LARGE)}
    images = {OLD_ID: OLD, NEW_ID: NEW}
    known = {
        "server": {existing.id: existing},
        "kept_devices": {existing.id: [STAYS]},
        "recorded_image": {existing.id: OLD},
        "own_image": {existing.id: None},
        "image": images,
        "boot_image": images,
        "flavor": flavors,
        "boot_flavor": flavors,
        "port": PORTS,
    }
    find = lookups(**{**known, **more})
    find.boot_files = lambda server, image: files
    return ServerReader(find, WHO)


def kept(hardware):
    """Return what an image asks for with what the server keeps.

    A volume that is attached in the meantime is on scsi.
    """
    stored = server().hardware
    return with_new_disk(with_kept(hardware, [STAYS], True, stored), stored)


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


@pytest.mark.parametrize("body", [None, [], {}, {"server": None}])
def test_a_body_of_another_shape_is_empty(body):
    """Nova's schema refuses it before; here it brings nothing in."""
    request = reader(boot_flavor={None: None}).boot(body)
    assert request.hardware == HardwareRequest()


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


@ERRORS
@pytest.mark.parametrize(
    ("failing", "sources"),
    [
        ({"boot_flavor": "2"}, set()),
        ({"boot_image": NEW_ID}, {"flavor extra spec hw_rng:allowed"}),
        (
            {"port": "vdpa"},
            {
                "flavor extra spec hw_rng:allowed",
                "image property hw_disk_bus",
            },
        ),
    ],
)
def test_what_is_not_known_at_a_boot_is_left_to_the_scheduler(
    caplog, error, failing, sources
):
    """What was looked up before is judged all the same."""
    ((method, reference),) = failing.items()
    known = {**PORTS, "2": LARGE, NEW_ID: NEW, reference: error}
    ports = [{"port": "direct"}, {"port": "vdpa"}, {"port": "normal"}]
    request = boot(reader(**{method: known}), networks=ports)
    no_answer = isinstance(error, LookupFailed)
    no_flavor = method == "boot_flavor" and not no_answer
    if no_flavor:
        sources = {"image property hw_disk_bus"}
    assert {wish.source for wish in request.hardware.choices} == sources
    # a tenant who names no flavor has no port looked up
    assert (VF in request.hardware.passthrough) == (method == "port")
    assert request.unread == (no_answer and method != "port")
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.message.endswith(f": {error}")


ADDED = pytest.mark.parametrize(
    "keys",
    [
        # a choice, a device, and both
        {"block_device_mapping_v2": [{"disk_bus": "virtio"}]},
        {"config_drive": True},
        {"block_device_mapping": [{"device_type": "cdrom"}]},
        # or no scheduler that looks
        {"availability_zone": "nova:compute1"},
        {"availability_zone": "nova::node"},
    ],
)


@ADDED
@pytest.mark.parametrize("method", ["boot_flavor", "boot_image"])
def test_devices_are_added_to_no_image_that_cannot_be_read(method, keys):
    answer = LookupFailed("no answer")
    known = {
        **{"2": LARGE, NEW_ID: NEW},
        **dict.fromkeys(["2", NEW_ID], answer),
    }
    with pytest.raises(LookupFailed, match=r"^no answer$"):
        boot(reader(**{method: known}), **keys)


def test_the_ports_of_a_forced_host_are_judged_whatever_the_flavor():
    """No scheduler looks at them."""
    find = reader(boot_flavor={"2": NotFound("it is gone")})
    request = boot(
        find, networks=[{"port": "direct"}], availability_zone="nova:host"
    )
    assert VF in request.hardware.passthrough


@ADDED
def test_devices_are_added_to_no_image_that_is_hidden(keys):
    """It may be shown a moment later, when Nova looks."""
    known = {NEW_ID: NotShown("hidden")}
    with pytest.raises(NotShown, match="hidden"):
        boot(reader(boot_image=known), **keys)


def test_a_hidden_image_is_left_to_the_scheduler_that_sees_all_of_it():
    request = boot(reader(boot_image={NEW_ID: NotShown("hidden")}))
    assert (request.unread, request.hidden) == (False, True)


@ADDED
@pytest.mark.parametrize(
    "more",
    [{"boot_image": {}}, {"port": {"direct": LookupFailed("no answer")}}],
)
def test_devices_are_judged_without_what_is_not_there(more, keys):
    """No such image: Nova answers. No port: the scheduler has the image."""
    request = boot(reader(**more), networks=[{"port": "direct"}], **keys)
    choices, devices = nova_api.in_body(keys)
    assert set(choices) <= set(request.hardware.choices)
    assert set(devices) <= set(request.hardware.devices)


def subject(operation, image=OLD_ID, flavor=SMALL):
    return Subject(
        operation,
        **OWNER,
        image=image,
        flavor=flavor.name,
        flavor_id=flavor.flavorid,
        server="a-server",
    )


@pytest.mark.parametrize(
    ("made_of", "scheduled"), [(NEW, NEW.hardware()), (OLD, None)]
)
def test_a_rebuild_with_another_image_is_scheduled_too(made_of, scheduled):
    body = {"rebuild": {"imageRef": made_of.holder.id}}
    assert reader().rebuild("a-server", body) == ServerRequest(
        kept(made_of.hardware()),
        subject(REBUILD, made_of.holder.id),
        existing=(PRESENT,),
        scheduled=scheduled,
    )


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


def unshelved(**more):
    shelved = {"offloaded": True, "shelved_image": NEW_ID, **more}
    return reader(server(**shelved)).unshelve("a-server", {"unshelve": None})


@pytest.mark.parametrize(
    "more",
    [
        {"shelved_image": ""},
        {"shelved_image": "", "offloaded": False},
        {"shelved_image": "gone", "offloaded": False},
    ],
)
def test_a_server_that_is_made_of_no_snapshot_is_not_judged(more):
    assert unshelved(**more) is None


def test_a_server_that_may_be_offloaded_in_a_moment_is_judged():
    """Nova offloads it while it is asked to unshelve it."""
    assert unshelved(offloaded=False) == unshelved()


def test_an_unshelving_is_of_the_snapshot():
    assert unshelved() == ServerRequest(
        kept(NEW.hardware()),
        subject(UNSHELVE, NEW_ID),
        existing=(PRESENT,),
    )


def test_a_snapshot_that_is_gone_cannot_be_judged():
    request = unshelved(shelved_image="gone")
    (fault,) = request.hardware.faults
    place = "stored image property shelved_image_id"
    assert (fault.source, fault.value) == (place, "gone")
    assert request == ServerRequest(
        HardwareRequest(devices=(), faults=(fault,)), subject(UNSHELVE)
    )


def test_what_boots_beside_the_image_is_judged_as_a_file():
    request = reader(files=[OLD]).boot({"server": {"imageRef": NEW_ID}})
    assert request.hardware.other_files == (OLD.file(),)
    assert OLD.file().only == frozenset(OF_FILE)


def test_a_rescue_is_of_the_image_that_it_names():
    body = {"rescue": {"rescue_image_ref": NEW_ID}}
    plain = image_reader.read(NEW.properties, holder=NEW.holder)
    assert reader().rescue("a-server", body) == ServerRequest(
        with_kept(plain, (), True, server().hardware),
        subject(RESCUE, NEW_ID),
        existing=(devices_alone(PRESENT),),
    )


@pytest.mark.parametrize("body", [{"rescue": None}, {"rescue": {}}])
def test_a_rescue_that_names_none_is_of_the_own_image(body):
    request = reader().rescue("a-server", body)
    assert request.subject == subject(RESCUE)
    assert request.hardware == with_kept(
        OLD.hardware(), (), True, server().hardware
    )


def test_a_rescue_of_what_is_no_image_cannot_be_judged():
    referring = server(base_image="http://10.0.0.1/image")
    request = reader(referring).rescue("a-server", {"rescue": None})
    (fault,) = request.hardware.faults
    assert fault.value == "http://10.0.0.1/image"
    assert request == ServerRequest(
        HardwareRequest(devices=(), faults=(fault,)), subject(RESCUE)
    )


@pytest.mark.parametrize("reference", ["2", 2])
def test_a_resize_brings_the_new_flavor_under_novas_record(reference):
    body = {"resize": {"flavorRef": reference}}
    assert reader().resize("a-server", body) == ServerRequest(
        with_specs(kept(OLD.hardware()), LARGE.extra_specs),
        subject(RESIZE, flavor=LARGE),
        existing=(with_specs(PRESENT, SMALL.extra_specs),),
    )


@pytest.mark.parametrize("action", ["createImage", "createBackup"])
def test_a_snapshot_is_charged_with_its_metadata(action):
    body = {action: {"name": "x", "metadata": {"hw_cdrom_bus": "ide"}}}
    after = {**STORED_METADATA, "hw_cdrom_bus": "ide"}
    assert reader().snapshot("a-server", body) == of_image(
        Image(after),
        subject(SNAPSHOT),
        Image(STORED_METADATA),
        frozenset(("hw_cdrom_bus",)),
    )


@pytest.mark.parametrize("content", [None, {}, {"metadata": {}}])
def test_a_snapshot_without_metadata_changes_nothing(content):
    assert reader().snapshot("a-server", {"createImage": content}) is None


@pytest.mark.parametrize("action", ["rebuild", "rescue", "resize"])
def test_who_acts_on_anothers_server_is_judged_as_its_project(action):
    key = {"rebuild": "imageRef", "rescue": "rescue_image_ref"}
    named = {key[action]: NEW_ID} if action in key else {"flavorRef": "2"}
    others = reader(server(project="p2"))
    subject = getattr(others, action)("a-server", {action: named}).subject
    assert (subject.project, subject.domain) == ("p2", None)
    assert subject.roles == frozenset()

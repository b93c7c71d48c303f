# SPDX-License-Identifier: Apache-2.0
"""Requests for servers and verdicts on them: devices and rescues."""

import datetime
from dataclasses import replace
from types import SimpleNamespace

import pytest

from nova_vhard.catalogue.devices import OF_FILE
from nova_vhard.policy import defaults, model
from nova_vhard.policy.hardware import (
    CDROM,
    CONFIG_DRIVE,
    DISK,
    DOMAIN,
    FLOPPY,
    IMAGE,
    ROOT,
    SERVER,
    STORED,
    USUAL,
    VOLUME,
    DeviceChoice,
    HardwareRequest,
    Holder,
    Passthrough,
)
from nova_vhard.policy.subject import (
    ATTACH,
    BOOT,
    REBUILD,
    RESCUE,
    RESIZE,
    SNAPSHOT,
    UNSHELVE,
    UPDATE,
    Subject,
)
from nova_vhard.request import (
    changes,
    compose,
    image,
    kept_devices,
    nova_api,
    passthrough,
    rescue,
    server_request,
)
from nova_vhard.request.lookups import (
    Flavor,
    Image,
    KeptDevice,
    LookupFailed,
    NotFound,
    Server,
)
from tests.unit.helpers import TODAY, broken, evaluated, policy
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


def server(**more):
    """Return a server of the old image and the small flavor."""
    return Server(
        **{
            "id": "a-server",
            "project": "p1",
            "image": OLD_ID,
            "flavor": SMALL,
            "hardware": image.read(STORED_METADATA, holder=STORED),
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
    return nova_api.ServerReader(lookups(**{**known, **more}), WHO)


def kept(hardware):
    """Return a request combined with the devices that the server keeps.

    A volume that is attached in the meantime is on scsi.
    """
    stored = server().hardware
    return kept_devices.with_new_disk(
        kept_devices.with_kept(hardware, STAYS, True, stored), stored
    )


PRESENT = replace(kept(server().hardware), only=rescue.HAD)


def boot(server_reader=None, **keys):
    return (server_reader or reader()).boot(
        {"server": {"imageRef": NEW_ID, "flavorRef": "2", **keys}}
    )


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
    assert hardware.passthrough == (
        Passthrough(
            "aliases", "nic", "flavor extra spec pci_passthrough:alias"
        ),
        VF,
        Passthrough("ports", "vdpa", "port vdpa"),
    )
    assert (request.subject, request.existing) == (
        Subject(
            BOOT,
            **OWNER,
            **{"image": NEW_ID, "flavor": "large", "flavor_id": "2"},
        ),
        (),
    )
    assert request.scheduled is None


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
    assert boot(networks=networks).hardware.passthrough == (
        *boot().hardware.passthrough,
        *asked,
    )


ERRORS = pytest.mark.parametrize(
    "error", [NotFound("it is gone"), LookupFailed("no answer")]
)


UNKNOWN = pytest.mark.parametrize(
    ("method", "reference"),
    [("boot_flavor", "2"), ("boot_image", NEW_ID), ("port", "direct")],
)


def lacking(method, reference, error):
    """Return a reader with one look-up that fails."""
    return reader(
        **{method: {**PORTS, "2": LARGE, NEW_ID: NEW, reference: error}}
    )


@ERRORS
@UNKNOWN
@pytest.mark.parametrize(
    "keys",
    [{}, {"config_drive": True}, {"availability_zone": "nova:compute1"}],
)
def test_a_boot_is_left_to_the_scheduler(
    method, reference, error, keys, caplog
):
    """If Nova continues, the scheduler judges the stored data."""
    find = lacking(method, reference, error)
    with pytest.raises(NotFound):
        boot(find, networks=[{"port": "direct"}], **keys)
    assert caplog.messages == [
        "Left to the scheduler's gate: no answer"
    ] * isinstance(error, LookupFailed)


@UNKNOWN
@pytest.mark.parametrize(
    "key", ["block_device_mapping", "block_device_mapping_v2"]
)
def test_what_a_body_says_is_judged_without_the_rest(method, reference, key):
    """A probe can therefore ask for a flavor that does not exist."""
    request = boot(
        lacking(method, reference, NotFound("it is gone")),
        networks=[{"port": "direct"}],
        **{key: [{"disk_bus": "ide"}]},
    )
    (choice,) = request.hardware.choices
    assert (choice.kind, choice.value) == ("disk_bus", "ide")
    assert (request.hardware.devices, request.hardware.only) == (
        (),
        {"disk_bus"},
    )
    assert (request.subject.operation, request.subject.project) == (
        BOOT,
        OWNER["project"],
    )


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
    return compose.with_present_flavor(request, SMALL.extra_specs)


@pytest.mark.parametrize(("made_of", "scheduled"), [(NEW, True), (OLD, False)])
def test_a_root_volume_counts_as_the_image_that_it_was_made_of(
    made_of, scheduled
):
    existing = server(image=None)
    find = reader(
        existing,
        own_image={existing.id: Image(holder=Holder("v", made_of=OLD_ID))},
    )
    body = {"rebuild": {"imageRef": made_of.holder.id}}
    assert bool(find.rebuild(existing.id, body).scheduled) is scheduled


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
REBUILT = server_request.ServerRequest(
    flavored(kept(NEW.hardware())),
    subject(REBUILD, NEW_ID),
    existing=(flavored(PRESENT),),
    scheduled=NEW.hardware(),
)
UNSHELVED = replace(REBUILT, subject=subject(UNSHELVE, NEW_ID), scheduled=None)
PLAIN = image.read(NEW.properties, holder=NEW.holder)
RESCUED = server_request.ServerRequest(
    flavored(kept_devices.with_kept(PLAIN, (), True, server().hardware)),
    subject(RESCUE, NEW_ID),
    existing=(flavored(rescue.devices_alone(PRESENT)),),
)
OWN_RESCUED = replace(
    RESCUED,
    hardware=flavored(
        kept_devices.with_kept(OLD.hardware(), (), True, server().hardware)
    ),
    subject=subject(RESCUE),
    existing=(flavored(PRESENT),),
)
RESIZED = server_request.ServerRequest(
    compose.with_specs(kept(OLD.hardware()), LARGE.extra_specs),
    subject(RESIZE, flavor=LARGE),
    existing=(compose.with_specs(PRESENT, SMALL.extra_specs),),
)
METADATA = {"name": "x", "metadata": {"hw_cdrom_bus": "ide"}}
SNAPSHOT_TAKEN = server_request.of_image(
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
    request = getattr(reader(server(**more)), operation)(
        "a-server", {operation: None}
    )
    (found,) = request.hardware.faults
    assert (found.source, found.value) == fault
    assert request == server_request.ServerRequest(
        HardwareRequest(devices=(), faults=(found,)), subject(operation)
    )


@pytest.mark.parametrize(
    ("action", "named"),
    [
        ("rebuild", {"imageRef": NEW_ID}),
        ("rescue", {"rescue_image_ref": NEW_ID}),
        ("resize", {"flavorRef": "2"}),
    ],
)
def test_who_acts_on_anothers_server_is_judged_as_its_project(action, named):
    subject = getattr(reader(server(project="p2")), action)(
        "a-server", {action: named}
    ).subject
    assert (subject.project, subject.domain, subject.roles) == (
        "p2",
        None,
        frozenset(),
    )


# Devices that are attached to a running server.

ATTACHING_USER = SimpleNamespace(
    project_id="p1", project_domain_id="d1", roles=("a",)
)
RULES = policy(
    guest_devices={
        "disk_bus": {"allow": ["virtio"]},
        "scsi_model": {"allow": ["virtio-scsi"]},
        "vif_model": {"allow": ["virtio"]},
        "video_model": {"allow": ["virtio"]},
        "tpm_model": {"allow": []},
    }
)
OLD_MODELS = {"hw_video_model": "cirrus", "hw_vif_model": "e1000"}
PORTS_BY_TYPE = {
    kind: {"id": kind, "binding:vnic_type": kind}
    for kind in (
        *("normal", "macvtap", "virtio-forwarder", "new"),
        *passthrough.DIRECT_VNIC,
    )
}


SUBJECT = Subject(
    ATTACH,
    "p1",
    "d1",
    frozenset("a"),
    image="an-image",
    flavor="m1.small",
    flavor_id="1",
    server="a-server",
)


def attached(method, body, **properties):
    """Return the request to attach a device to a server with an image."""
    server = Server(
        "a-server",
        "p1",
        "an-image",
        Flavor("m1.small", "1"),
        image.read({**OLD_MODELS, **properties}),
    )
    return getattr(
        changes.ChangeReader(
            SimpleNamespace(
                server={server.id: server}.__getitem__,
                kept_devices=lambda _server: [],
                port=PORTS_BY_TYPE.__getitem__,
            ),
            ATTACHING_USER,
        ),
        method,
    )(server.id, body)


ATTACH_VOLUME = ("attach_volume", {"volumeAttachment": {"volumeId": "v"}})


@pytest.mark.parametrize(
    ("operation", "properties", "refused"),
    [
        (ATTACH_VOLUME, {"hw_disk_bus": "virtio"}, set()),
        (ATTACH_VOLUME, {"hw_disk_bus": "ide"}, {("disk_bus", "ide")}),
        (
            ATTACH_VOLUME,
            {"hw_disk_bus": "scsi"},
            {("disk_bus", "scsi"), ("scsi_model", "lsilogic")},
        ),
        # Nova names the disk sda, and attaches sdb on the scsi bus later.
        (
            ATTACH_VOLUME,
            {"hw_disk_bus": "sata"},
            {
                ("disk_bus", "sata"),
                ("disk_bus", "scsi"),
                ("scsi_model", "lsilogic"),
            },
        ),
        (
            ("attach_interface", {}),
            {"hw_disk_bus": "ide", "hw_tpm_model": "tpm-tis"},
            {("vif_model", "e1000")},
        ),
    ],
)
def test_a_new_device_is_judged_alone(operation, properties, refused):
    request = attached(*operation, **properties)
    assert broken(evaluated(RULES, request.hardware)) == refused
    assert (request.hardware.passthrough, request.attached_to) == ((), None)
    assert request.subject == SUBJECT


def test_a_later_volume_is_what_brings_scsi_in():
    hardware = attached("attach_volume", {}, hw_disk_bus="usb").hardware
    choice = hardware.choices[-1]
    assert (choice.kind, choice.value) == ("disk_bus", "scsi")
    # a rebuild with another image fixes the bus, which Nova stores
    assert (choice.setting, choice.origin, choice.holder) == (
        "hw_disk_bus",
        IMAGE,
        STORED,
    )
    assert tuple(hardware.devices[-1])[:2] == (DISK, choice.device)


def of_port(port_id):
    return attached(
        "attach_interface", {"interfaceAttachment": {"port_id": port_id}}
    )


@pytest.mark.parametrize("port_id", sorted(passthrough.DIRECT_VNIC))
def test_a_device_without_a_card_is_judged_on_the_servers_host(port_id):
    request = of_port(port_id)
    assert request.hardware.only == frozenset()
    assert (request.subject, request.attached_to) == (SUBJECT, "a-server")
    if port_id == "direct":
        assert request.hardware.passthrough == (
            Passthrough("ports", "vf", "port direct"),
        )


@pytest.mark.parametrize("port_id", ["macvtap", "virtio-forwarder", "new"])
def test_a_device_behind_a_card_of_the_image(port_id):
    """libvirt uses the image's model for such a port."""
    request, card = of_port(port_id), attached("attach_interface", {})
    assert request.hardware == replace(
        card.hardware,
        passthrough=(
            Passthrough(
                "ports",
                port_id if port_id == "new" else "vf",
                f"port {port_id}",
            ),
        ),
    )
    assert (request.subject, request.attached_to) == (SUBJECT, "a-server")


@pytest.mark.parametrize("port_id", ["normal", None])
def test_a_port_that_brings_none_is_a_network_card(port_id):
    assert of_port(port_id) == attached("attach_interface", {})


def test_a_share_is_a_file_system_of_the_host():
    choice = DeviceChoice("file_system", "virtiofs", "share", origin=DOMAIN)
    assert attached("attach_share", {}) == server_request.ServerRequest(
        HardwareRequest((choice,), only=frozenset(("file_system",))), SUBJECT
    )


IDE = {"hw_disk_bus": "ide"}


@pytest.mark.parametrize(
    ("method", "change", "new", "touched"),
    [
        (
            "add_metadata",
            {"metadata": STORED_METADATA},
            STORED_METADATA,
            {"hw_disk_bus"},
        ),
        # The v2 API ignores "metadata" there.
        (
            "set_metadata",
            {"meta": STORED_METADATA, "metadata": IDE},
            STORED_METADATA,
            {"hw_disk_bus"},
        ),
        (
            "add_metadata",
            {"metadata": {"hw_cdrom_bus": "sata"}},
            {"hw_disk_bus": "ide", "hw_cdrom_bus": "sata"},
            {"hw_cdrom_bus"},
        ),
        ("add_metadata", {}, IDE, set()),
        ("replace_metadata", {"metadata": {}}, {}, {"hw_disk_bus"}),
        (
            "replace_metadata",
            {"metadata": {"hw_cdrom_bus": "sata"}},
            {"hw_cdrom_bus": "sata"},
            {"hw_cdrom_bus", "hw_disk_bus"},
        ),
        ("remove_metadata", "hw_disk_bus", {}, {"hw_disk_bus"}),
        ("remove_metadata", "hw_cdrom_bus", IDE, {"hw_cdrom_bus"}),
    ],
)
@pytest.mark.parametrize(
    ("project", "facts"),
    [("p1", {"domain": "d1", "roles": frozenset("a")}), ("p2", {})],
)
def test_a_change_of_an_images_metadata(
    method, change, new, touched, project, facts
):
    """The project is the image's, regardless of the requester."""
    holder = Holder("an-image", project, "qcow2")
    old = Image(IDE, "qcow2", holder=holder)
    request = getattr(
        changes.ChangeReader(
            SimpleNamespace(image={holder.id: old}.__getitem__), ATTACHING_USER
        ),
        method,
    )(holder.id, change)
    image = Image(new, "qcow2", holder=holder)
    assert request == server_request.ServerRequest(
        image.hardware(),
        Subject(UPDATE, project, image=holder.id, **facts),
        image=image,
        before=old,
        touched=frozenset(touched),
    )


# Requests for existing servers are judged device by device.

USER_WITHOUT_ROLES = SimpleNamespace(
    project_id="p1", project_domain_id="d1", roles=()
)
OWN, OTHER = (f"155d900f-4e14-4e4c-a73d-{number:012}" for number in (1, 2))
DEVICE_RULES = policy(
    guest_devices={
        "disk_bus": {"allow": ["virtio", "scsi"]},
        "cdrom_bus": {"allow": ["sata"]},
        "rescue_bus": {"allow": ["virtio", "scsi"]},
        "floppy_bus": {"allow": []},
        "scsi_model": {"allow": ["virtio-scsi"]},
        "vif_model": {"allow": ["virtio"]},
        "sound_model": {"allow": []},
    },
    assume={"pointer_model": "none"},
)

VIRTIO = KeptDevice("virtio", "disk", "vda", root=True)
SCSI = KeptDevice("scsi", "disk", "sda", root=True)
IDE_DISK = KeptDevice("ide", "disk", "hda", root=True)
DRIVE = True

PC = {"hw_machine_type": "pc"}
#: The bus that Nova records for each server with this machine type.
RECORDED = PC | {"hw_cdrom_bus": "ide"}
CARD, SOUND = {"hw_vif_model": "e1000"}, {"hw:sound_model": "ich6"}
SIGNED = {"allow": ["?*"], "explicit": True}
NEW_CD = {"hw_rescue_device": "cdrom"}

CARDS, GUEST, RESCUE_DISK = "network cards", "", "rescue disk"

RESCUE_CALL = ("rescue", {"rescue": {"rescue_image_ref": OTHER}})
OWN_RESCUE = ("rescue", {"rescue": None})
REBUILD_CALL = ("rebuild", {"rebuild": {"imageRef": OTHER}})
OWN_REBUILD = ("rebuild", {"rebuild": {"imageRef": OWN}})
UNSHELVE_CALL = ("unshelve", {"unshelve": None})
RESIZE_CALL = ("resize", {"resize": {"flavorRef": "2"}})
ATTACHED = "attached volume"


def asked(operation, stored, now, devices, drive, specs=((), ())):
    """Return the request for an operation on a server.

    :param stored: image properties that Nova keeps for the server
    :param now: properties of the requested image or snapshot
    :param devices: block devices that the server keeps
    :param drive: whether it has a config drive
    :param specs: extra specs of its flavor and of the new flavor
    """
    method, body = operation
    before, after = (
        Flavor(name, name, dict(each))
        for name, each in zip("12", specs, strict=True)
    )
    server = Server(
        "a-server",
        "p1",
        OWN,
        before,
        image.read(stored, holder=STORED),
        stored,
        drive,
        shelved_image=OTHER,
        offloaded=True,
    )
    images = {
        key: Image(now, "raw", holder=Holder(key, "p1", "raw"))
        for key in (OWN, OTHER)
    }
    find = lookups(
        server={server.id: server},
        kept_devices={server.id: devices},
        recorded_image={server.id: server.stored()},
        own_image={server.id: None},
        image=images,
        flavor={"2": after},
    )
    return getattr(
        (
            changes.ChangeReader
            if method.startswith("attach")
            else nova_api.ServerReader
        )(find, USER_WITHOUT_ROLES),
        method,
    )(server.id, body)


# Operation; stored properties; properties of the requested image or snapshot;
# block devices; config drive; refused devices; devices with a warning.
@pytest.mark.parametrize(
    ("operation", "stored", "now", "devices", "drive", "refused", "warned"),
    [
        # A stable rescue adds a device. Nova records a bus for CD-ROMs even if
        # the server has no CD-ROM, so the record does not excuse one.
        (
            RESCUE_CALL,
            RECORDED,
            PC | NEW_CD,
            [VIRTIO],
            not DRIVE,
            {("cdrom_bus", "ide", RESCUE_DISK)},
            set(),
        ),
        # Another CD-ROM of the server does not excuse the new one.
        (
            RESCUE_CALL,
            RECORDED,
            PC | NEW_CD,
            [VIRTIO],
            DRIVE,
            {("cdrom_bus", "ide", RESCUE_DISK)},
            {("cdrom_bus", "ide", CONFIG_DRIVE)},
        ),
        (
            RESCUE_CALL,
            {},
            {"hw_rescue_bus": "ide"},
            [IDE_DISK],
            not DRIVE,
            {("rescue_bus", "ide", GUEST)},
            {("disk_bus", "ide", ROOT)},
        ),
        # The controller belongs to the server, and existed or is new.
        (
            RESCUE_CALL,
            {},
            {"hw_rescue_bus": "scsi"},
            [SCSI],
            not DRIVE,
            set(),
            {("scsi_model", "lsilogic", GUEST)},
        ),
        (
            RESCUE_CALL,
            {},
            {"hw_rescue_bus": "scsi"},
            [VIRTIO],
            not DRIVE,
            {("scsi_model", "lsilogic", GUEST)},
            set(),
        ),
        # Rescue properties of the server's own image are ignored.
        (
            RESCUE_CALL,
            {"hw_rescue_bus": "ide"},
            {"hw_rescue_bus": "virtio"},
            [VIRTIO],
            not DRIVE,
            set(),
            set(),
        ),
        # In a legacy rescue, the devices of the rescue image replace those of
        # the server.
        (
            RESCUE_CALL,
            {},
            {"hw_disk_bus": "ide", **CARD},
            [IDE_DISK],
            not DRIVE,
            {("vif_model", "e1000", CARDS)},
            {("disk_bus", "ide", ROOT)},
        ),
        (
            RESCUE_CALL,
            CARD,
            {"hw_disk_bus": "ide", **CARD},
            [VIRTIO],
            not DRIVE,
            {("disk_bus", "ide", ROOT)},
            {("vif_model", "e1000", CARDS)},
        ),
        (
            OWN_RESCUE,
            RECORDED,
            RECORDED,
            [VIRTIO],
            DRIVE,
            set(),
            {("cdrom_bus", "ide", CONFIG_DRIVE)},
        ),
        # A rebuild with the same image may keep its devices.
        (
            OWN_REBUILD,
            CARD,
            CARD,
            [IDE_DISK],
            not DRIVE,
            set(),
            {("disk_bus", "ide", ROOT), ("vif_model", "e1000", CARDS)},
        ),
        (
            OWN_REBUILD,
            {},
            CARD,
            [VIRTIO],
            not DRIVE,
            {("vif_model", "e1000", CARDS)},
            set(),
        ),
        # A disk with its own bus does not use the image's bus.
        (
            OWN_REBUILD,
            {},
            {"hw_disk_bus": "ide"},
            [VIRTIO],
            not DRIVE,
            set(),
            set(),
        ),
        (
            OWN_REBUILD,
            {},
            {"hw_disk_bus": "ide"},
            [VIRTIO, KeptDevice(None, "disk", "vdb")],
            not DRIVE,
            {("disk_bus", "ide", "disk vdb")},
            set(),
        ),
        # The scheduler judges another image as new.
        (
            REBUILD_CALL,
            CARD,
            CARD,
            [IDE_DISK],
            not DRIVE,
            {("vif_model", "e1000", CARDS)},
            {("disk_bus", "ide", ROOT)},
        ),
        (
            REBUILD_CALL,
            {},
            {"hw_disk_bus": "ide"},
            [VIRTIO],
            not DRIVE,
            {("disk_bus", "ide", ROOT)},
            set(),
        ),
        (
            REBUILD_CALL,
            RECORDED,
            RECORDED,
            [VIRTIO],
            DRIVE,
            set(),
            {("cdrom_bus", "ide", CONFIG_DRIVE)},
        ),
        # A snapshot has the recorded properties and its owner's changes.
        (
            UNSHELVE_CALL,
            RECORDED,
            RECORDED,
            [VIRTIO],
            not DRIVE,
            set(),
            set(),
        ),
        (
            UNSHELVE_CALL,
            RECORDED,
            RECORDED | CARD,
            [VIRTIO],
            DRIVE,
            {("vif_model", "e1000", CARDS)},
            {("cdrom_bus", "ide", CONFIG_DRIVE)},
        ),
        # A volume is a new disk, on the bus of the stored properties.
        (
            ATTACH_VOLUME,
            {},
            {},
            [IDE_DISK],
            not DRIVE,
            set(),
            {("disk_bus", "ide", ROOT)},
        ),
        (
            ATTACH_VOLUME,
            {"hw_disk_bus": "ide"},
            {},
            [IDE_DISK],
            not DRIVE,
            {("disk_bus", "ide", ATTACHED)},
            {("disk_bus", "ide", ROOT)},
        ),
        (
            ATTACH_VOLUME,
            {"hw_disk_bus": "scsi"},
            {},
            [SCSI],
            not DRIVE,
            set(),
            {("scsi_model", "lsilogic", GUEST)},
        ),
        (
            ATTACH_VOLUME,
            {"hw_disk_bus": "scsi"},
            {},
            [VIRTIO],
            not DRIVE,
            {("scsi_model", "lsilogic", GUEST)},
            set(),
        ),
        # Nova names the disk sdb, and attaches it on the scsi bus.
        (
            ATTACH_VOLUME,
            {"hw_disk_bus": "sata"},
            {},
            [VIRTIO],
            not DRIVE,
            {
                ("disk_bus", "sata", ATTACHED),
                ("scsi_model", "lsilogic", ATTACHED),
            },
            set(),
        ),
        # A network card is new, too.
        (
            ("attach_interface", {"interfaceAttachment": {}}),
            CARD | {"hw_disk_bus": "ide"},
            {},
            [IDE_DISK],
            not DRIVE,
            {("vif_model", "e1000", "attached network card")},
            set(),
        ),
        # A recorded CD-ROM bus adds no CD-ROM in a resize, either.
        (RESIZE_CALL, RECORDED, {}, [VIRTIO], not DRIVE, set(), set()),
        (
            RESIZE_CALL,
            RECORDED,
            {},
            [SCSI],
            DRIVE,
            set(),
            {
                ("cdrom_bus", "ide", CONFIG_DRIVE),
                ("scsi_model", "lsilogic", GUEST),
            },
        ),
    ],
)
def test_what_a_server_had(
    operation, stored, now, devices, drive, refused, warned
):
    verdict = asked(operation, stored, now, devices, drive).verdict(
        DEVICE_RULES, TODAY
    )
    assert (found(verdict.refusals), found(verdict.warnings)) == (
        refused,
        warned,
    )


def found(violations):
    """Return kind, value and device for each device that violates a rule."""
    return {
        (each.cause.what, each.cause.value, device)
        for each in violations
        for device in each.devices
    }


FILES = policy(guest_devices={"image_signature": SIGNED})
#: Rules on values that Nova picks, properties of the server's image, and the
#: outcome.
PICKED = (
    # The tablet that Nova selects and records; also a virtio tablet.
    (
        policy(
            guest_devices={
                "input_bus": {"allow": ["virtio"]},
                "pointer_model": {"allow": []},
                "usb_model": {"allow": ["none"]},
            }
        ),
        {"hw_input_bus": "usb", "hw_pointer_model": "usbtablet"},
        "warn",
    ),
    (
        policy(
            guest_devices={
                "input_bus": {"allow": ["virtio"]},
                "pointer_model": {"allow": []},
            }
        ),
        {"hw_input_bus": "virtio", "hw_pointer_model": "usbtablet"},
        "refuse",
    ),
    # A default that only the flavor or the image can override.
    *(
        (
            policy(
                guest_devices={"pmu": {"allow": ["false"]}},
                assume={"cpu_mode": "host-passthrough"},
            ),
            stored,
            outcome,
        )
        for stored, outcome in (({}, "warn"), ({"hw_pmu": "false"}, "refuse"))
    ),
)


@pytest.mark.parametrize(
    ("rules", "operation", "stored", "now", "specs", "outcome"),
    [
        # a server from an unsigned image
        *(
            (FILES, operation, {}, now, ((), ()), outcome)
            for operation, now, outcome in (
                (OWN_RESCUE, {}, "warn"),
                (OWN_RESCUE, NEW_CD, "warn"),
                (OWN_REBUILD, {}, "warn"),
                # its unsigned image does not excuse another one
                (RESCUE_CALL, {}, "refuse"),
                (RESCUE_CALL, NEW_CD, "refuse"),
                (RESCUE_CALL, {"img_signature": "x"}, "allow"),
                (REBUILD_CALL, {}, "refuse"),
                # a snapshot of Nova has no signature
                (UNSHELVE_CALL, {}, "allow"),
            )
        ),
        # a device of the flavor
        *(
            (DEVICE_RULES, RESIZE_CALL, {}, {}, specs, outcome)
            for *specs, outcome in (
                ({}, SOUND, "refuse"),
                (SOUND, SOUND, "warn"),
                (SOUND, {}, "allow"),
            )
        ),
        *(
            (rules, operation, stored, {}, ((), ()), outcome)
            for rules, stored, outcome in PICKED
            for operation in (OWN_REBUILD, RESCUE_CALL, UNSHELVE_CALL)
        ),
    ],
)
def test_an_existing_server(rules, operation, stored, now, specs, outcome):
    request = asked(operation, stored, now, [VIRTIO], not DRIVE, specs)
    assert request.verdict(rules, TODAY).outcome == outcome


@pytest.mark.parametrize(
    ("with_defaults", "outcome"), [(False, "allow"), (True, "refuse")]
)
def test_a_default_that_an_image_update_brings_in(with_defaults, outcome):
    request = server_request.ServerRequest(
        Image().hardware(),
        WHOSE,
        before=Image({"hw_disk_bus": "scsi"}),
        with_defaults=with_defaults,
    )
    rules = policy(guest_devices={"disk_bus": {"allow": ["scsi"]}})
    assert request.verdict(rules, TODAY).outcome == outcome


def test_another_file_is_judged_by_the_rules_of_files_alone():
    assert evaluated(
        {
            "guest_devices": {
                "disk_bus": {"allow": ["scsi"]},
                "image_signature": SIGNED,
            }
        },
        replace(
            image.read({"hw_disk_bus": "scsi", "img_signature": "c2ln"}),
            other_files=(Image().file(),),
        ),
    ).rules == ["guest_devices.image_signature"]


IDE_IMAGE = Image({"hw_disk_bus": "ide"})
HARD = IDE_IMAGE.hardware()
EMPTY = HardwareRequest()
WHOSE = Subject(UPDATE, "p1")


@pytest.mark.parametrize(
    ("request_", "outcome"),
    [
        (server_request.ServerRequest(HARD, WHOSE), "refuse"),
        (
            server_request.ServerRequest(HARD, WHOSE, before=IDE_IMAGE),
            "allow",
        ),
        (
            server_request.ServerRequest(
                HARD,
                WHOSE,
                before=Image(),
                touched=frozenset(("hw_disk_bus",)),
            ),
            "refuse",
        ),
        (server_request.ServerRequest(HARD, WHOSE, existing=(HARD,)), "warn"),
        (server_request.ServerRequest(HARD, WHOSE, (EMPTY, HARD)), "warn"),
        (
            server_request.ServerRequest(HARD, WHOSE, (HARD,), scheduled=HARD),
            "refuse",
        ),
        (
            server_request.ServerRequest(
                HARD, WHOSE, (HARD,), scheduled=EMPTY
            ),
            "warn",
        ),
        (
            server_request.ServerRequest(
                EMPTY, WHOSE, (HARD,), scheduled=HARD
            ),
            "refuse",
        ),
    ],
)
@pytest.mark.parametrize("day", [-1, 0, 1])
def test_exemptions_hold_up_to_their_last_day(request_, outcome, day):
    rules = policy(
        guest_devices={"disk_bus": {"allow": ["virtio"]}},
        exemptions=[
            {
                "id": "old",
                "reason": "its driver",
                "projects": ["p1"],
                "rules": {"guest_devices.disk_bus": ["ide"]},
                "until": TODAY.isoformat(),
            }
        ],
    )
    verdict = request_.verdict(rules, TODAY + datetime.timedelta(days=day))
    assert verdict.outcome == (outcome if day > 0 else "allow")
    # a violation in both is reported once
    assert len(verdict.violations) <= 1


# Devices that a server keeps with its next image.


def keep_kept(*devices, request=None, stored=EMPTY):
    """Return the buses and the devices that result from kept devices."""
    result = kept_devices.with_kept(
        request or HardwareRequest(), devices, False, stored
    )
    return [
        (wish.kind, wish.value)
        for wish in result.choices
        if wish.kind != "device_type"
    ], [each for each in result.devices if each not in USUAL]


ISO = image.read({}, "iso")
KEEP_DRIVE = [(CDROM, "cdrom 0", "the server's cdrom")]


@pytest.mark.parametrize(
    ("device", "more", "buses", "devices"),
    [
        # a bus that Nova knows is kept
        (KeptDevice("scsi", "disk"), {}, [("disk_bus", "scsi")], []),
        # without a known bus, the name decides
        *(
            (KeptDevice(device_name=name, **device), {}, [bus], [])
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
        # without a name, the device type decides
        (KeptDevice(device_type="cdrom", named=True), {}, [], KEEP_DRIVE),
        (KeptDevice("xen", "cdrom"), {}, [], KEEP_DRIVE),
        # a local disk without a bus uses the bus of the disks, regardless of
        # type and name: get_disk_mapping passes that bus
        *(
            (
                KeptDevice(bus, "cdrom", "hda"),
                {},
                [],
                [(DISK, "cdrom hda", "the server's cdrom hda")],
            )
            for bus in (None, "")
        ),
        # an ISO image replaces the root disk: get_root_info then takes bus
        # and type from the image
        (
            KeptDevice("scsi", "disk", "sda", root=True),
            {"request": ISO},
            [],
            [image.ISO_IMAGE],
        ),
        (
            KeptDevice("scsi", "disk", "sdb"),
            {"request": ISO},
            [("disk_bus", "scsi")],
            [image.ISO_IMAGE],
        ),
        # a volume without a name is named by the stored image
        *(
            (
                KeptDevice(None, "disk", name, named=True),
                {"stored": image.read({"hw_disk_bus": stored})},
                [("disk_bus", bus)],
                [],
            )
            for stored, name, bus in (
                ("sata", None, "scsi"),
                ("usb", None, "scsi"),
                ("scsi", None, "scsi"),
                ("virtio", None, "virtio"),
                ("ide", None, "ide"),
                # the existing name decides
                ("sata", "vdb", "virtio"),
            )
        ),
    ],
)
def test_a_device_that_stays(device, more, buses, devices):
    assert keep_kept(device, **more) == (buses, devices)


def test_every_device_beside_a_replaced_root_stays():
    buses, _ = keep_kept(
        KeptDevice("scsi", "disk", "sda", root=True),
        KeptDevice("usb", "disk", "sdb"),
        KeptDevice("ide", "disk", "hdc"),
        request=ISO,
    )
    assert buses == [("disk_bus", "usb"), ("disk_bus", "ide")]


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
    assert kept_devices.with_kept(
        HardwareRequest(), [device], False, EMPTY
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
    assert kept_devices.with_kept(
        HardwareRequest(), [device], False, EMPTY
    ).choices == (
        DeviceChoice(
            *("disk_bus", "virtio", f"bus of {place}", place, SERVER),
            device="disk vda",
        ),
    )


@pytest.mark.parametrize("properties", [{}, {"img_config_drive": "mandatory"}])
def test_a_config_drive_stays_and_is_one_device(properties):
    assert [
        each.name
        for each in kept_devices.with_kept(
            image.read(properties), [], True, EMPTY
        ).of_type(CDROM)
    ] == [CONFIG_DRIVE]


@pytest.mark.parametrize(
    ("device", "disks"),
    [
        # a disk with its own bus does not use the bus of the next image
        (KeptDevice("virtio", "disk", "vda", root=True), []),
        (KeptDevice(None, "disk", "vda", root=True), [ROOT]),
        (KeptDevice("virtio", "disk", "vdb"), [ROOT]),
        (KeptDevice(None, "disk", "vdb"), [ROOT, "disk vdb"]),
    ],
)
def test_disks_that_take_the_bus_of_the_image(device, disks):
    assert [
        each.name
        for each in kept_devices.with_kept(
            HardwareRequest(), [device], False, EMPTY
        ).of_type(DISK)
    ] == disks


# The image of a rescue, and rescues that cannot be judged.

IMAGE_ID = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"
BASE_ID = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
IMAGES = {IMAGE_ID: Image({"a": "1"}), BASE_ID: Image({"b": "2"})}
NO_TABLET = model.Assume(pointer_model="ps2mouse")
STABLE = Image({"hw_rescue_device": "disk"})
ADDRESS = "http://10.0.0.1/image"


def rescue_server(**more):
    return Server(
        **{
            "id": "a-server",
            "image": IMAGE_ID,
            "hardware": image.read(more.get("properties", {}), holder=STORED),
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
        # Nova responds to these
        ({"image": None}, None, None),
        ({}, "gone", None),
    ],
)
def test_the_image_that_is_rescued_with(more, named, expected):
    find = lookups(image=IMAGES)
    if expected:
        assert (
            rescue.rescue_image(find, rescue_server(**more), named)
            is IMAGES[expected]
        )
    else:
        with pytest.raises(NotFound):
            rescue.rescue_image(find, rescue_server(**more), named)


GONE = "3f2a6e04-7c5d-4a59-9a75-2c8c1b0f6f11"


def unusable(**more):
    """Return the fault of a rescue with an unusable image."""
    with pytest.raises(rescue.Unusable) as error:
        rescue.rescue_image(lookups(image=IMAGES), rescue_server(**more), None)
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
    assert (fault.source, fault.value, fault.count) == (
        "stored image property base_image_ref",
        value,
        "",
    )
    assert fault.names == frozenset()


def test_a_root_volume_that_cannot_be_read():
    hardware = rescue.rescued(lookups(own_image={}), rescue_server(), STABLE)
    (fault,) = hardware.faults
    assert (fault.source, fault.value) == (
        "the root volume of this server",
        "a-server",
    )
    assert hardware == HardwareRequest(devices=(), faults=(fault,))


def test_a_legacy_rescue_is_of_the_rescue_image_alone():
    """References in the rescue image are ignored; it is never a CD-ROM."""
    properties = {"hw_disk_bus": "ide", "base_image_ref": ADDRESS}
    properties["img_config_drive"] = "mandatory"
    of_disk = image.read({"hw_disk_bus": "ide"})
    for drive in (True, False):
        assert rescue.rescued(
            lookups(),
            rescue_server(config_drive=drive),
            Image(properties, "iso"),
        ) == kept_devices.with_kept(of_disk, (), drive, of_disk)


@pytest.mark.parametrize(
    "own", [None, Image({"hw_disk_bus": "sata"}, origin=VOLUME)]
)
def test_a_stable_rescue_adds_a_disk_to_what_the_server_has(own):
    # The stored image determines the name of the last device.
    stays = [KeptDevice("scsi", "lun", "sdb"), KeptDevice(named=True)]
    existing = rescue_server(
        properties={"hw_disk_bus": "ide"}, config_drive=True
    )
    hardware = rescue.rescued(
        lookups(own_image={"a-server": own}, kept_devices={"a-server": stays}),
        existing,
        STABLE,
    )
    expected = replace(
        kept_devices.with_kept(
            existing.hardware if own is None else own.hardware(),
            stays,
            True,
            existing.hardware,
        ),
        rescue_disk=rescue.rescue_disk(STABLE),
    )
    assert (replace(hardware, only=expected.only), hardware.faults) == (
        expected,
        (),
    )


RESCUE_BOTH = frozenset(("rescue_bus", "rescue_device", *OF_FILE))


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
    disk = rescue.rescue_disk(
        Image({"hw_rescue_device": device, "base_image_ref": ADDRESS})
    )
    assert (disk.devices, disk.only, disk.faults) == (
        ((expected, "rescue disk", f"hw_rescue_device={device}"),),
        (RESCUE_BOTH | {bus}),
        (),
    )
    # Nova does not select a bus for which libvirt adds a controller.
    assert "usb_model" not in {
        each.kind
        for each in defaults.implied(
            HardwareRequest(rescue_disk=disk), NO_TABLET, ("usb_model",)
        )
    }


def test_the_bus_of_the_disk_of_a_stable_rescue():
    disk = rescue.rescue_disk(
        Image({"hw_rescue_device": "cdrom", "hw_rescue_bus": "usb"}, "iso")
    )
    assert (disk.devices, disk.only) == ((), RESCUE_BOTH)


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
    existing = rescue_server(
        properties={"os_shutdown_timeout": value}, running=running
    )
    find = lookups(own_image={"a-server": None}, kept_devices={"a-server": ()})
    faults = rescue.rescued(find, existing, STABLE).faults
    place = "stored image property os_shutdown_timeout"
    assert [(each.source, each.value) for each in faults] == (
        [(place, str(value))] if slow else []
    )
    # a legacy rescue does not read the property
    assert rescue.rescued(find, existing, Image()).faults == ()

# SPDX-License-Identifier: Apache-2.0
"""Requests for existing servers are judged device by device."""

import datetime
from dataclasses import replace
from types import SimpleNamespace

import pytest

from nova_vhard.policy.hardware import (
    CONFIG_DRIVE,
    ROOT,
    STORED,
    HardwareRequest,
    Holder,
)
from nova_vhard.policy.subject import BOOT, UPDATE, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import image
from nova_vhard.request.changes import ChangeReader
from nova_vhard.request.lookups import Flavor, Image, KeptDevice, Server
from nova_vhard.request.nova_api import ServerReader
from nova_vhard.request.server_request import ServerRequest
from tests.unit.helpers import TODAY, policy
from tests.unit.lookups import lookups

WHO = SimpleNamespace(project_id="p1", project_domain_id="d1", roles=())
OWN, OTHER = (f"155d900f-4e14-4e4c-a73d-{number:012}" for number in (1, 2))
RULES = policy(
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
IDE = KeptDevice("ide", "disk", "hda", root=True)
LOCAL = KeptDevice(None, "disk", "vdb")
DRIVE = True

PC = {"hw_machine_type": "pc"}
#: As Nova records it for each server of this machine type.
RECORDED = PC | {"hw_cdrom_bus": "ide"}
CARD = {"hw_vif_model": "e1000"}
SOUND = {"hw:sound_model": "ich6"}
NEW_CD = {"hw_rescue_device": "cdrom"}

CARDS = "network cards"
GUEST = ""
RESCUE_DISK = "rescue disk"

RESCUE = ("rescue", {"rescue": {"rescue_image_ref": OTHER}})
OWN_RESCUE = ("rescue", {"rescue": None})
REBUILD = ("rebuild", {"rebuild": {"imageRef": OTHER}})
OWN_REBUILD = ("rebuild", {"rebuild": {"imageRef": OWN}})
UNSHELVE = ("unshelve", {"unshelve": None})
RESIZE = ("resize", {"resize": {"flavorRef": "2"}})
VOLUME = ("attach_volume", {"volumeAttachment": {"volumeId": "v"}})
PORT = ("attach_interface", {"interfaceAttachment": {}})
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
    reader = ChangeReader if method.startswith("attach") else ServerReader
    return getattr(reader(find, WHO), method)(server.id, body)


# Operation; stored properties, those of the image of the moment, block
# devices and config drive; what is refused, and what is warned of.
@pytest.mark.parametrize(
    ("operation", "stored", "now", "devices", "drive", "refused", "warned"),
    [
        # A stable rescue adds a device. Nova's record of a CD-ROM that is
        # not there excuses none.
        (
            RESCUE,
            RECORDED,
            PC | NEW_CD,
            [VIRTIO],
            not DRIVE,
            {("cdrom_bus", "ide", RESCUE_DISK)},
            set(),
        ),
        # Nor does a CD-ROM that is there, which is another one.
        (
            RESCUE,
            RECORDED,
            PC | NEW_CD,
            [VIRTIO],
            DRIVE,
            {("cdrom_bus", "ide", RESCUE_DISK)},
            {("cdrom_bus", "ide", CONFIG_DRIVE)},
        ),
        (
            RESCUE,
            {},
            {"hw_rescue_bus": "ide"},
            [IDE],
            not DRIVE,
            {("rescue_bus", "ide", GUEST)},
            {("disk_bus", "ide", ROOT)},
        ),
        # The controller is the server's: one that it had, or a new one.
        (
            RESCUE,
            {},
            {"hw_rescue_bus": "scsi"},
            [SCSI],
            not DRIVE,
            set(),
            {("scsi_model", "lsilogic", GUEST)},
        ),
        (
            RESCUE,
            {},
            {"hw_rescue_bus": "scsi"},
            [VIRTIO],
            not DRIVE,
            {("scsi_model", "lsilogic", GUEST)},
            set(),
        ),
        # What the server's own image says of a rescue does not count.
        (
            RESCUE,
            {"hw_rescue_bus": "ide"},
            {"hw_rescue_bus": "virtio"},
            [VIRTIO],
            not DRIVE,
            set(),
            set(),
        ),
        # The devices of a legacy one are the rescue image's, in the place of
        # the server's.
        (
            RESCUE,
            {},
            {"hw_disk_bus": "ide", **CARD},
            [IDE],
            not DRIVE,
            {("vif_model", "e1000", CARDS)},
            {("disk_bus", "ide", ROOT)},
        ),
        (
            RESCUE,
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
        # A rebuild with the same image: its devices may be as they were.
        (
            OWN_REBUILD,
            CARD,
            CARD,
            [IDE],
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
        # A disk with a bus of its own does not take the image's.
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
            [VIRTIO, LOCAL],
            not DRIVE,
            {("disk_bus", "ide", "disk vdb")},
            set(),
        ),
        # Another image is one that the scheduler judges as new.
        (
            REBUILD,
            CARD,
            CARD,
            [IDE],
            not DRIVE,
            {("vif_model", "e1000", CARDS)},
            {("disk_bus", "ide", ROOT)},
        ),
        (
            REBUILD,
            {},
            {"hw_disk_bus": "ide"},
            [VIRTIO],
            not DRIVE,
            {("disk_bus", "ide", ROOT)},
            set(),
        ),
        (
            REBUILD,
            RECORDED,
            RECORDED,
            [VIRTIO],
            DRIVE,
            set(),
            {("cdrom_bus", "ide", CONFIG_DRIVE)},
        ),
        # A snapshot has what Nova recorded, and what its owner wrote since.
        (UNSHELVE, RECORDED, RECORDED, [VIRTIO], not DRIVE, set(), set()),
        (
            UNSHELVE,
            RECORDED,
            RECORDED | CARD,
            [VIRTIO],
            DRIVE,
            {("vif_model", "e1000", CARDS)},
            {("cdrom_bus", "ide", CONFIG_DRIVE)},
        ),
        # A volume is a new disk, on the bus of the stored properties.
        (VOLUME, {}, {}, [IDE], not DRIVE, set(), {("disk_bus", "ide", ROOT)}),
        (
            VOLUME,
            {"hw_disk_bus": "ide"},
            {},
            [IDE],
            not DRIVE,
            {("disk_bus", "ide", ATTACHED)},
            {("disk_bus", "ide", ROOT)},
        ),
        (
            VOLUME,
            {"hw_disk_bus": "scsi"},
            {},
            [SCSI],
            not DRIVE,
            set(),
            {("scsi_model", "lsilogic", GUEST)},
        ),
        (
            VOLUME,
            {"hw_disk_bus": "scsi"},
            {},
            [VIRTIO],
            not DRIVE,
            {("scsi_model", "lsilogic", GUEST)},
            set(),
        ),
        # Nova calls it sdb, and plugs it in as scsi.
        (
            VOLUME,
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
        # So is a network card.
        (
            PORT,
            CARD | {"hw_disk_bus": "ide"},
            {},
            [IDE],
            not DRIVE,
            {("vif_model", "e1000", "attached network card")},
            set(),
        ),
        # The CD-ROM that is recorded is not there after a resize, either.
        (RESIZE, RECORDED, {}, [VIRTIO], not DRIVE, set(), set()),
        (
            RESIZE,
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
    request = asked(operation, stored, now, devices, drive)
    verdict = request.verdict(RULES, TODAY)
    assert found(verdict.refusals) == refused
    assert found(verdict.warnings) == warned


@pytest.mark.parametrize(
    ("operation", "now", "outcome"),
    [
        (OWN_RESCUE, {}, "warn"),
        (OWN_RESCUE, NEW_CD, "warn"),
        (OWN_REBUILD, {}, "warn"),
        # what it was made of excuses no other file
        (RESCUE, {}, "refuse"),
        (RESCUE, NEW_CD, "refuse"),
        (RESCUE, {"img_signature": "x"}, "allow"),
        (REBUILD, {}, "refuse"),
        # Nova's own snapshot has none
        (UNSHELVE, {}, "allow"),
    ],
)
def test_a_server_of_a_file_that_nobody_signed(operation, now, outcome):
    signed = {"allow": ["?*"], "explicit": True}
    rules = policy(guest_devices={"image_signature": signed})
    request = asked(operation, {}, now, [VIRTIO], not DRIVE)
    assert request.verdict(rules, TODAY).outcome == outcome


def found(violations):
    """Return kind, value and device for each device that violates a rule."""
    return {
        (each.choice.kind, each.choice.value, device)
        for each in violations
        for device in each.devices
    }


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [({}, SOUND, "refuse"), (SOUND, SOUND, "warn"), (SOUND, {}, "allow")],
)
def test_a_device_of_the_flavor(before, after, outcome):
    request = asked(RESIZE, {}, {}, [VIRTIO], False, (before, after))
    assert request.verdict(RULES, TODAY).outcome == outcome


@pytest.mark.parametrize("operation", [OWN_REBUILD, RESCUE, UNSHELVE])
@pytest.mark.parametrize(
    ("rules", "assume", "stored", "outcome"),
    [
        # The tablet that Nova picks, as it records it; a virtio one, too.
        (
            {
                "input_bus": ["virtio"],
                "pointer_model": [],
                "usb_model": ["none"],
            },
            {},
            {"hw_input_bus": "usb", "hw_pointer_model": "usbtablet"},
            "warn",
        ),
        (
            {"input_bus": ["virtio"], "pointer_model": []},
            {},
            {"hw_input_bus": "virtio", "hw_pointer_model": "usbtablet"},
            "refuse",
        ),
        # A default that only the flavor or the image keeps away.
        ({"pmu": ["false"]}, {"cpu_mode": "host-passthrough"}, {}, "warn"),
        (
            {"pmu": ["false"]},
            {"cpu_mode": "host-passthrough"},
            {"hw_pmu": "false"},
            "refuse",
        ),
    ],
)
def test_what_nova_picks_for_a_silent_image(
    operation, rules, assume, stored, outcome
):
    allowed = {kind: {"allow": values} for kind, values in rules.items()}
    request = asked(operation, stored, {}, [VIRTIO], not DRIVE)
    verdict = request.verdict(
        policy(guest_devices=allowed, assume=assume), TODAY
    )
    assert verdict.outcome == outcome


@pytest.mark.parametrize(
    ("with_defaults", "outcome"), [(False, "allow"), (True, "refuse")]
)
def test_a_default_that_an_image_update_brings_in(with_defaults, outcome):
    request = ServerRequest(
        Image().hardware(),
        WHOSE,
        before=Image({"hw_disk_bus": "scsi"}),
        with_defaults=with_defaults,
    )
    rules = policy(guest_devices={"disk_bus": {"allow": ["scsi"]}})
    assert request.verdict(rules, TODAY).outcome == outcome


def test_another_file_is_judged_by_the_rules_of_files_alone():
    signed = image.read({"hw_disk_bus": "scsi", "img_signature": "c2ln"})
    request = replace(signed, other_files=(Image().file(),))
    signature = {"allow": ["?*"], "explicit": True}
    rules = policy(
        guest_devices={
            "disk_bus": {"allow": ["scsi"]},
            "image_signature": signature,
        }
    )
    verdict = evaluate(rules, request, Subject(BOOT), TODAY)
    assert [each.rule for each in verdict.violations] == [
        "guest_devices.image_signature"
    ]


OLD = Image({"hw_disk_bus": "ide"})
HARD = OLD.hardware()
EMPTY = HardwareRequest()
WHOSE = Subject(UPDATE, "p1")
BUS = frozenset(("hw_disk_bus",))


@pytest.mark.parametrize(
    ("request_", "outcome"),
    [
        (ServerRequest(HARD, WHOSE), "refuse"),
        (ServerRequest(HARD, WHOSE, before=OLD), "allow"),
        (ServerRequest(HARD, WHOSE, before=Image(), touched=BUS), "refuse"),
        (ServerRequest(HARD, WHOSE, existing=(HARD,)), "warn"),
        (ServerRequest(HARD, WHOSE, (EMPTY, HARD)), "warn"),
        (ServerRequest(HARD, WHOSE, (HARD,), scheduled=HARD), "refuse"),
        (ServerRequest(HARD, WHOSE, (HARD,), scheduled=EMPTY), "warn"),
        (ServerRequest(EMPTY, WHOSE, (HARD,), scheduled=HARD), "refuse"),
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
    # what both say is said once
    assert len(verdict.violations) <= 1

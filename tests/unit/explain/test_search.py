# SPDX-License-Identifier: Apache-2.0
"""The search for a fix: from documents to edits."""

import json
import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest

from nova_vhard.explain import search
from nova_vhard.policy.hardware import (
    NOBODY,
    SERVER,
    STORED,
    VOLUME,
    DeviceChoice,
    HardwareRequest,
    Holder,
)
from nova_vhard.policy.subject import (
    ATTACH,
    BOOT,
    REBUILD,
    RESCUE,
    RESIZE,
    SNAPSHOT,
    UPDATE,
    UPLOAD,
    Subject,
)
from nova_vhard.request.changes import ChangeReader
from nova_vhard.request.lookups import (
    Flavor,
    Image,
    KeptDevice,
    LookupFailed,
    NotFound,
    Server,
)
from nova_vhard.request.nova_api import ServerReader
from nova_vhard.request.rescue import rescue_disk
from nova_vhard.request.server_request import ServerRequest
from tests.unit.explain.requests import (
    FOREIGN,
    OWN,
    allowing,
    change,
    edits,
    found,
    left,
    of,
)
from tests.unit.helpers import TODAY, policy

SCSI = {"disk_bus": ["scsi"], "scsi_model": ["virtio-scsi"]}
BUSES = {"disk_bus": ["sata", "virtio"]}
UEFI = {"firmware_type": ["uefi"]}
NONE_EMULATED = {"emulation_architecture": []}
ON_SCSI = {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}
ARM = {"hw_architecture": "aarch64"}
IDE = {"hw_disk_bus": "ide"}
VIRTIO = {"hw_disk_bus": "virtio"}
TWO = {**IDE, "hw_vif_model": "e1000"}
RESCUED = {
    "disk_bus": ["sata", "scsi"],
    "cdrom_bus": ["sata", "scsi"],
    "scsi_model": ["virtio-scsi"],
}
CDROM = {"hw_rescue_device": "cdrom", "hw_rescue_bus": "ide"}
GONE = {"hw_rescue_bus": None}
FLOPPY = {"device_type": "floppy"}
IDE_DISK = {"disk_bus": "ide"}
DISKS = {"disk_bus": ["virtio"], "device_type": ["disk", "cdrom"]}


def refusals_of(request, rules):
    """Return the refusals of a request that need a fix."""
    return request.verdict(rules, TODAY).refusals


def listed(*entries):
    return {"mappings": json.dumps(entries)}


@pytest.mark.parametrize(
    ("kinds", "properties", "expected"),
    [
        # a bus, and the controller that it needs
        (SCSI, {"hw_disk_bus": "ide"}, ON_SCSI),
        # a bus that needs none comes first
        (
            {**SCSI, "disk_bus": ["scsi", "virtio"]},
            {"hw_disk_bus": "ide"},
            {"hw_disk_bus": "virtio"},
        ),
        # whatever its controller is
        (
            {"disk_bus": ["scsi", "virtio"]},
            {"hw_disk_bus": "ide"},
            {"hw_disk_bus": "virtio"},
        ),
        # a controller that libvirt picks, and that is allowed
        (
            {**SCSI, "scsi_model": ["virtio-scsi", "lsilogic"]},
            {"hw_disk_bus": "ide"},
            {"hw_disk_bus": "scsi"},
        ),
        # known and allowed, so that the image need not say it
        (
            {
                "disk_bus": ["scsi"],
                "scsi_model": {"allow": ["virtio-scsi"], "explicit": True},
            },
            {"hw_architecture": "s390x", "hw_disk_bus": "virtio"},
            {"hw_disk_bus": "scsi"},
        ),
        # the defaults of what is emulated no longer
        (
            {**NONE_EMULATED, **UEFI},
            {"hw_emulation_architecture": "s390x"},
            {"hw_emulation_architecture": None, "hw_firmware_type": "uefi"},
        ),
        (
            {**NONE_EMULATED, **SCSI},
            {"hw_emulation_architecture": "s390x", "hw_disk_bus": "scsi"},
            {
                "hw_emulation_architecture": None,
                "hw_scsi_model": "virtio-scsi",
            },
        ),
        # what is emulated from then on
        (
            {**UEFI, "emulation_architecture": ["aarch64"]},
            {"hw_emulation_architecture": "s390x"},
            {"hw_emulation_architecture": "aarch64"},
        ),
        # what stays emulated has no sata
        (
            {**BUSES, "emulation_architecture": ["aarch64"]},
            {"hw_emulation_architecture": "aarch64", "hw_disk_bus": "ide"},
            {"hw_disk_bus": "virtio"},
        ),
        # what is emulated no longer has
        (
            {**BUSES, **NONE_EMULATED},
            {"hw_emulation_architecture": "aarch64", "hw_disk_bus": "ide"},
            {"hw_emulation_architecture": None, "hw_disk_bus": "sata"},
        ),
        # what QEMU cannot have is not proposed
        (BUSES, {"hw_disk_bus": "ide"}, {"hw_disk_bus": "sata"}),
        (BUSES, {**ARM, "hw_disk_bus": "ide"}, {"hw_disk_bus": "virtio"}),
        (
            BUSES,
            {"architecture": "aarch64", "hw_disk_bus": "ide"},
            {"hw_disk_bus": "virtio"},
        ),
        # a pattern names no value; the catalogue does
        (
            {"vif_model": ["v*"]},
            {"hw_vif_model": "e1000"},
            {"hw_vif_model": "virtio"},
        ),
        # a shell would take it for two words
        (
            {"machine_type": ["odd one", "q35"]},
            {"hw_machine_type": "pc"},
            {"hw_machine_type": "q35"},
        ),
        # a legacy name is not written
        (
            {"disk_bus": ["virtio"]},
            {"vmware_adaptertype": "ide"},
            {"hw_disk_bus": "virtio"},
        ),
        # what nobody picks
        (
            {"secure_boot": {"allow": ["required"], "explicit": True}},
            {},
            {"os_secure_boot": "required"},
        ),
        # what libosinfo may pick
        (
            {"vif_model": ["virtio"]},
            {"os_distro": "plan9", "hw_vif_model": "ne2k_pci"},
            {"hw_vif_model": "virtio"},
        ),
        # a device is removed with its property
        (
            {"sound_model": [], "watchdog_action": [], "tpm_model": []},
            {
                "hw_sound_model": "ich6",
                "hw_watchdog_action": "reset",
                "hw_tpm_model": "tpm-tis",
            },
            {
                "hw_sound_model": None,
                "hw_watchdog_action": None,
                "hw_tpm_model": None,
            },
        ),
        ({"pmu": []}, {"hw_pmu": "true"}, {"hw_pmu": None}),
        # without a flavor it is not known what the guest gets
        (
            {"pmu": {"allow": [], "explicit": True}},
            {"hw_pmu": "true"},
            {"hw_pmu": None},
        ),
        # or with another one that brings it in
        (
            {"tpm_model": []},
            {"hw_tpm_version": "2.0"},
            {"hw_tpm_version": None},
        ),
        (
            {"scsi_model": []},
            {"hw_disk_bus": "scsi"},
            {"hw_disk_bus": None},
        ),
        (
            {},
            {"base_image_ref": "http://x"},
            {"base_image_ref": None},
        ),
        # a q35 machine has no ide
        *(
            (
                {"disk_bus": ["ide", "virtio"]},
                {**machine, "hw_disk_bus": "fdc"},
                {"hw_disk_bus": bus},
            )
            for machine, bus in (
                ({}, "ide"),
                ({"hw_machine_type": "pc"}, "ide"),
                ({"hw_machine_type": "pc-q35-9.2"}, "virtio"),
                ({"hw_machine_type": "q35"}, "virtio"),
            )
        ),
        # a list that cannot be read is removed
        *(
            (DISKS, {"mappings": text}, {"mappings": None})
            for text in ("[", "{}", "1", "[" * 9999)
        ),
        # block devices of another rule are fixed alone
        (
            {"cdrom_bus": ["sata"], "disk_bus": ["virtio", "sata"]},
            listed(IDE_DISK, {**IDE_DISK, "device_type": "cdrom"}, IDE_DISK),
            {
                "mappings[0].disk_bus": "virtio",
                "mappings[2].disk_bus": "virtio",
                "mappings[1].disk_bus": "sata",
            },
        ),
        # the first is a disk by then, the second is a floppy without a bus
        (
            {"floppy_bus": [], "disk_bus": ["virtio"]},
            listed(*[{"device_type": "floppy", "disk_bus": "usb"}] * 2),
            dict.fromkeys(
                f"mappings[{number}].{key}"
                for number in (0, 1)
                for key in ("disk_bus", "device_type")
            ),
        ),
        # edits that later ones make needless are not made
        (
            {"scsi_model": ["virtio-scsi"], "disk_bus": ["virtio"]},
            {"hw_disk_bus": "scsi"},
            {"hw_disk_bus": "virtio"},
        ),
    ],
)
def test_an_image(kinds, properties, expected):
    rules = allowing(kinds)
    _, fix = found(rules, of(properties))
    assert (edits(fix), left(fix), fix.complete) == (expected, [], True)


@pytest.mark.parametrize(
    ("buses", "properties", "expected"),
    [
        # on what needs no controller
        (["scsi", "virtio"], {}, {"hw_rescue_bus": "virtio"}),
        # on what a disk can have
        (["xen", "usb"], {}, {"hw_rescue_bus": "usb"}),
        # without the property it is on the bus of the disks
        (["scsi"], {"hw_disk_bus": "sata"}, GONE),
        ([], {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}, GONE),
        # of a CD-ROM: by the machine
        (["sata"], {"hw_rescue_device": "cdrom"}, {"hw_rescue_bus": "sata"}),
        ([], {"hw_rescue_device": "cdrom"}, GONE),
        (
            [],
            {"hw_rescue_device": "cdrom", **ARM},
            {"hw_rescue_bus": None, "hw_scsi_model": "virtio-scsi"},
        ),
    ],
)
def test_an_image_to_rescue_with(buses, properties, expected):
    rules = allowing({**RESCUED, "rescue_bus": buses})
    base = {"hw_disk_bus": "sata", "hw_machine_type": "q35"}
    if "hw_architecture" in properties:
        base = {"hw_disk_bus": "scsi"}
    _, fix = found(rules, of({**base, "hw_rescue_bus": "ide", **properties}))
    assert (edits(fix), left(fix)) == (expected, [])


@pytest.mark.parametrize(
    ("allow", "properties", "assume", "machine"),
    [
        # a machine type that is spelt out, else Nova's own choice
        (["q35", "pc*"], {}, {}, "q35"),
        (["pc*"], {}, {}, "pc"),
        (["pc-q35-*"], {}, {"x86_64": "pc-q35-9.2"}, "pc-q35-9.2"),
        (["vir*"], ARM, {}, "virt"),
    ],
)
def test_a_machine_type(allow, properties, assume, machine):
    rules = allowing({"machine_type": allow}, assume={"machine_type": assume})
    _, fix = found(rules, of({**properties, "hw_machine_type": "odd"}))
    assert (edits(fix), left(fix)) == ({"hw_machine_type": machine}, [])


@pytest.mark.parametrize(
    ("kinds", "properties", "stays"),
    [
        ({"vif_model": ["lan9118"]}, {"hw_vif_model": "e1000"}, "vif_model"),
        ({"vif_model": []}, {"hw_vif_model": "e1000"}, "vif_model"),
        ({"firmware_type": []}, {"hw_firmware_type": "bios"}, "firmware_type"),
        (
            {"vm_mode": {"allow": [], "explicit": True}},
            {"hw_vm_mode": "hvm"},
            "vm_mode",
        ),
        ({"machine_type": ["pc-q35-*"]}, {}, "machine_type"),
        (
            {"machine_type": {"allow": ["*"], "explicit": True}},
            {"hw_architecture": "sparc"},
            "machine_type",
        ),
        # an image does not become one of another architecture, or system
        (
            {"architecture": ["x86_64"]},
            {"hw_architecture": "s390x"},
            "architecture",
        ),
        (
            {"architecture": ["x86_64"]},
            {"architecture": "s390x"},
            "architecture",
        ),
        (
            {"machine_type": ["q35"]},
            {"hw_architecture": "s390x"},
            "machine_type",
        ),
        (
            {"vif_model": {"allow": ["lan9118"], "explicit": True}},
            {"vmware_ostype": "plan9"},
            "vif_model",
        ),
        (
            {"vif_model": {"allow": ["lan9118"], "explicit": True}},
            {"os_distro": "plan9"},
            "vif_model",
        ),
        # nor has it a signature of somebody else
        (
            {"image_signature_hash": {"allow": ["SHA-512"]}},
            {"img_signature_hash_method": "SHA-224"},
            "image_signature_hash",
        ),
        # a list is not taken away for one entry too many
        (
            {"disk_bus": ["virtio"]},
            {**listed(*[{}] * 257), "hw_disk_bus": "virtio"},
            "disk_bus",
        ),
    ],
)
def test_what_no_edit_helps(kinds, properties, stays):
    _, fix = found(allowing(kinds), of(properties))
    assert (edits(fix), left(fix), fix.complete) == ({}, [stays], True)


def test_what_can_be_fixed_is_fixed_beside_what_cannot():
    rules = allowing({"disk_bus": ["virtio"], "architecture": ["x86_64"]})
    properties = {"hw_disk_bus": "ide", "hw_architecture": "s390x"}
    _, fix = found(rules, of(properties))
    assert edits(fix) == {"hw_disk_bus": "virtio"}
    assert left(fix) == ["architecture"]


@pytest.mark.parametrize(
    ("kinds", "entries", "expected"),
    [
        (DISKS, [{}, {"disk_bus": "ide"}], {"[1].disk_bus": "virtio"}),
        (
            DISKS,
            [{"device_type": "lun", "disk_bus": "virtio"}],
            {"[0].device_type": "disk"},
        ),
        # without its device_type it is not a floppy
        ({"floppy_bus": []}, [{}, FLOPPY], {"[1].device_type": None}),
        (
            {"floppy_bus": [], "disk_bus": ["virt*"]},
            [{**FLOPPY, "disk_bus": "fdc"}],
            {"[0].disk_bus": None, "[0].device_type": None},
        ),
        # an entry that cannot be read says nothing any more
        (DISKS, [{}, 1], {"[1]": None}),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "mappings",
        "img_mappings",
        "block_device_mapping",
        "img_block_device_mapping",
    ],
)
def test_block_devices_of_an_image(name, kinds, entries, expected):
    rules = allowing(kinds)
    for value in (json.dumps(entries), entries):
        _, fix = found(rules, of({name: value}))
        named = {f"{name}{key}": text for key, text in expected.items()}
        assert (edits(fix), left(fix)) == (named, [])
        assert type(fix.draft.documents["image", OWN][name]) is type(value)


@pytest.mark.parametrize("operation", [UPDATE, SNAPSHOT])
@pytest.mark.parametrize(
    ("kinds", "before", "after", "expected"),
    [
        # another value, where there is one; else the change is not made
        (
            {"disk_bus": ["virtio"]},
            {},
            {"hw_disk_bus": "ide"},
            {"hw_disk_bus": "virtio"},
        ),
        (
            {"sound_model": []},
            {},
            {"hw_sound_model": "ac97"},
            {"hw_sound_model": None},
        ),
        (
            {"disk_bus": ["virtio"]},
            {"mappings": "[]"},
            listed({"disk_bus": "ide"}, {"disk_bus": "ide"}),
            {"mappings": None},
        ),
        # a pattern cannot be set as a value if the catalogue knows no match
        (
            {"machine_type": ["pc-q35-*"]},
            {"hw_machine_type": "pc-q35-9.2"},
            {"hw_machine_type": "pc-i440fx-9.2"},
            {"hw_machine_type": None},
        ),
        # a fix brings in no controller that a boot would be refused for
        (SCSI, {}, {"hw_disk_bus": "ide"}, ON_SCSI),
        (
            {"cdrom_bus": ["sata"]},
            {"img_config_drive": "mandatory"},
            {"img_config_drive": "mandatory", "hw_cdrom_bus": "ide"},
            {"hw_cdrom_bus": "sata"},
        ),
        # what the image had before is not charged to the change
        (
            {"disk_bus": ["virtio"], "sound_model": []},
            {"hw_disk_bus": "ide"},
            {"hw_disk_bus": "ide", "hw_sound_model": "ac97"},
            {"hw_sound_model": None},
        ),
    ],
)
def test_a_change_of_an_image(operation, kinds, before, after, expected):
    rules = allowing(kinds)
    _, fix = found(rules, change(before, after, operation))
    assert (edits(fix), left(fix)) == (expected, [])


def test_a_change_as_it_is_left():
    rules = allowing({"sound_model": [], "disk_bus": ["virtio"]})
    before = {"hw_sound_model": "ich6", "x": "1"}
    after = {"hw_sound_model": "ac97", "hw_disk_bus": "ide"}
    _, fix = found(rules, change(before, after, UPDATE))
    (document,) = fix.draft.documents.values()
    assert document == {"hw_sound_model": "ich6", "hw_disk_bus": "virtio"}


class Lookups(SimpleNamespace):
    """Look-ups that answer from given data and count the calls."""

    def __init__(self, **answers):
        super().__init__(asked=[], answers=answers)

    def __getattr__(self, name):
        def ask(*_args):
            self.asked.append(name)
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return ask


WHO = SimpleNamespace(project_id="p1", project_domain_id=None, roles=())
IMAGE = Image({"hw_disk_bus": "virtio"}, "qcow2", holder=OWN)
V2 = "block_device_mapping_v2"


def booting(find, server):
    """Return a boot request, and its reader."""

    def read(draft=None):
        again = draft.lookups(find) if draft else find
        body = {"server": server}
        reader = ServerReader(again, WHO)
        return reader.boot(again.body(body) if draft else body)

    return read(), read


def boot_lookups(**more):
    answers = {
        "boot_image": IMAGE,
        "boot_flavor": Flavor("m1", "1"),
        **more,
    }
    return Lookups(**answers)


@pytest.mark.parametrize(
    ("kinds", "server", "image", "expected"),
    [
        (
            DISKS,
            {V2: [{}, {"disk_bus": "ide"}]},
            IMAGE,
            ("block_device", None, f"{V2}[1].disk_bus", "virtio"),
        ),
        # a block device takes what the image can have
        (
            BUSES,
            {V2: [{}, {"disk_bus": "ide"}]},
            Image(ARM, "qcow2", holder=OWN),
            ("block_device", None, f"{V2}[1].disk_bus", "virtio"),
        ),
        (
            {"floppy_bus": []},
            {V2: [{}, FLOPPY]},
            IMAGE,
            ("block_device", None, f"{V2}[1].device_type", None),
        ),
        (
            {"floppy_bus": []},
            {"block_device_mapping": [FLOPPY]},
            IMAGE,
            ("block_device", None, f"{V2[:-3]}[0].device_type", None),
        ),
        # the bus of a CD-ROM that the body adds is the image's to say
        (
            {"cdrom_bus": ["sata"]},
            {V2: [{}, {"device_type": "cdrom"}]},
            IMAGE,
            ("image", "0ef1", "hw_cdrom_bus", "sata"),
        ),
        (
            {"cdrom_bus": []},
            {V2: [{}, {"device_type": "cdrom"}]},
            IMAGE,
            ("block_device", None, f"{V2}[1].device_type", None),
        ),
        (
            {"cdrom_bus": ["sata"]},
            {"config_drive": True},
            IMAGE,
            ("image", "0ef1", "hw_cdrom_bus", "sata"),
        ),
        (
            DISKS,
            {},
            Image(IDE, None, VOLUME, Holder("7701")),
            ("volume", "7701", "hw_disk_bus", "virtio"),
        ),
    ],
)
def test_the_body_of_a_boot(kinds, server, image, expected):
    find = boot_lookups(boot_image=image)
    request, read = booting(find, server)
    _, fix = found(allowing(kinds), request, read)
    assert not fix.left
    assert [tuple(each.values()) for each in fix.changes] == [expected]
    # the body itself stays what it was
    assert "virtio" not in json.dumps(server)


def test_a_flavor():
    specs = {"hw:tpm_model": "tpm-tis", "hw:tpm_version": "2.0"}
    find = boot_lookups(boot_flavor=Flavor("m1", "1", specs))
    request, read = booting(find, {})
    rules = allowing({"tpm_model": ["tpm-crb"], "tpm_version": []})
    _, fix = found(rules, request, read)
    assert {tuple(each.values())[::2] for each in fix.changes} == {
        ("flavor", "hw:tpm_model"),
        ("flavor", "hw:tpm_version"),
    }
    assert {*edits(fix).values()} == {None}
    # a flavor is chosen, not written: no value is tried
    judged = []
    rules = allowing({"tpm_version": ["1.2"]})
    found(rules, request, lambda draft: judged.append(draft) or read(draft))
    assert len(judged) == 2


def test_each_look_up_is_made_once():
    find = boot_lookups()
    server = {V2: [{"disk_bus": "ide"}] * 4}
    request, read = booting(find, server)
    find.asked.clear()
    _, fix = found(allowing(DISKS), request, read)
    assert len(edits(fix)) == 4
    assert sorted(find.asked) == ["boot_flavor", "boot_image"]


@pytest.mark.parametrize(
    ("error", "levels"),
    [
        (NotFound("gone"), []),
        (LookupFailed("busy"), []),
        # a fault of ours
        (ZeroDivisionError("odd"), [logging.ERROR]),
    ],
)
def test_without_an_answer_nothing_is_fixed(error, levels, caplog):
    caplog.set_level(logging.INFO)
    find = boot_lookups()
    request, read = booting(find, {V2: [{"disk_bus": "ide"}]})
    find.answers["boot_flavor"] = error
    refusals, fix = found(allowing(DISKS), request, read)
    assert (edits(fix), fix.left, fix.complete) == ({}, refusals, False)
    assert fix.draft.subject == request.subject
    assert [
        record.levelno for record in caplog.records if record.msg
    ] == levels
    assert all("odd" in str(record.exc_info) for record in caplog.records)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_without_a_reader_or_a_violation_nothing_is_searched(
    is_wanted, caplog
):
    rules = allowing(DISKS)
    request = ServerRequest(of(THREE).hardware, Subject(BOOT, "p1"))
    wanted = refusals_of(request, rules) if is_wanted else ()
    read = None if is_wanted else lambda _draft: request
    fix = search.fix(rules, wanted, request, TODAY, read)
    assert (edits(fix), fix.left, fix.complete) == ({}, wanted, False)
    assert not caplog.records


def server(properties, **more):
    hardware = Image(properties, holder=STORED).hardware()
    return Server(
        "s1", "p1", "0ef1", hardware=hardware, properties=properties, **more
    )


@pytest.mark.parametrize(
    ("method", "body", "kinds", "properties", "expected"),
    [
        *(
            (
                "attach_volume",
                {"volumeAttachment": {"volumeId": "v"}},
                # sata is named sda, and plugged in as scsi
                {"disk_bus": ["sata", "virtio"]},
                {"hw_disk_bus": bus, "hw_vif_model": "e1000"},
                ("hw_disk_bus", "virtio"),
            )
            for bus in ("ide", "sata")
        ),
        # a resize is by Nova's record of the image
        (
            "resize",
            {"resize": {"flavorRef": "2"}},
            {"vif_model": ["virtio"]},
            {"hw_vif_model": "virtio"},
            ("hw_vif_model", "virtio"),
        ),
    ],
)
def test_what_nova_keeps_of_an_image(
    method, body, kinds, properties, expected
):
    find = Lookups(
        server=server(properties),
        flavor=Flavor("m2", "2"),
        kept_devices=[KeptDevice("virtio", root=True)],
        recorded_image=Image({"hw_vif_model": "e1000"}, holder=STORED),
    )
    of_reader = {"attach_volume": ChangeReader, "resize": ServerReader}

    def read(draft=None):
        reader = of_reader[method](draft.lookups(find) if draft else find, WHO)
        return getattr(reader, method)("s1", body)

    request = read()
    assert request.subject.operation in (ATTACH, RESIZE)
    _, fix = found(allowing(kinds), request, read)
    assert not fix.left
    changes = [tuple(each.values()) for each in fix.changes]
    assert changes == [("server", None, *expected)]


RESCUER = Holder("4e5c", "p1", "raw")


def rescuing(own, properties=None, origin="image", **more):
    """Return a rescue request on scsi, and its reader."""

    def read(draft):
        plain = draft.image(Image(properties or {}, None, origin, own))
        on_scsi = {"hw_rescue_bus": "scsi", **more}
        disk = rescue_disk(draft.image(Image(on_scsi, "raw", holder=RESCUER)))
        hardware = replace(plain.hardware(), rescue_disk=disk)
        return ServerRequest(hardware, Subject(RESCUE, "p1"))

    return read(search.Draft(Subject(RESCUE, "p1"))), read


CONTROLLER = ("hw_scsi_model", "virtio-scsi")
SATA = {"hw_disk_bus": "sata"}


@pytest.mark.parametrize(
    ("buses", "own", "origin", "properties", "place", "edit"),
    [
        # the controller is the server's, and its image this project's
        (["scsi", "virtio"], OWN, "image", {}, "0ef1", CONTROLLER),
        (["scsi", "virtio"], Holder("7701"), VOLUME, {}, "7701", CONTROLLER),
        # no user of this project can change that image: another bus
        (
            ["scsi", "virtio"],
            FOREIGN,
            "image",
            {},
            "4e5c",
            ("hw_rescue_bus", "virtio"),
        ),
        (
            ["scsi", "virtio"],
            STORED,
            "image",
            {},
            "4e5c",
            ("hw_rescue_bus", "virtio"),
        ),
        (["scsi"], FOREIGN, "image", {}, "4e5c", ("hw_rescue_bus", None)),
        # unless that would not help
        (["scsi"], FOREIGN, "image", SATA, "f0e1", CONTROLLER),
        (["scsi"], STORED, "image", SATA, None, CONTROLLER),
        (
            ["scsi", "virtio"],
            FOREIGN,
            "image",
            {"hw_scsi_model": "lsilogic"},
            "f0e1",
            CONTROLLER,
        ),
        # of a CD-ROM: a bus that CD-ROMs have
        (
            ["scsi", "virtio", "sata"],
            FOREIGN,
            "image",
            CDROM,
            "4e5c",
            ("hw_rescue_bus", "sata"),
        ),
    ],
)
def test_the_controller_of_a_rescue_disk(
    buses, own, origin, properties, place, edit
):
    kinds = {"rescue_bus": buses, "scsi_model": ["virtio-scsi"]}
    if properties == SATA:
        kinds["disk_bus"] = ["sata"]
    rules = allowing(kinds)
    more = {"hw_rescue_device": "cdrom"} if properties is CDROM else {}
    properties = {} if more else properties
    request, read = rescuing(own, properties, origin, **more)
    _, fix = found(rules, request, read)
    assert not fix.left
    changes = [tuple(each.values())[1:] for each in fix.changes]
    assert changes == [(place, *edit)]


@pytest.mark.parametrize("origin", [SERVER, "passthrough", "domain"])
def test_what_is_in_no_document_is_left(origin):
    kept = DeviceChoice("disk_bus", "ide", "server's sda", "sda", origin)
    hardware = HardwareRequest(choices=(kept,), only=frozenset(("disk_bus",)))
    request = ServerRequest(hardware, Subject(REBUILD, "p1"))
    refusals, fix = found(allowing(DISKS), request, lambda _draft: request)
    assert (edits(fix), fix.left, fix.complete) == ({}, [*refusals], True)


def test_a_copy_is_judged_as_it_is_made():
    """A copy of another project's image has only what a command can set."""
    kinds = {"disk_bus": ["virtio"], "vif_model": ["virtio"]}
    properties = {
        "hw_disk_bus": "ide",
        "hw_vif_model": "virtio",
        "os_distro": "plan 9",
        "x": "y",
        "disk_format": "qcow2",
        **listed({"disk_bus": "ide"}),
    }
    _, fix = found(allowing(kinds), of(properties, holder=FOREIGN))
    assert not fix.left
    (copy,) = fix.draft.documents.values()
    assert copy == {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}


@pytest.mark.parametrize(
    ("images", "holder", "expected"),
    [
        # what a copy of the image would not be exempt from
        ([FOREIGN.id], FOREIGN, {"hw_vif_model": "virtio"}),
        (None, FOREIGN, {}),
        ([OWN.id], OWN, {}),
    ],
)
def test_an_exemption_of_an_image_is_not_one_of_its_copy(
    images, holder, expected
):
    exemption = {
        "id": "old",
        "reason": "its driver",
        "projects": ["p1"],
        "rules": {"guest_devices.vif_model": ["e1000"]},
        "until": TODAY.isoformat(),
        **({"images": images} if images else {}),
    }
    kinds = {"disk_bus": ["virtio"], "vif_model": ["virtio"]}
    rules = allowing(kinds, exemptions=[exemption])
    _, fix = found(rules, of(TWO, holder=holder))
    assert edits(fix) == {"hw_disk_bus": "virtio", **expected}


@pytest.mark.parametrize(
    ("origin", "holder", "project", "foreign"),
    [
        ("image", FOREIGN, "p1", True),
        ("image", OWN, "p1", False),
        ("image", Holder("0ef1"), "p1", False),
        # what Nova keeps has no owner
        ("image", STORED, "p1", False),
        ("image", FOREIGN, None, False),
        # a volume is its project's alone
        (VOLUME, FOREIGN, "p1", False),
    ],
)
def test_whose_an_image_is(origin, holder, project, foreign):
    subject = Subject(REBUILD, project)
    assert search.is_foreign((origin, holder), subject) is foreign


MODES = {
    "disk_bus": {"allow": ["virtio"], "mode": "enforce"},
    "vif_model": {"allow": ["virtio"], "mode": "warn"},
    "sound_model": {"allow": [], "mode": "audit"},
}
THREE = {
    "hw_disk_bus": "ide",
    "hw_vif_model": "e1000",
    "hw_sound_model": "ac97",
}


@pytest.mark.parametrize(
    ("kinds", "fixed"),
    [
        (["disk_bus"], {"hw_disk_bus": "virtio"}),
        (["vif_model"], {"hw_vif_model": "virtio"}),
        (
            ["disk_bus", "sound_model"],
            {"hw_disk_bus": "virtio", "hw_sound_model": None},
        ),
    ],
)
def test_violations_that_are_asked_about(kinds, fixed):
    rules = policy(guest_devices=MODES)
    request = of(THREE)
    wanted = [
        violation
        for violation in request.verdict(rules, TODAY).violations
        if violation.choice.kind in kinds
    ]
    fix = search.fix(rules, wanted, request, TODAY)
    assert (edits(fix), fix.left) == (fixed, [])


def test_a_fix_brings_in_nothing_as_strict():
    """A fix of a warning must not cause a refusal."""
    rules = policy(
        guest_devices={
            "disk_bus": {"allow": ["scsi"], "mode": "warn"},
            "scsi_model": {"allow": ["buslogic"]},
        }
    )
    request = of({"hw_disk_bus": "virtio"})
    warnings = request.verdict(rules, TODAY).warnings
    fix = search.fix(rules, warnings, request, TODAY)
    assert (edits(fix), fix.left) == ({}, list(warnings))


def counted(rules, request, monkeypatch, **bounds):
    """Return the result within other limits, and the number of judgements."""
    for name, value in bounds.items():
        monkeypatch.setattr(search, name, value)
    judged = []

    def read(draft):
        judged.append(draft)
        edited = draft.image(request.image)
        return replace(request, hardware=edited.hardware(), image=None)

    refusals = request.verdict(rules, TODAY).refusals
    plain = replace(request, image=None)
    return search.fix(rules, refusals, plain, TODAY, read), len(judged)


MOST = search.MOST_VIOLATIONS
LUN = {"device_type": "lun", "disk_bus": "virtio"}
#: One of these has no allowed value that Nova could have.
ONE_HELPS = {"vif_model": ["lan9118"], "disk_bus": ["virtio"]}


@pytest.mark.parametrize(
    ("kinds", "properties", "bounds", "most", "edited", "complete"),
    [
        # by violations; those that are alike are fixed at once
        (["virtio"], listed(*[IDE_DISK] * MOST), {}, 3, MOST, True),
        (["virtio"], listed(*[IDE_DISK] * (MOST + 1)), {}, 1, 0, False),
        (
            {"disk_bus": ["virtio"], "device_type": ["disk"]},
            # as it is, the first, all like it, the other
            listed(IDE_DISK, {}, IDE_DISK, LUN, IDE_DISK, IDE_DISK),
            {},
            4,
            5,
            True,
        ),
        # by judgements: whether anything else helps is not known
        *(
            (ONE_HELPS, TWO, {"MOST_JUDGEMENTS": most}, most, None, False)
            for most in (1, 2, 3)
        ),
        # what found all before its bound is complete
        (["virtio"], IDE, {"MOST_JUDGEMENTS": 2}, 2, 1, True),
        # as it is; on scsi, without the bus: without a controller, twice
        ({**SCSI, "scsi_model": ["buslogic"]}, IDE, {}, 5, 0, True),
    ],
)
def test_a_search_is_bounded(
    kinds, properties, bounds, most, edited, complete, monkeypatch
):
    kinds = {"disk_bus": kinds} if isinstance(kinds, list) else kinds
    rules = allowing(kinds)
    fix, judged = counted(rules, of(properties), monkeypatch, **bounds)
    assert judged <= most if edited is None else judged == most
    assert fix.complete is complete
    assert bool(fix.left) is (not complete or not edited)
    assert edited in (None, len(edits(fix)))


def test_needless_edits_are_dropped_within_the_bound(monkeypatch):
    rules = allowing({**NONE_EMULATED, **UEFI, **SCSI, "pmu": []})
    request = of({"hw_emulation_architecture": "s390x", "hw_pmu": "true"})
    fix, most = counted(rules, request, monkeypatch)
    assert not fix.left
    for bound in range(1, most):
        within = {"MOST_JUDGEMENTS": bound}
        _, judged = counted(rules, request, monkeypatch, **within)
        assert judged == bound


def test_a_search_is_bounded_by_the_threads_processor_time(monkeypatch):
    rules = allowing({"vif_model": ["lan9118"]})
    clock = iter(range(9)).__next__
    monkeypatch.setattr(search.time, "thread_time", clock)
    fix, judged = counted(rules, of(TWO), monkeypatch, MOST_SECONDS=1)
    assert (judged, fix.complete) == (2, False)


def test_the_order_of_a_search_is_fixed():
    rules = policy(guest_devices=MODES)
    backwards = dict(reversed(THREE.items()))
    results = [found(rules, of(each))[1] for each in (THREE, backwards)]
    assert [list(edits(fix).items()) for fix in results] == [
        [("hw_disk_bus", "virtio")]
    ] * 2


def test_an_upload_has_no_id_yet():
    _, fix = found(allowing(DISKS), of(IDE, UPLOAD, NOBODY))
    changes = [tuple(each.values()) for each in fix.changes]
    assert changes == [("image", None, "hw_disk_bus", "virtio")]


def test_one_change_may_make_room_for_another():
    """The property is removed once no floppy needs it."""
    rules = allowing({**DISKS, "floppy_bus": []})
    floppy = {"device_type": "floppy", "disk_bus": "uml"}
    _, fix = found(rules, of({"hw_floppy_bus": "usb", **listed(floppy)}))
    # Without a floppy the property says nothing, so it may stay.
    assert "hw_floppy_bus" not in edits(fix)
    assert left(fix) == []


def test_a_list_that_is_too_long_stays_so():
    entries = [{"x": "y" * 400, "device_type": "disk"}] * 200
    _, fix = found(allowing(DISKS), of({**listed(*entries), **VIRTIO}))
    assert (edits(fix), left(fix)) == ({}, ["disk_bus"])

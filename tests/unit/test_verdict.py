# SPDX-License-Identifier: Apache-2.0
"""Verdicts on requests: modes, moves, exemptions, changes."""

import pytest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.policy.hardware import (
    CDROM,
    CONFIG_DRIVE,
    DISK,
    FLOPPY,
    NIC,
    ROOT,
    Device,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import BOOT, MOVE, REBUILD, UNSHELVE, Subject
from nova_vhard.policy.verdict import (
    evaluate,
    introduced_violations,
    keys_of,
    soften,
)
from nova_vhard.request import compose, image
from tests.unit.helpers import TODAY, broken, judge, policy

RULES = {
    "disk_bus": {"allow": ["virtio", "scsi"]},
    "vif_model": {"allow": ["virtio"]},
    "machine_type": {"allow": ["q35", "pc-q35-*"], "mode": "warn"},
    "scsi_model": {"allow": ["virtio-scsi"]},
}
Q35 = {"machine_type": {"x86_64": "q35"}}
OLD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}


def make(**keys):
    return policy(**{"guest_devices": RULES, "assume": Q35, **keys})


def exemption(**keys):
    return {
        "id": "legacy",
        "reason": "r",
        "until": "2026-06-15",
        "rules": {"guest_devices.disk_bus": ["ide"]},
        **keys,
    }


def test_all_violations_at_once():
    verdict = judge(make(), OLD)
    assert verdict.outcome == "refuse"
    assert broken(verdict) == {("disk_bus", "ide"), ("vif_model", "e1000")}


IN_AUDIT = {"projects": [{"projects": ["p1"], "mode": "audit"}]}
LAB = {"projects": [{"domains": ["d1"], "mode": "warn"}]}


@pytest.mark.parametrize(
    ("keys", "properties", "who", "outcome"),
    [
        ({}, {}, {}, "allow"),
        ({"guest_devices": {}}, OLD, {}, "allow"),
        ({}, {"hw_disk_bus": "virtio"}, {}, "allow"),
        ({"enabled": False}, OLD, {}, "disabled"),
        # patterns
        ({}, {"hw_machine_type": "pc-q35-9.2"}, {}, "allow"),
        ({}, {"hw_machine_type": "pc-i440fx-9.2"}, {}, "warn"),
        ({"mode": "enforce"}, OLD, {}, "refuse"),
        ({"mode": "warn"}, OLD, {}, "warn"),
        ({"mode": "audit"}, OLD, {}, "audit"),
        (IN_AUDIT, OLD, {"project": "p1"}, "audit"),
        (IN_AUDIT, OLD, {"project": "p2"}, "refuse"),
        (LAB, OLD, {"domain": "d1"}, "warn"),
        # A subject without a domain is in no domain.
        (LAB, OLD, {"domain": None}, "refuse"),
        # A rule's own mode comes before the project's.
        (IN_AUDIT, {"hw_machine_type": "pc"}, {"project": "p1"}, "warn"),
    ],
)
def test_which_mode_holds(keys, properties, who, outcome):
    verdict = judge(make(**keys), properties, **who)
    assert verdict.outcome == outcome
    assert not (verdict.violations and outcome in ("allow", "disabled"))


@pytest.mark.parametrize(
    ("moves", "mode", "outcome"),
    [
        ("warn", "enforce", "warn"),
        ("audit", "enforce", "audit"),
        ("enforce", "enforce", "refuse"),
        ("enforce", "audit", "audit"),
        ("warn", "audit", "audit"),
    ],
)
def test_a_move_is_never_judged_harder_than_moves_says(moves, mode, outcome):
    rules = make(mode=mode, moves={"guest_devices": moves})
    assert judge(rules, OLD, operation=MOVE).outcome == outcome


IDE = image.read({"hw_disk_bus": "ide"})
IDE_CDROM = image.read({"hw_cdrom_bus": "ide"})
#: On the bus that Nova picks on pc.
DRIVE = image.read({"hw_machine_type": "pc"})
SDA, SDB = Device(DISK, "disk sda"), Device(DISK, "disk sdb")
CONFIG = Device(CDROM, CONFIG_DRIVE)
OTHER_CDROM = Device(CDROM, "cdrom hda")


def one_disk(bus, device):
    """Return a guest with a choice for a single disk."""
    choice = DeviceChoice("disk_bus", bus, "a server", device=device.name)
    return HardwareRequest((choice,), ())


def plus(request, *devices):
    return request.plus(devices=devices)


@pytest.mark.parametrize(
    ("had", "gets", "mode", "devices"),
    [
        # the same device with the same value
        (IDE, IDE, "warn", {ROOT}),
        (one_disk("ide", SDA), one_disk("ide", SDA), "warn", {SDA.name}),
        (plus(IDE_CDROM, CONFIG),) * 2 + ("warn", {CONFIG.name}),
        (plus(DRIVE, CONFIG),) * 2 + ("warn", {CONFIG.name}),
        # by another choice
        (plus(DRIVE, CONFIG), plus(IDE_CDROM, CONFIG), "warn", {CONFIG.name}),
        # another device with the same value
        (one_disk("ide", SDA), one_disk("ide", SDB), "enforce", {SDB.name}),
        (IDE, one_disk("ide", SDB), "enforce", {SDB.name}),
        (
            plus(IDE_CDROM, CONFIG),
            plus(IDE_CDROM, OTHER_CDROM),
            "enforce",
            {OTHER_CDROM.name},
        ),
        # the same device with another value
        (one_disk("ide", SDA), one_disk("sata", SDA), "enforce", {SDA.name}),
        (IDE, image.read({"hw_disk_bus": "sata"}), "enforce", {ROOT}),
        # what Nova recorded for a CD-ROM that was not there
        (IDE_CDROM, plus(IDE_CDROM, CONFIG), "enforce", {CONFIG.name}),
        # of several devices each was there, or not
        (plus(IDE, SDB), plus(IDE, SDB), "warn", {ROOT, SDB.name}),
        (plus(IDE, SDB), IDE, "warn", {ROOT}),
        (IDE, plus(IDE, SDB), "enforce", {ROOT, SDB.name}),
    ],
)
def test_a_device_that_the_server_had_with_this_value_is_a_moves(
    had, gets, mode, devices
):
    rules = make(
        guest_devices={
            "disk_bus": {"allow": ["virtio"]},
            "cdrom_bus": {"allow": ["sata"]},
        },
        moves={"guest_devices": "warn"},
    )
    already = keys_of(evaluate(rules, had, Subject(BOOT, "p1"), TODAY))
    verdict = evaluate(rules, gets, Subject(REBUILD, "p1"), TODAY, already)
    (violation,) = verdict.violations
    assert (violation.mode, violation.devices) == (mode, devices)


@pytest.mark.parametrize(
    ("selector", "who", "lifted"),
    [
        ({"projects": ["p1"]}, {"project": "p1"}, True),
        ({"projects": ["p1"]}, {"project": "p2"}, False),
        ({"projects": ["p1"]}, {"project": None}, False),
        ({"domains": ["d1"]}, {"domain": "d1"}, True),
        ({"domains": ["d1"]}, {}, False),
        ({"flavors": ["f"]}, {"flavor": "f"}, True),
        ({"flavors": ["42"]}, {"flavor_id": "42"}, True),
        ({"flavors": ["f"]}, {"flavor": "g"}, False),
        ({"roles": ["Legacy"]}, {"roles": frozenset(("legacy",))}, True),
        ({"roles": ["legacy"]}, {"roles": frozenset()}, False),
        ({"projects": ["p1"], "images": ["i"]}, {"image": "i"}, True),
        ({"projects": ["p1"], "images": ["i"]}, {"image": "j"}, False),
        ({"projects": ["p2"], "images": ["i"]}, {"image": "i"}, False),
        ({"projects": ["p1"], "roles": ["r"]}, {}, False),
    ],
)
def test_whom_an_exemption_covers(selector, who, lifted):
    rules = make(exemptions=[exemption(**selector)])
    verdict = judge(rules, {"hw_disk_bus": "ide"}, **who)
    assert verdict.outcome == ("allow" if lifted else "refuse")
    assert [name for _, name in verdict.exempted] == ["legacy"] * lifted


EXPLICIT = {"guest_devices": {"disk_bus": {"allow": [], "explicit": True}}}
EXPLICIT["assume"] = {}
UBUNTU = {"os_distro": "ubuntu"}


@pytest.mark.parametrize(
    ("keys", "rules", "properties", "left"),
    [
        ({}, {}, OLD, {("vif_model", "e1000")}),
        ({}, {}, {"hw_disk_bus": "fdc"}, {("disk_bus", "fdc")}),
        # Only one for any value lifts a value that is not known.
        (EXPLICIT, {}, UBUNTU, {("disk_bus", None)}),
        (EXPLICIT, {"guest_devices.disk_bus": "*"}, UBUNTU, set()),
    ],
)
def test_an_exemption_lifts_only_what_it_names(keys, rules, properties, left):
    entry = exemption(projects=["p1"], **({"rules": rules} if rules else {}))
    rules = make(exemptions=[entry], **keys)
    assert broken(judge(rules, properties)) == left


@pytest.mark.parametrize(
    ("before", "after", "touched", "refused"),
    [
        # A new name for an old image is nobody's fault.
        (OLD, OLD, {"name"}, set()),
        # What is touched must be right afterwards.
        (OLD, OLD, {"hw_disk_bus"}, {"disk_bus"}),
        (OLD, {**OLD, "hw_disk_bus": "virtio"}, {"hw_disk_bus"}, set()),
        # What comes in is charged, wherever it comes from.
        ({}, OLD, {"hw_disk_bus", "hw_vif_model"}, {"disk_bus", "vif_model"}),
        (
            {"vmware_adaptertype": "ide", "hw_disk_bus": "virtio"},
            {"vmware_adaptertype": "ide"},
            {"hw_disk_bus"},
            {"disk_bus"},
        ),
        # What it sets, in any order, and not the defaults that it brings in.
        ({}, {"hw_disk_bus": "scsi"}, {"hw_disk_bus"}, set()),
        (
            {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"},
            {"hw_disk_bus": "scsi"},
            {"hw_scsi_model"},
            set(),
        ),
        ({}, {"hw_scsi_model": "lsilogic"}, {"hw_scsi_model"}, {"scsi_model"}),
        # A property that cannot be judged has no kind.
        ({}, {"base_image_ref": "x"}, {"base_image_ref"}, {""}),
    ],
)
def test_what_a_change_is_charged_with(before, after, touched, refused):
    verdict = introduced_violations(
        judge(make(), after), judge(make(), before), frozenset(touched)
    )
    assert {each.cause.kind for each in verdict.refusals} == refused


VIRTIO = {"allow": ["virtio"]}
DISTRO = {"os_distro": "windows"}
PC = {"machine_type": {"x86_64": "pc"}}
MANDATORY = {"img_config_drive": "mandatory"}
PS2 = {"pointer_model": "ps2mouse"}


# Kind and rule; what is explicit, properties, and what the policy assumes;
# what is refused as missing, or as a default.
@pytest.mark.parametrize(
    ("kind", "allow", "properties", "assume", "explicit", "default"),
    [
        # a default that is known and allowed need not be said
        ("disk_bus", "virtio", {}, {}, [], []),
        ("disk_bus", "scsi", {}, {}, ["virtio"], ["virtio"]),
        # libosinfo picks what cannot be known
        ("disk_bus", "virtio", DISTRO, {}, [None], []),
        ("disk_bus", "virtio", DISTRO, {"libosinfo": False}, [], []),
        # said by the image itself
        ("disk_bus", "virtio", {"hw_disk_bus": "virtio"}, {}, [], []),
        (
            "secure_boot",
            "required",
            {"os_secure_boot": "required"},
            {},
            [],
            [],
        ),
        # no device is picked: only for who has to say it
        ("secure_boot", "required", {}, {}, ["disabled"], []),
        ("hpet", "true", {}, {}, ["false"], []),
        ("hpet", "false", {}, {}, [], []),
        ("watchdog_action", "reset", {}, {}, ["disabled"], []),
        ("redirected_usb_ports", "4", {}, {}, ["0"], []),
        ("usb_model", "qemu-xhci", {}, PS2, ["none"], []),
        # one default for every guest
        ("serial_port_count", "0", {}, {}, ["1"], ["1"]),
        ("serial_port_count", "1", {}, {}, [], []),
        ("vm_mode", "xen", {}, {}, ["hvm"], ["hvm"]),
        # a default that the host decides
        ("image_signature", "?*", {}, {}, [None], []),
        ("tpm_version", "2.0", {}, {}, [None], []),
        # a device that the guest does not get
        ("cdrom_bus", "sata", {}, PC, [], []),
        ("cdrom_bus", "sata", MANDATORY, PC, ["ide"], ["ide"]),
        ("scsi_model", "virtio-scsi", {}, {}, [], []),
        (
            "scsi_model",
            "virtio-scsi",
            {"hw_disk_bus": "scsi"},
            {},
            ["lsilogic"],
            ["lsilogic"],
        ),
        ("tpm_model", "tpm-crb", {}, {}, [], []),
        (
            "tpm_model",
            "tpm-crb",
            {"hw_tpm_version": "2.0"},
            {},
            ["tpm-tis"],
            ["tpm-tis"],
        ),
        ("mem_encryption_model", "amd-sev-snp", {}, {}, [], []),
        (
            "mem_encryption_model",
            "amd-sev-snp",
            {"hw_mem_encryption": "true"},
            {},
            ["amd-sev"],
            ["amd-sev"],
        ),
        ("input_bus", "virtio", {}, PS2, [], []),
        ("input_bus", "virtio", {}, {}, ["usb"], ["usb"]),
        ("usb_model", "none", {}, PS2, [], []),
        ("usb_model", "none", {}, {}, ["piix3-uhci"], ["piix3-uhci"]),
        # by the flavor, which is not known here
        ("rng_model", "virtio", {}, {}, [], []),
        ("pmu", "true", {}, {}, [], []),
    ],
)
def test_what_is_not_set(kind, allow, properties, assume, explicit, default):
    for must, expected in ((True, explicit), (False, default)):
        rule = {"allow": [allow], "explicit": must}
        rules = policy(guest_devices={kind: rule}, assume=assume)
        found = judge(rules, properties).violations
        assert [each.cause.value for each in found] == expected
        for each in found:
            assert each.rule == f"guest_devices.{kind}"
            assert each.missing is must
            assert each.cause.implied
            setting = KINDS[kind].image_properties[0]
            assert each.cause.setting == setting
            assert each.cause.source == f"image property {setting} (not set)"


@pytest.mark.parametrize(
    ("kind", "allow", "specs", "refused"),
    [
        ("rng", "false", {}, ["true"]),
        ("rng", "false", {"hw_rng:allowed": "false"}, []),
        ("pmu", "true", {}, []),
        ("pmu", "false", {"hw:pmu": "true"}, ["true"]),
    ],
)
def test_what_depends_on_the_flavor_is_judged_with_one(
    kind, allow, specs, refused
):
    rules = policy(guest_devices={kind: {"allow": [allow]}})
    request = compose.with_specs(HardwareRequest(), specs)
    verdict = evaluate(rules, request, Subject(BOOT), TODAY)
    assert [each.cause.value for each in verdict.violations] == refused


@pytest.mark.parametrize(
    ("properties", "devices", "refused"),
    [
        # Nova records this bus with each server.
        ({"hw_cdrom_bus": "ide"}, [], {}),
        ({"hw_cdrom_bus": "ide"}, [CONFIG], {"cdrom_bus": {CONFIG.name}}),
        (
            {"hw_cdrom_bus": "ide"},
            [CONFIG, OTHER_CDROM],
            {"cdrom_bus": {CONFIG.name, OTHER_CDROM.name}},
        ),
        ({"hw_floppy_bus": "fdc"}, [], {}),
        (
            {"hw_floppy_bus": "fdc"},
            [Device(FLOPPY, "floppy 0")],
            {"floppy_bus": {"floppy 0"}},
        ),
        ({"hw_disk_bus": "ide"}, [], {}),
        ({"hw_disk_bus": "ide"}, [SDA], {"disk_bus": {SDA.name}}),
        ({"hw_vif_model": "e1000"}, [SDA], {}),
        ({"hw_vif_model": "e1000"}, [Device(NIC, "n")], {"vif_model": {"n"}}),
        # The tablet is on the input bus.
        ({"hw_pointer_model": "usbtablet"}, [], {"pointer_model": {""}}),
        (
            {"hw_pointer_model": "usbtablet", "hw_input_bus": "virtio"},
            [],
            {"input_bus": {""}},
        ),
        ({"hw_input_bus": "usb"}, [], {"input_bus": {""}}),
    ],
)
def test_a_value_is_judged_for_the_devices_that_take_it(
    properties, devices, refused
):
    kinds = (
        *("disk_bus", "cdrom_bus", "floppy_bus", "vif_model"),
        *("input_bus", "pointer_model"),
    )
    rules = policy(
        guest_devices={kind: {"allow": []} for kind in kinds},
        assume=PS2,
    )
    choices = image.read(properties).choices
    request = HardwareRequest(choices, tuple(devices))
    verdict = evaluate(rules, request, Subject(BOOT), TODAY)
    assert {
        each.choice.kind: each.devices
        for each in verdict.violations
        if each.choice.implied is None
    } == refused


SIGNED = {
    "image_signature": {"allow": ["?*"], "explicit": True},
    "disk_bus": {"allow": ["virtio"]},
}


@pytest.mark.parametrize("operation", [MOVE, UNSHELVE])
def test_a_server_that_goes_on_needs_no_signature(operation):
    rules = policy(guest_devices=SIGNED, moves={"guest_devices": "enforce"})
    assert judge(rules, {}, operation=operation).outcome == "allow"
    verdict = judge(rules, {"hw_disk_bus": "ide"}, operation=operation)
    assert verdict.rules == ["guest_devices.disk_bus"]
    assert judge(rules, {}, operation=REBUILD).outcome == "refuse"


@pytest.mark.parametrize(
    ("mode", "outcomes"),
    [
        (Mode.ENFORCE, ["enforce", "warn"]),
        (Mode.WARN, ["warn", "warn"]),
        (Mode.AUDIT, ["audit", "audit"]),
    ],
)
def test_softened_is_nowhere_harder(mode, outcomes):
    verdict = judge(make(), {"hw_disk_bus": "ide", "hw_machine_type": "pc"})
    softer = soften(verdict, mode)
    assert sorted(str(each.mode) for each in softer.violations) == outcomes
    assert broken(softer) == broken(verdict)
    assert softer.policy == verdict.policy

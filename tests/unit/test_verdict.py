# SPDX-License-Identifier: Apache-2.0
"""Verdicts: modes, moves, exemptions, changes and host devices."""

import datetime
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.policy import hardware, hosts, model, subject, verdict
from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    CDROM,
    CONFIG_DRIVE,
    DISK,
    FLOPPY,
    IMAGE,
    NIC,
    ROOT,
    VOLUME,
    Device,
    DeviceChoice,
    HardwareRequest,
    Holder,
    Passthrough,
)
from nova_vhard.policy.subject import (
    ATTACH,
    BOOT,
    MOVE,
    REBUILD,
    RESCUE,
    START,
    Subject,
)
from nova_vhard.policy.verdict import (
    ViolationKey,
    introduced_violations,
    keys_of,
    soften,
    violated,
)
from nova_vhard.request import (
    compose,
    image,
    passthrough,
    server_request,
)
from tests.unit.explain.requests import edits, found, of
from tests.unit.helpers import (
    DATA,
    TODAY,
    broken,
    evaluated,
    judge,
    policy,
    shipped,
)

RULES = {
    "disk_bus": {"allow": ["virtio", "scsi"]},
    "vif_model": {"allow": ["virtio"]},
    "machine_type": {"allow": ["q35", "pc-q35-*"], "mode": "warn"},
    "scsi_model": {"allow": ["virtio-scsi"]},
}
DISK_RULE = "guest_devices.disk_bus"
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


IN_AUDIT = {"projects": [{"projects": ["p1"], "mode": "audit"}]}
LAB = {"projects": [{"domains": ["d1"], "mode": "warn"}]}
IDE_DISK = {"hw_disk_bus": "ide"}
SIGNATURE = {"allow": ["?*"], "explicit": True}
#: A move or an unshelve needs no signature.
SIGNED = {
    "guest_devices": {
        "image_signature": SIGNATURE,
        "disk_bus": {"allow": ["virtio"]},
    },
    "moves": {"guest_devices": "enforce"},
}


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
        # A move is never judged more strictly than "moves" says.
        *(
            (
                {"mode": mode, "moves": {"guest_devices": moves}},
                OLD,
                {"operation": subject.MOVE},
                outcome,
            )
            for moves, mode, outcome in (
                ("warn", "enforce", "warn"),
                ("audit", "enforce", "audit"),
                ("enforce", "enforce", "refuse"),
                ("enforce", "audit", "audit"),
                ("warn", "audit", "audit"),
            )
        ),
        (SIGNED, {}, {"operation": subject.REBUILD}, "refuse"),
        *(
            (SIGNED, properties, {"operation": operation}, outcome)
            for properties, outcome in (({}, "allow"), (IDE_DISK, "refuse"))
            for operation in (subject.MOVE, subject.UNSHELVE)
        ),
    ],
)
def test_which_mode_holds(keys, properties, who, outcome):
    verdict = judge(make(**keys), properties, **who)
    assert verdict.outcome == outcome
    assert not (verdict.violations and outcome in ("allow", "disabled"))


IDE = image.read({"hw_disk_bus": "ide"})
IDE_CDROM = image.read({"hw_cdrom_bus": "ide"})
#: On the bus that Nova picks on pc.
DRIVE = image.read({"hw_machine_type": "pc"})
SDA, SDB = Device(DISK, "disk sda"), Device(DISK, "disk sdb")
CONFIG, OTHER_CDROM = Device(CDROM, CONFIG_DRIVE), Device(CDROM, "cdrom hda")


def one_disk(bus, device):
    """Return a guest with a choice for a single disk."""
    return HardwareRequest(
        (DeviceChoice("disk_bus", bus, "a server", device=device.name),), ()
    )


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
    (violation,) = evaluated(
        rules, gets, keys_of(evaluated(rules, had)), operation=subject.REBUILD
    ).violations
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
    verdict = judge(
        make(exemptions=[exemption(**selector)]), {"hw_disk_bus": "ide"}, **who
    )
    assert (verdict.outcome, [name for _, name in verdict.exempted]) == (
        ("allow" if lifted else "refuse"),
        (["legacy"] * lifted),
    )


EXPLICIT = {"guest_devices": {"disk_bus": {"allow": [], "explicit": True}}}
EXPLICIT["assume"] = {}
UBUNTU = {"os_distro": "ubuntu"}


@pytest.mark.parametrize(
    ("keys", "rules", "properties", "left"),
    [
        ({}, {}, OLD, {("vif_model", "e1000")}),
        ({}, {}, {"hw_disk_bus": "fdc"}, {("disk_bus", "fdc")}),
        ({}, {DISK_RULE: ["i*"]}, IDE_DISK, set()),
        ({}, {DISK_RULE: ["sata"]}, IDE_DISK, {("disk_bus", "ide")}),
        # Only one for any value lifts a value that is not known.
        (EXPLICIT, {}, UBUNTU, {("disk_bus", None)}),
        (EXPLICIT, {DISK_RULE: ["*o*"]}, UBUNTU, {("disk_bus", None)}),
        (EXPLICIT, {DISK_RULE: ["*"]}, UBUNTU, set()),
        (EXPLICIT, {DISK_RULE: "*"}, UBUNTU, set()),
        # any spelling of true and false
        (
            {"guest_devices": {"pmu": {"allow": ["false"]}}},
            {"guest_devices.pmu": ["*"]},
            {"hw_pmu": "true"},
            set(),
        ),
    ],
)
def test_an_exemption_lifts_only_what_it_names(keys, rules, properties, left):
    rules = make(
        exemptions=[
            exemption(projects=["p1"], **({"rules": rules} if rules else {}))
        ],
        **keys,
    )
    assert broken(judge(rules, properties)) == left


@pytest.mark.parametrize(
    ("before", "after", "touched", "refused"),
    [
        # An old image may be renamed.
        (OLD, OLD, {"name"}, set()),
        # Touched properties must comply after the change.
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
    assert {
        each.cause.what
        for each in introduced_violations(
            judge(make(), after), judge(make(), before), frozenset(touched)
        ).refusals
    } == refused


VIRTIO, DISTRO = {"allow": ["virtio"]}, {"os_distro": "windows"}
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
    setting = KINDS[kind].image_properties[0]
    place = setting, f"image property {setting} (not set)"
    for must, expected in ((True, explicit), (False, default)):
        found = judge(
            policy(
                guest_devices={kind: {"allow": [allow], "explicit": must}},
                assume=assume,
            ),
            properties,
        ).violations
        assert [each.cause.value for each in found] == expected
        assert {
            (
                *(each.rule, each.missing, each.cause.choice.setting),
                each.cause.where,
            )
            for each in found
        } <= {(f"guest_devices.{kind}", must, *place)}
        assert all(each.cause.choice.implied for each in found)


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
    assert [
        each.cause.value
        for each in evaluated(
            {"guest_devices": {kind: {"allow": [allow]}}},
            compose.with_specs(HardwareRequest(), specs),
        ).violations
    ] == refused


TAKING = (
    *("disk_bus", "cdrom_bus", "floppy_bus", "vif_model"),
    *("input_bus", "pointer_model"),
)


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
    assert {
        each.cause.what: each.devices
        for each in evaluated(
            policy(
                guest_devices={kind: {"allow": []} for kind in TAKING},
                assume=PS2,
            ),
            HardwareRequest(image.read(properties).choices, tuple(devices)),
        ).violations
        if each.cause.choice.implied is None
    } == refused


@pytest.mark.parametrize(
    ("mode", "outcomes"),
    [
        (model.Mode.ENFORCE, ["enforce", "warn"]),
        (model.Mode.WARN, ["warn", "warn"]),
        (model.Mode.AUDIT, ["audit", "audit"]),
    ],
)
def test_softened_is_nowhere_harder(mode, outcomes):
    verdict = judge(make(), {"hw_disk_bus": "ide", "hw_machine_type": "pc"})
    softer = soften(verdict, mode)
    assert sorted(str(each.mode) for each in softer.violations) == outcomes
    assert (broken(softer), softer.policy) == (broken(verdict), verdict.policy)


def of_image(holder):
    return image.read(IDE_DISK, holder=Holder(holder))


def of_volume(made_of):
    return image.read(
        IDE_DISK, origin=VOLUME, holder=Holder("v1", made_of=made_of)
    )


IN_BODY = HardwareRequest(
    (
        DeviceChoice(
            "disk_bus", "ide", "s", origin=BLOCK_DEVICE, holder=Holder("i2")
        ),
    )
)


@pytest.mark.parametrize(
    ("exempt", "named", "request_", "outcome"),
    [
        # the image of the server, and the rescue image
        ("i1", "i1", of_image("i1"), "allow"),
        ("i1", "i1", of_image("i2"), "refuse"),
        ("i2", "i1", of_image("i2"), "allow"),
        ("i2", "i1", of_image("i1"), "refuse"),
        # a choice without a known image
        ("i1", "i1", of_image(None), "allow"),
        ("i1", None, of_image("i1"), "allow"),
        ("i1", None, of_image(None), "refuse"),
        # a volume and, in a rescue, the rescue image
        ("i1", None, of_volume("i1"), "allow"),
        ("i1", "i2", of_volume("i1"), "allow"),
        ("i1", "i1", of_volume("i2"), "refuse"),
        ("i1", "i1", of_volume(None), "refuse"),
        ("i1", None, of_volume(None), "refuse"),
        *(
            ("v1", named, of_volume(made_of), "refuse")
            for named in (None, "i1", "i2")
            for made_of in (None, "i1", "i2")
        ),
        # a choice that does not come from the image belongs to the request
        ("i1", "i1", IN_BODY, "allow"),
        ("i1", "i2", IN_BODY, "refuse"),
    ],
)
def test_the_image_that_a_choice_is_in(exempt, named, request_, outcome):
    verdict = evaluated(
        make(exemptions=[exemption(projects=["p1"], images=[exempt])]),
        request_,
        operation=subject.RESCUE,
        image=named,
    )
    assert verdict.outcome == outcome
    assert len(verdict.exempted or verdict.violations) == 1


@pytest.mark.parametrize(
    ("origin", "holder", "outcome"),
    [
        (IMAGE, Holder("i1"), "allow"),
        (IMAGE, Holder("i2"), "refuse"),
        (IMAGE, Holder(), "refuse"),
        # the content of a volume cannot be verified
        (VOLUME, Holder("v1", made_of="i1"), "refuse"),
        (VOLUME, Holder("i1"), "refuse"),
        (VOLUME, Holder(), "refuse"),
    ],
)
def test_an_exemption_from_signatures_is_for_the_image(
    origin, holder, outcome
):
    rules = policy(
        guest_devices={"image_signature": SIGNATURE},
        exemptions=[
            exemption(
                projects=["p1"],
                images=["i1"],
                rules={"guest_devices.image_signature": "*"},
            )
        ],
    )
    request = image.read({}, origin=origin, holder=holder)
    assert evaluated(rules, request, image="i1").outcome == outcome


@pytest.mark.parametrize(
    ("days", "project", "lifted"),
    [(0, "p1", True), (1, "p1", False), (0, "p2", False)],
)
def test_what_a_server_violates_by_a_day(days, project, lifted):
    rules = make(exemptions=[exemption(projects=["p1"])])
    requests = [image.read({"hw_disk_bus": bus}) for bus in ("ide", "sata")]
    who = (
        subject.Subject(subject.BOOT, project),
        TODAY + datetime.timedelta(days=days),
    )
    assert violated(rules, requests, *who) == {
        ViolationKey((DISK_RULE,), value, device=ROOT)
        for value in (["sata"] if lifted else ["ide", "sata"])
    }
    assert violated(rules, [], *who) == frozenset()


GPU = Passthrough("aliases", "gpu", "the flavor", "2", ("nic0",))


def test_a_device_of_the_host_that_nobody_may_have():
    (violation,) = evaluated(
        {"passthrough": {"allow": {"aliases": ["nic"]}, "mode": "warn"}},
        HardwareRequest(passthrough=(GPU,)),
    ).violations
    assert (
        violation.rules,
        violation.allowed,
        violation.count,
        violation.mode,
    ) == (("passthrough.allow",), ("nic",), "2", model.Mode.WARN)
    assert violation.cause == verdict.Cause(
        what="aliases",
        where="the flavor",
        value="gpu",
        synonyms=("nic0",),
    )


@pytest.mark.parametrize("complete", [True, False])
def test_what_must_be_said_of_a_kind_without_a_default(complete):
    rules = {
        "guest_devices": {
            "tpm_version": {"allow": ["2.0"], "explicit": True},
            # no disk uses scsi, so the image does not have to set it
            "scsi_model": {"allow": ["virtio-scsi"], "explicit": True},
        }
    }
    holder = Holder("v1", "p1")
    found = evaluated(
        rules, HardwareRequest(origin=VOLUME, holder=holder, complete=complete)
    ).violations
    assert [
        (each.missing, each.cause.what, choice.origin, choice.holder)
        for each in found
        for choice in [each.cause.choice]
    ] == ([] if complete else [(True, "tpm_version", VOLUME, holder)])
    assert all(each.cause.names == {"hw_tpm_version"} for each in found)


# ``passthrough.require: [one_time_use]``: verdicts of the policy itself.

RULE = "passthrough.require"
EVERY = {
    "aliases": "*",
    "ports": ["vf", "pf"],
    "device_profiles": "*",
    "mdev": "*",
}
ONE_TIME_GPU = hardware.Passthrough(
    "aliases", "gpu", "flavor extra spec pci_passthrough:alias"
)
NEVER = (
    hardware.Passthrough("ports", "vf", "port 1"),
    hardware.Passthrough("ports", "pf", "port 2"),
    hardware.Passthrough("device_profiles", "fpga", "flavor"),
    hardware.Passthrough("mdev", "VGPU", "flavor"),
)
LIFTED = {
    "id": "old",
    "reason": "r",
    "until": "2999-01-01",
    "projects": ["p1"],
    "rules": {RULE: ["one_time_use"]},
}


def rules(*require, **more):
    return policy(
        passthrough={"allow": EVERY, "require": list(require)}, **more
    )


def request(*asked, checks=()):
    return hardware.HardwareRequest(
        passthrough=asked, host_checks=frozenset(checks)
    )


def judged(rules, *asked, already=frozenset(), **who):
    return evaluated(rules, request(*asked), already, **who)


def test_it_is_asked_of_devices_and_not_of_hosts():
    rule = rules("iommu", "one_time_use")
    (demand,) = hosts.host_requirements(
        rule,
        request(ONE_TIME_GPU),
        Subject(BOOT),
        TODAY,
    )
    assert demand.checks == {"iommu"}
    assert not judged(rule, ONE_TIME_GPU).violations


@pytest.mark.parametrize("item", NEVER, ids=lambda item: item.name)
@pytest.mark.parametrize("operation", [BOOT, MOVE, ATTACH, START])
def test_what_can_never_be_so(item, operation):
    (refusal,) = judged(
        rules("one_time_use"), item, operation=operation
    ).refusals
    cause = refusal.cause
    assert (refusal.rules, refusal.count) == ((RULE,), "")
    assert refusal.devices == {item.name}
    assert (cause.where, cause.what) == (item.source, item.kind)
    assert cause.value == "one_time_use"
    assert not judged(rules("iommu"), item, operation=operation).violations


def test_two_devices_are_two_violations_and_no_move_softens_them():
    rule = rules("one_time_use", moves={"guest_devices": "audit"})
    already = verdict.violated(
        rule,
        [request(*NEVER)],
        Subject(BOOT),
        TODAY,
    )
    result = judged(rule, *NEVER, operation=MOVE, already=already)
    assert len(result.refusals) == len(NEVER) == len(already)


REQUIRED = ["one_time_use"]
SOFT = {"allow": EVERY, "require": REQUIRED, "mode": "warn"}


@pytest.mark.parametrize(
    ("require", "keys", "asked", "operation", "expected"),
    [
        (REQUIRED, {}, [ONE_TIME_GPU], BOOT, model.Mode.ENFORCE),
        (["iommu"], {}, [ONE_TIME_GPU], BOOT, None),
        (REQUIRED, {}, NEVER, BOOT, None),
        ([], {}, [ONE_TIME_GPU], BOOT, None),
        (REQUIRED, {"enabled": False}, [ONE_TIME_GPU], BOOT, None),
        (REQUIRED, {}, [ONE_TIME_GPU], REBUILD, None),
        (REQUIRED, {"exemptions": [LIFTED]}, [ONE_TIME_GPU], BOOT, None),
        (REQUIRED, {"mode": "warn"}, [ONE_TIME_GPU], BOOT, model.Mode.WARN),
        (
            REQUIRED,
            {"passthrough": {"require": ["one_time_use"], "mode": "audit"}},
            [ONE_TIME_GPU],
            BOOT,
            model.Mode.AUDIT,
        ),
    ],
)
def test_whether_hosts_are_asked(require, keys, asked, operation, expected):
    rule = policy(
        **{"passthrough": {"allow": EVERY, "require": require}, **keys}
    )
    who = Subject(operation, project="p1"), TODAY
    assert hosts.one_time_use(rule, request(*asked), *who) is expected


@pytest.mark.parametrize(
    ("keys", "asked", "operation", "outcome", "devices"),
    [
        # The devices of an alias are judged.
        ({}, [ONE_TIME_GPU, NEVER[0]], BOOT, "refuse", [{"vf"}]),
        # A server that stays on its host keeps its devices.
        ({}, NEVER, REBUILD, "allow", []),
        ({}, NEVER, RESCUE, "allow", []),
        ({"exemptions": [LIFTED]}, NEVER, BOOT, "allow", []),
        ({"passthrough": SOFT}, NEVER[:1], BOOT, "warn", [{"vf"}]),
        (
            {"mode": "audit"},
            NEVER,
            BOOT,
            "audit",
            [{each.name} for each in NEVER],
        ),
    ],
)
def test_devices_that_are_refused(keys, asked, operation, outcome, devices):
    result = judged(
        policy(
            **{"passthrough": {"allow": EVERY, "require": REQUIRED}, **keys}
        ),
        *asked,
        operation=operation,
    )
    assert (
        result.outcome,
        [each.devices for each in result.violations],
        {name for _, name in result.exempted},
    ) == (outcome, devices, ({"old"} if "exemptions" in keys else set()))


# Passthrough and host checks: the request, and the verdict of the policy.

PORT = "3f2a6e04-7c5d-4a59-9a75-2c8c1b0f6f11"


MOST = passthrough.MOST_ALIASES
NAMES = [f"gpu{index}" for index in range(MOST)]


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ({}, []),
        (
            {"pci_passthrough:alias": "gpu:2, nic:1"},
            [("aliases", "gpu", "2"), ("aliases", "nic", "1")],
        ),
        ({"pci_passthrough:alias": ""}, []),
        (
            {"accel:device_profile": "fpga"},
            [("device_profiles", "fpga", "1")],
        ),
        ({"resources:VGPU": "1"}, [("mdev", "VGPU", "1")]),
        ({"resources1:VGPU": "1"}, [("mdev", "VGPU", "1")]),
        (
            {"resources_GPU:CUSTOM_MDEV_A": "1"},
            [("mdev", "CUSTOM_MDEV_A", "1")],
        ),
        ({"resources:VGPU": "0", "resources:VCPU": "2"}, []),
        ({"trait:CUSTOM_VHARD_IOMMU": "required"}, []),
        # several devices of one name
        ({"resources:VGPU": "4"}, [("mdev", "VGPU", "4")]),
        (
            {"resources1:VGPU": "1", "resources2:VGPU": "2"},
            [("mdev", "VGPU", "3")],
        ),
        (
            {"resources1:VGPU": "x", "resources2:VGPU": "2"},
            [("mdev", "VGPU", "x+2")],
        ),
        # aliases; the text after the last alias that is read is one name
        *(
            (
                {"pci_passthrough:alias": text},
                [("aliases", name, str(count)) for name, count in found],
            )
            for text, found in (
                ("gpu", [("gpu", 1)]),
                ("gpu:2", [("gpu", 2)]),
                ("gpu:1,gpu:1", [("gpu", 2)]),
                ("gpu:1," * MOST + "gpu", [("gpu", MOST + 1)]),
                *(
                    ("gpu:1," * MOST + rest, [("gpu", MOST), (rest, 1)])
                    for rest in ("gpu:1,nic:1", "nic,gpu", ",")
                ),
                *(
                    (",".join(NAMES) + end, [(name, 1) for name in NAMES])
                    for end in ("", ",")
                ),
            )
        ),
    ],
)
def test_a_flavor(specs, expected):
    result = passthrough.of_flavor(specs)
    assert [(each.kind, each.name, each.count) for each in result] == expected
    assert {each.source for each in result} <= {
        f"flavor extra spec {spec}" for spec in specs
    }


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("is_resource", "resources_GPU:CUSTOM_MDEV_A", True),
        ("is_resource", "resources:VGPU", True),
        ("is_resource", "resources:VCPU", False),
        # names that are not checks
        ("unknown_requirements", "iommu , kernel_aslr", []),
        (
            "unknown_requirements",
            "iommu, iomu, strict one",
            ["iomu", "strict one"],
        ),
        ("unknown_requirements", "", [""]),
        # checks that a flavor requires
        (
            "host_checks",
            {"vhard:require": "iommu, kernel_aslr,"},
            {"iommu", "kernel_aslr"},
        ),
        ("host_checks", {}, frozenset()),
    ],
)
def test_what_a_flavor_can_say(name, given, expected):
    assert getattr(passthrough, name)(given) == expected


@pytest.mark.parametrize(
    ("fields", "kind", "name"),
    [
        ({"alias_name": "gpu", "spec": [{}]}, "aliases", "gpu"),
        ({"spec": [{"physical_network": "p"}]}, "ports", "vf"),
        ({"spec": [{"dev_type": "type-PF"}]}, "ports", "pf"),
        ({"spec": [{"dev_type": "vdpa"}]}, "ports", "vdpa"),
        ({"spec": [{"remote_managed": "True"}]}, "ports", "remote_managed"),
        ({"spec": [{"remote_managed": "False"}]}, "ports", "vf"),
        ({"spec": []}, "ports", "vf"),
        ({"spec": None, "requester_id": None}, "ports", "vf"),
        ({"spec": [{}], "requester_id": None}, "ports", "vf"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_pci_request(fields, kind, name, count):
    shape = {"alias_name": None, "requester_id": PORT, **fields}
    (result,) = passthrough.of_requests(
        [SimpleNamespace(count=count, **shape)]
    )
    port = f"port {shape['requester_id'] or 'unknown'}"
    assert (
        result
        == {
            "ports": hardware.Passthrough(kind, name, port),
            "aliases": replace(ONE_TIME_GPU, count=str(count)),
        }[kind]
    )


OF_PORT = hardware.Passthrough("ports", "vf", "port unknown")
ACCELERATOR = hardware.Passthrough(
    "device_profiles", "port unknown", "accelerator of port unknown"
)


@pytest.mark.parametrize(
    ("port", "vnic", "expected"),
    [
        *(
            (
                {"id": PORT},
                vnic,
                hardware.Passthrough("ports", name, f"port {PORT}"),
            )
            for vnic, name in (
                ("direct", "vf"),
                ("macvtap", "vf"),
                ("virtio-forwarder", "vf"),
                ("direct-physical", "pf"),
                ("vdpa", "vdpa"),
                ("remote-managed", "remote_managed"),
                ("of-tomorrow", "of-tomorrow"),
                (None, "None"),
            )
        ),
        *(
            (
                {"id": PORT},
                vnic,
                hardware.Passthrough(
                    "device_profiles",
                    f"port {PORT}",
                    f"accelerator of port {PORT}",
                ),
            )
            for vnic in ("accelerator-direct", "accelerator-direct-physical")
        ),
        # a port without an id
        *(
            (port, vnic, expected)
            for port in ({}, {"id": None}, {"id": ""})
            for vnic, expected in (
                ("normal", None),
                ("baremetal", None),
                ("smart-nic", None),
                ("direct", OF_PORT),
                ("accelerator-direct", ACCELERATOR),
            )
        ),
    ],
)
def test_a_port(port, vnic, expected):
    result = passthrough.of_port({**port, "binding:vnic_type": vnic})
    assert result == expected
    assert result is None or passthrough.is_port(result)


def test_an_accelerator_of_a_port():
    (result,) = passthrough.of_requests(
        [],
        [
            SimpleNamespace(requester_id=f"device_profile_0{PORT}"),
            SimpleNamespace(requester_id="device_profile_0"),
            SimpleNamespace(requester_id=PORT),
            SimpleNamespace(requester_id=None),
        ],
    )
    place = f"port {PORT}"
    assert result == hardware.Passthrough(
        "device_profiles", place, f"accelerator of {place}"
    )


NOTHING = {"allow": {"aliases": []}}


@pytest.mark.parametrize(
    ("keys", "outcome"),
    [
        ({}, "allow"),
        ({"passthrough": {"allow": {"aliases": ["gpu"]}}}, "allow"),
        ({"passthrough": {"allow": {"aliases": "*"}}}, "allow"),
        ({"passthrough": {"allow": {"aliases": ["g*"]}}}, "allow"),
        ({"passthrough": {"allow": {"aliases": ["nic"]}}}, "refuse"),
        ({"passthrough": {"allow": {"mdev": "*"}}}, "refuse"),
        ({"passthrough": {"allow": {}}}, "refuse"),
        ({"passthrough": NOTHING, "mode": "audit"}, "audit"),
        ({"passthrough": {**NOTHING, "mode": "warn"}}, "warn"),
    ],
)
def test_what_is_allowed(keys, outcome):
    verdict = judged(policy(**keys), ONE_TIME_GPU)
    assert verdict.outcome == outcome
    assert {
        (each.rules, each.cause.value, each.cause.where)
        for each in verdict.violations
    } <= {(("passthrough.allow",), "gpu", ONE_TIME_GPU.source)}


def test_an_exemption_from_passthrough():
    exemption = {
        "id": "gpu",
        "reason": "r",
        "until": "2030-01-01",
        "projects": ["p1"],
        "rules": {
            "passthrough.allow": ["gpu"],
            "passthrough.require": ["iommu"],
        },
    }
    lifted = policy(
        passthrough={**NOTHING, "require": ["iommu", "kernel_aslr"]},
        exemptions=[exemption],
    )
    assert judged(lifted, ONE_TIME_GPU).outcome == "allow"
    (left,) = hosts.host_requirements(
        lifted, request(ONE_TIME_GPU), Subject(BOOT, "p1"), TODAY
    )
    assert left.checks == {"kernel_aslr"}


@pytest.mark.parametrize(
    ("had", "asked", "refused", "warned"),
    [
        ([], [ONE_TIME_GPU], ["gpu"], []),
        (
            [ONE_TIME_GPU],
            [ONE_TIME_GPU, hardware.Passthrough("aliases", "nic", "s")],
            ["nic"],
            ["gpu"],
        ),
        # more devices than the server had
        ([replace(ONE_TIME_GPU, count="2")], [ONE_TIME_GPU], [], ["gpu"]),
        ([ONE_TIME_GPU], [replace(ONE_TIME_GPU, count="2")], ["gpu"], []),
    ],
)
def test_only_what_a_resize_brings_in_is_a_new_wish(
    had, asked, refused, warned
):
    rules = policy(passthrough={"allow": {"aliases": []}})
    present = passthrough.up_to_current_count(request(*had)).passthrough
    verdict = judged(
        rules,
        *asked,
        already=keys_of(judged(rules, *present, operation=MOVE)),
        operation=MOVE,
    )
    assert (
        [each.cause.value for each in verdict.refusals],
        [each.cause.value for each in verdict.warnings],
    ) == (refused, warned)


WITH_GPU = request(ONE_TIME_GPU)
REQUIRE = {
    "passthrough": {"require": ["iommu"]},
    "hosts": {"require": ["kernel_aslr"]},
}


@pytest.mark.parametrize(
    ("keys", "operation", "asked", "expected"),
    [
        (
            {},
            BOOT,
            WITH_GPU,
            {("iommu", "enforce"), ("kernel_aslr", "enforce")},
        ),
        ({}, BOOT, request(), {("kernel_aslr", "enforce")}),
        # A device is never moved to a host that has not passed its checks.
        (
            {},
            MOVE,
            WITH_GPU,
            {("iommu", "enforce"), ("kernel_aslr", "warn")},
        ),
        (
            {"moves": {"hosts": "enforce"}},
            MOVE,
            request(),
            {("kernel_aslr", "enforce")},
        ),
        # A rebuild stays on its host.
        ({}, REBUILD, WITH_GPU, set()),
        (
            {"mode": "audit"},
            BOOT,
            WITH_GPU,
            {
                ("iommu", "audit"),
                ("kernel_aslr", "audit"),
            },
        ),
        # a flavor's own requirement applies in any mode
        (
            {"mode": "audit"},
            BOOT,
            request(checks=["iommu"]),
            {("iommu", "enforce"), ("kernel_aslr", "audit")},
        ),
        ({"enabled": False}, BOOT, WITH_GPU, set()),
        # A section's own mode comes before the file's.
        (
            {
                "mode": "audit",
                "passthrough": {"require": ["iommu"], "mode": "warn"},
                "hosts": {"require": ["kernel_aslr"], "mode": "enforce"},
            },
            BOOT,
            WITH_GPU,
            {("iommu", "warn"), ("kernel_aslr", "enforce")},
        ),
    ],
)
def test_what_hosts_must_have_proven(keys, operation, asked, expected):
    result = hosts.host_requirements(
        policy(**{**REQUIRE, **keys}),
        asked,
        Subject(operation),
        TODAY,
    )
    assert {
        (check, str(each.mode)) for each in result for check in each.checks
    } == expected


def test_a_host_that_is_missing_breaks_all_that_demands_it():
    rules = policy(**REQUIRE)
    result = hosts.host_requirements(
        rules, request(ONE_TIME_GPU), Subject(BOOT), TODAY
    )
    demand = hosts.merge_requirements(result, model.Mode.ENFORCE)
    assert demand.checks == {"iommu", "kernel_aslr"}
    assert hosts.merge_requirements(result, model.Mode.WARN) is None
    for each, rules, checks in (
        (
            demand,
            (("passthrough.require", "hosts.require")),
            "iommu, kernel_aslr",
        ),
        *((each, each.rules, ", ".join(each.checks)) for each in result),
    ):
        failed = each.failed(hosts.NO_CANDIDATE)
        assert (failed.rules, failed.mode) == (rules, model.Mode.ENFORCE)
        assert (failed.cause.where, failed.cause.value) == (
            ", ".join(rules),
            checks,
        )


@pytest.mark.parametrize(
    ("count", "counts"),
    [
        ("1", ["1"]),
        ("3", ["1", "2", "3"]),
        ("0", []),
        (
            str(passthrough.MANY),
            [str(each + 1) for each in range(passthrough.MANY)],
        ),
        (str(passthrough.MANY + 1), [str(passthrough.MANY + 1)]),
        ("x+2", ["x+2"]),
    ],
)
def test_who_has_a_number_of_devices_has_each_smaller_one(count, counts):
    had = request(replace(ONE_TIME_GPU, count=count), checks=["iommu"])
    asked = tuple(replace(ONE_TIME_GPU, count=number) for number in counts)
    assert passthrough.up_to_current_count(had) == request(
        *asked, checks=["iommu"]
    )


# References of a request that cannot be judged.

DISKS = {"disk_bus": {"allow": ["virtio"]}}
REFERENCE_RULES = policy(guest_devices=DISKS)
URL = {"base_image_ref": "http://x"}
TEXT = (
    "image property base_image_ref='http://x' is not the ID of an image, "
    "but a rescue would boot from it"
)


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (hardware.IMAGE, TEXT),
        (hardware.VOLUME, TEXT.replace("image", "volume", 1)),
    ],
)
def test_a_reference_is_a_violation_of_its_own(origin, text):
    refusals, fix = found(
        REFERENCE_RULES, of(URL, subject.BOOT, hardware.Holder("3c4d"), origin)
    )
    (violation,) = refusals
    assert violation.rules == ("guest_devices",)
    assert violation.cause == verdict.Cause(
        *("", f"{origin} property base_image_ref", "http://x", text),
        names=frozenset(("base_image_ref",)),
    )
    assert (edits(fix), fix.left) == ({"base_image_ref": None}, [])


def test_a_fix_of_its_own():
    request = server_request.ServerRequest(
        hardware.HardwareRequest(
            faults=(
                hardware.Fault(
                    "the root volume", "3c4d", "cannot be read", fix="ask"
                ),
                hardware.Fault("b", "x", "is odd"),
            )
        ),
        subject.Subject(subject.RESCUE, "p1"),
    )
    refusals, fix = found(REFERENCE_RULES, request, lambda _draft: request)
    violation, other = refusals
    assert other.cause.where == "b"
    assert (violation.cause, fix.left) == (
        verdict.Cause(
            "",
            "the root volume",
            "3c4d",
            "the root volume='3c4d' cannot be read",
            "ask",
        ),
        list(refusals),
    )


@pytest.mark.parametrize(
    ("keys", "operation", "mode"),
    [
        ({}, subject.BOOT, model.Mode.ENFORCE),
        ({"guest_devices": {}}, subject.BOOT, model.Mode.ENFORCE),
        (
            {"guest_devices": {}, "mode": "audit"},
            subject.BOOT,
            model.Mode.AUDIT,
        ),
        ({"mode": "warn"}, subject.BOOT, model.Mode.WARN),
        # the reference could break the strictest rule
        (
            {
                "mode": "audit",
                "guest_devices": {
                    **DISKS,
                    "sound_model": {"allow": [], "mode": "warn"},
                },
            },
            subject.BOOT,
            model.Mode.WARN,
        ),
        # no server had it, so the mode for moves does not apply
        ({}, subject.MOVE, model.Mode.ENFORCE),
    ],
)
def test_how_it_is_judged(keys, operation, mode):
    (violation,) = judge(
        policy(**{"guest_devices": DISKS, **keys}), URL, operation=operation
    ).violations
    assert violation.mode is mode


# Tests of the shipped policies with aarch64 guests.

ARM = {"hw_architecture": "aarch64"}
SAID = {
    **ARM,
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_input_bus": "virtio",
}
CONTROLLER = {"hw_scsi_model": "virtio-scsi"}
#: The controller that libvirt picks for Nova's CD-ROM.
LSI = ("scsi_model", "lsilogic")
KEYBOARD = {("input_bus", "usb"), ("usb_model", "qemu-xhci")}


@pytest.mark.parametrize(
    ("name", "properties", "violations"),
    [
        *(
            ("baseline", properties, violations)
            for properties, violations in (
                (ARM, set()),
                ({**ARM, "hw_machine_type": "virt-10.0"}, set()),
                ({**ARM, **MANDATORY}, {LSI}),
                ({**ARM, **MANDATORY, **CONTROLLER}, set()),
                (
                    {**ARM, **MANDATORY, "hw_cdrom_bus": "ide"},
                    {("cdrom_bus", "ide")},
                ),
            )
        ),
        *(
            (name, properties, violations)
            for name in ("strict", "scs")
            for properties, violations in (
                (SAID, set()),
                ({**SAID, **MANDATORY}, {LSI}),
                ({**SAID, **MANDATORY, **CONTROLLER}, set()),
                # Nova's keyboard needs a controller.
                ({**SAID, "hw_input_bus": "usb"}, KEYBOARD),
                (
                    {k: SAID[k] for k in SAID if k != "hw_input_bus"},
                    KEYBOARD,
                ),
                # QEMU has no other model for Arm, so a site's policy must
                # allow it.
                (
                    {**SAID, "hw_tpm_version": "2.0"},
                    {("tpm_model", "tpm-tis")},
                ),
            )
        ),
    ],
)
def test_shipped_policies(name, properties, violations):
    assert broken(judge(shipped(name), properties)) == violations


# Real images under the shipped baseline.

IMAGES = json.loads((DATA / "image-properties.json").read_text())
BASELINE = shipped("baseline")

# Properties of these images whose values baseline refuses, found by reading.
REFUSED = {
    "hw_disk_bus": ("disk_bus", "ide"),
    "hw_vif_model": ("vif_model", "e1000"),
}
IMAGES_CDROM = {"hw_cdrom_bus": ("cdrom_bus", "ide")}


def refused(image, values):
    return {
        (kind, value)
        for name, (kind, value) in values.items()
        if image["properties"].get(name) == value
    }


@pytest.mark.parametrize("image", IMAGES, ids=lambda each: each["name"])
def test_image_gets_exactly_its_own_violations(image):
    """A CD-ROM bus counts only if the image gets a CD-ROM."""
    expected = refused(image, REFUSED)
    verdict = judge(BASELINE, image["properties"], image["disk_format"])
    assert (broken(verdict), verdict.outcome) == (
        expected,
        ("refuse" if expected else "allow"),
    )
    drive = {**image["properties"], "img_config_drive": "mandatory"}
    expected |= refused(image, IMAGES_CDROM)
    assert broken(judge(BASELINE, drive, image["disk_format"])) == expected


@pytest.mark.parametrize(
    ("listed", "allowed"),
    [("*", True), ("N*", False), ("?*", False), ("None", False)],
)
def test_only_the_star_allows_an_unknown_value(listed, allowed):
    assert (None in model.Values((listed,))) is allowed


@pytest.mark.parametrize(
    ("length", "kept"), [(image._SHORT, 1), (image._SHORT + 1, 0)]
)
def test_choices_that_many_images_say_are_made_once_if_they_are_short(
    length, kept
):
    properties = {"hw_machine_type": "x" * length}
    first, before = image.read(properties), image._kept_choice.cache_info()
    assert image.read(properties) == first
    after = image._kept_choice.cache_info()
    assert (after.hits - before.hits, after.misses) == (kept, before.misses)

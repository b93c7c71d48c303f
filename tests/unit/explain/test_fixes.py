# SPDX-License-Identifier: Apache-2.0
"""Every fix, applied to properties in memory, leaves no refusal.

The first tests take each value of the catalogue, for baseline and strict. The
others generate images at random, for some difficult policies as well: with
patterns, with required settings, with scsi only, for another architecture.
tests/functional applies a smaller number to real images and servers.
"""

import json

import pytest
from hypothesis import strategies as st

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.explain import fixes, messages
from nova_vhard.policy import hardware, subject
from tests import following, seeds
from tests.unit.explain.requests import allowing, change, found, made, of
from tests.unit.helpers import TODAY

UUID = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"
OWN, FOREIGN = (
    hardware.Holder(UUID, "p1", "qcow2"),
    hardware.Holder(UUID, "p2", "raw"),
)
ARCHITECTURES = {
    "x86": {},
    "arm": {"hw_architecture": "aarch64"},
    "mainframe": {"hw_architecture": "s390x"},
    "power": {"hw_architecture": "ppc64le"},
}
POLICIES = {name: following.policy(name) for name in ("baseline", "strict")}
RULES = pytest.mark.parametrize("rules", POLICIES.values(), ids=POLICIES)
# strict has no machine type that mainframe and power can have
BY_ARCHITECTURE = pytest.mark.parametrize(
    ("rules", "machine"),
    [
        pytest.param(POLICIES[rules], machine, id=f"{rules}-{name}")
        for name, machine in ARCHITECTURES.items()
        for rules in POLICIES
        if rules == "baseline" or name in ("x86", "arm")
    ],
)


def answer(rules, request, read=None):
    """Return the refusals and the fix, as data and as an API message."""
    refusals, fix = found(rules, request, read)
    return refusals, fix, messages.api_message(refusals, fixes.words(fix))


def singles(rules):
    for kind in KINDS.values():
        # A bus is judged where a device takes it. Floppies are block devices:
        # see following.devices.
        more = (
            {"img_config_drive": "mandatory"}
            if kind.name == "cdrom_bus"
            else {}
        )
        for name in kind.image_properties:
            for value in following.values(rules, kind):
                if kind.name != "floppy_bus":
                    yield {name: value, **more}


def every(rules, machine):
    """Yield one image for each refused value, and some with several."""
    for properties in (*singles(rules), *following.refused(rules)):
        yield {**machine, **properties}
        cdrom = {"hw_rescue_device": "cdrom", "img_config_drive": "mandatory"}
        yield {**machine, **cdrom, **properties}


def follow(properties, text):
    """Apply the fix in a text to properties; return the names of its steps.

    The properties are those of an image, a volume, an upload or a change.
    """
    after, kinds = dict(properties), set()
    for step in following.steps(text):
        kinds.add(step.kind)
        for _, _, verb, *words in step.commands:
            if verb == "set":
                after |= following.options(words)
            elif verb == "unset":
                for name in words[1:-1:2]:
                    del after[name]
            elif verb == "create":
                after = following.options(words)
        if step.kind == "entry":
            name, words = step.words["list"], step.words
            entries = json.loads(after[name])
            rewrite(entries, words)
            after[name] = json.dumps(entries)
        # The client sends other properties than before.
        if step.kind in {
            "upload",
            "change",
            "leave",
            "metadata",
            "no metadata",
        }:
            for name in (*step.named("without"), *step.named("leave")):
                after.pop(name, None)
            after |= step.given
    return after, kinds


def rewrite(entries, words):
    """Apply a step to a list of block devices."""
    entry = entries[int(words["index"])]
    if words["value"]:
        entry[words["key"]] = words["value"]
    else:
        del entry[words["key"]]


@BY_ARCHITECTURE
@pytest.mark.parametrize(
    ("operation", "origin", "holder", "kind"),
    [
        (subject.BOOT, "image", OWN, "run"),
        (subject.BOOT, "volume", OWN, "run"),
        (subject.BOOT, "image", FOREIGN, "copy"),
        (subject.UPLOAD, "image", hardware.NOBODY, "upload"),
    ],
    ids=["image", "volume", "copy", "upload"],
)
def test_an_image(rules, machine, operation, origin, holder, kind):
    after_it = OWN if kind == "copy" else holder
    for properties in every(rules, machine):
        refusals, _, text = answer(
            rules, of(properties, operation, holder, origin)
        )
        assert refusals, properties
        after, kinds = follow(properties, text)
        assert kinds == {kind}
        assert (f"`openstack {origin} " in text) == (kind != "upload")
        assert machine.items() <= after.items()
        again = of(after, operation, after_it, origin)
        assert not again.verdict(rules, TODAY).refusals, text


@RULES
def test_block_devices_of_a_request(rules):
    # what strict wants to read in every image
    whole = {
        "hw_disk_bus": "virtio",
        "hw_vif_model": "virtio",
        "hw_firmware_type": "uefi",
        "hw_scsi_model": "virtio-scsi",
    }
    for device in following.devices(rules):
        case = {"image": whole, "holder": "no", "body": [{}, device]}
        _, _, text = answer(rules, *made(case))
        after = [{}, dict(device)]
        for step in following.steps(text):
            if step.kind == "entry":
                assert step.words["where"].startswith("the request")
                rewrite(after, step.words)
        request, _ = made(case | {"body": after})
        assert not request.verdict(rules, TODAY).refusals, text


def test_no_command_is_cut():
    rules = POLICIES["strict"]
    properties = {
        name: "x" * 65_000
        for kind in KINDS.values()
        for name in kind.image_properties
    }
    _, _, text = answer(rules, of(properties, subject.BOOT, OWN))
    assert len(text.encode()) <= 16 * 1024
    assert text.endswith(f"{UUID}`")


NOT_THERE = {
    "floppy_bus": [],
    "sound_model": [],
    "watchdog_action": [],
    "emulation_architecture": [],
}


def explicit(*values):
    return {"allow": list(values), "explicit": True}


#: Each has to be fixable by what it allows.
DIFFICULT = {
    "baseline": following.policy("baseline"),
    "scs": following.policy("scs"),
    "strict": following.policy("strict"),
    "explicit": allowing(
        {
            **NOT_THERE,
            "disk_bus": explicit("virtio", "scsi"),
            "scsi_model": explicit("virtio-scsi"),
            "cdrom_bus": explicit("sata", "scsi"),
            "vif_model": explicit("virtio", "e1000e"),
            "video_model": explicit("virtio", "none"),
            "firmware_type": explicit("uefi"),
            "machine_type": explicit("q35", "virt", "pc-q35-*"),
            "rescue_bus": ["virtio", "sata", "scsi"],
        }
    ),
    "scsi": allowing(
        {
            **NOT_THERE,
            "disk_bus": ["scsi"],
            "cdrom_bus": ["scsi"],
            "rescue_bus": ["scsi"],
            "scsi_model": ["virtio-scsi"],
            "tpm_model": ["tpm-crb"],
            "mem_encryption_model": ["amd-sev-es"],
            "video_model": ["v*"],
            "vif_model": ["v*"],
            "machine_type": ["pc*", "q35"],
        }
    ),
    "arm": allowing(
        {
            **NOT_THERE,
            "architecture": ["aarch64"],
            "emulation_architecture": ["aarch64"],
            "machine_type": ["virt*"],
            "disk_bus": ["sata", "virtio"],
            "cdrom_bus": ["usb", "scsi"],
            "rescue_bus": ["usb"],
            "scsi_model": ["virtio-scsi"],
            "vif_model": ["virtio"],
            "video_model": ["virtio"],
            "input_bus": ["usb", "virtio"],
            "firmware_type": ["uefi"],
        },
        assume={
            "architecture": "aarch64",
            "machine_type": {"aarch64": "virt"},
        },
    ),
}
_OF_TYPE = {
    "bool": ("true", "false"),
    "int": ("0", "1", "2"),
    "text": ("pc", "q35", "pc-i440fx-9.0", "virt", "isapc"),
}
_ARCHITECTURES = ("x86_64", "aarch64", "ppc64le", "s390x")


def _values(kind):
    if kind.name.endswith("architecture"):
        return _ARCHITECTURES
    return kind.values or _OF_TYPE[kind.value_type]


_ENTRIES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "device_type": st.sampled_from(("disk", "cdrom", "lun", "floppy")),
            "disk_bus": st.sampled_from(KINDS["disk_bus"].values),
        },
    ),
    max_size=3,
).map(json.dumps)
IMAGES = st.fixed_dictionaries(
    {},
    optional={
        **{
            kind.image_properties[0]: st.sampled_from(_values(kind))
            for kind in KINDS.values()
            if kind.image_properties and not kind.of_file
        },
        "os_distro": st.just("fedora38"),
        "vmware_adaptertype": st.sampled_from(("ide", "lsiLogic")),
        "block_device_mapping": _ENTRIES,
        "mappings": _ENTRIES,
        "base_image_ref": st.just("http://x"),
    },
)


@pytest.mark.parametrize("name", DIFFICULT)
@pytest.mark.parametrize(
    ("operation", "holder", "examples"),
    [
        (subject.BOOT, OWN, 60),
        (subject.BOOT, FOREIGN, 30),
        (subject.UPDATE, None, 30),
        (subject.SNAPSHOT, None, 30),
    ],
    ids=["own", "foreign", "update", "snapshot"],
)
def test_any_request(name, operation, holder, examples):
    """A boot from an image with this holder, or a change of an image."""
    rules = DIFFICULT[name]
    befores = st.just({}) if holder else IMAGES

    @seeds.searched(st.tuples(befores, IMAGES), examples)
    def search(states):
        before, sent = states

        def asked(properties, holder):
            if holder:
                return of(properties, operation, holder)
            return change(before, {**before, **properties}, operation)

        refusals, fix, text = answer(rules, asked(sent, holder))
        if not refusals or not fixes.words(fix):
            assert not refusals or not fix.complete
            return
        after, kinds = follow(sent, text)
        again = asked(after, OWN if holder else None).verdict(rules, TODAY)
        assert bool(again.refusals) == bool(fix.left), (states, text)
        if holder:
            assert ("by hand" in kinds) == bool(fix.left and fix.complete)
            for kept in ("hw_architecture", "os_distro"):
                assert after.get(kept) == sent.get(kept)

    search()

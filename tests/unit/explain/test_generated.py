# SPDX-License-Identifier: Apache-2.0
"""The judge accepts every fix that is shown, for any request.

Images are generated at random, for the shipped policies and for some difficult
ones: with patterns, with required settings, with scsi only, for another
architecture. The fix in a text is applied to the properties in memory.
"""

import json

import pytest
from hypothesis import strategies as st

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.explain import fixes, messages
from nova_vhard.policy.hardware import Holder
from nova_vhard.policy.subject import BOOT, SNAPSHOT, UPDATE
from tests import following, seeds
from tests.unit.explain.requests import allowing, change, found, of
from tests.unit.helpers import TODAY

OWN = Holder("5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9", "p1", "qcow2")
FOREIGN = Holder("5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9", "p2", "raw")
NOT_THERE = {
    "floppy_bus": [],
    "sound_model": [],
    "watchdog_action": [],
    "emulation_architecture": [],
}


def explicit(*values):
    return {"allow": list(values), "explicit": True}


#: Each has to be fixable by what it allows.
POLICIES = {
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
EACH = pytest.mark.parametrize("name", POLICIES)


def follow(properties, text):
    """Apply the fix in a text to image properties; return the step names."""
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
            entry = entries[int(words["index"])]
            if words["value"]:
                entry[words["key"]] = words["value"]
            else:
                del entry[words["key"]]
            after[name] = json.dumps(entries)
    return after, kinds


def answer(rules, request):
    refusals, fix = found(rules, request)
    text = fixes.words(fix)
    return refusals, fix, text and f"{messages.TO_FIX}{text}"


def checked(name, properties, holder):
    """Check the fix of one image; return whether the image was refused."""
    rules = POLICIES[name]
    refusals, fix, text = answer(rules, of(properties, BOOT, holder))
    if not refusals or not text:
        assert not refusals or not fix.complete
        return
    after, kinds = follow(properties, text)
    rest = of(after, BOOT, OWN).verdict(rules, TODAY).refusals
    assert bool(rest) == bool(fix.left), (properties, text)
    assert ("by hand" in kinds) == bool(fix.left and fix.complete)
    for kept in ("hw_architecture", "os_distro"):
        assert after.get(kept) == properties.get(kept)


@EACH
def test_images(name):
    @seeds.searched(IMAGES, 150)
    def search(properties):
        checked(name, properties, OWN)

    search()


@EACH
def test_images_of_another_project(name):
    @seeds.searched(IMAGES, 60)
    def search(properties):
        checked(name, properties, FOREIGN)

    search()


@EACH
@pytest.mark.parametrize("operation", [UPDATE, SNAPSHOT])
def test_changes(name, operation):
    rules = POLICIES[name]

    @seeds.searched(st.tuples(IMAGES, IMAGES), 60)
    def search(states):
        before, sent = states
        after = {**before, **sent}
        request = change(before, after, operation)
        refusals, fix, text = answer(rules, request)
        if not refusals or not text:
            assert not refusals or not fix.complete
            return
        again = dict(sent)
        for step in following.steps(text):
            for gone in step.named("leave"):
                again.pop(gone, None)
            again |= step.given
        request = change(before, {**before, **again}, operation)
        rest = request.verdict(rules, TODAY).refusals
        assert bool(rest) == bool(fix.left), (before, sent, text)

    search()

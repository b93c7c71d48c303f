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
from nova_vhard.policy.subject import BOOT, SNAPSHOT, UPDATE
from tests import following, seeds
from tests.unit.explain.requests import allowing, change, found, of
from tests.unit.explain.test_fixes import HOLDERS, follow
from tests.unit.helpers import TODAY

OWN, FOREIGN = HOLDERS["own"], HOLDERS["foreign"]
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


def answer(rules, request):
    refusals, fix = found(rules, request)
    text = fixes.words(fix)
    return refusals, fix, text and f"{messages.TO_FIX}{text}"


@EACH
@pytest.mark.parametrize(
    ("holder", "examples"), [(OWN, 150), (FOREIGN, 60)], ids=["own", "foreign"]
)
def test_images(name, holder, examples):
    rules = POLICIES[name]

    @seeds.searched(IMAGES, examples)
    def search(properties):
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

    search()


@EACH
@pytest.mark.parametrize("operation", [UPDATE, SNAPSHOT])
def test_changes(name, operation):
    rules = POLICIES[name]

    @seeds.searched(st.tuples(IMAGES, IMAGES), 60)
    def search(states):
        before, sent = states
        request = change(before, {**before, **sent}, operation)
        refusals, fix, text = answer(rules, request)
        if not refusals or not text:
            assert not refusals or not fix.complete
            return
        again, _ = follow(sent, text)
        request = change(before, {**before, **again}, operation)
        rest = request.verdict(rules, TODAY).refusals
        assert bool(rest) == bool(fix.left), (before, sent, text)

    search()

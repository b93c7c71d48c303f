# SPDX-License-Identifier: Apache-2.0
"""Every fix, applied to properties in memory, leaves no refusal.

tests/functional applies a smaller number to real images and servers.
"""

import json

import pytest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.explain import fixes, messages
from nova_vhard.explain.draft import Draft
from nova_vhard.policy.hardware import NOBODY, Holder
from nova_vhard.policy.subject import BOOT, SNAPSHOT, UPDATE, UPLOAD, Subject
from nova_vhard.request import block_device
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import ServerRequest
from tests import following
from tests.unit.explain.requests import change, found, of

PROJECT = "p1"
HOLDERS = {
    "own": Holder("5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9", PROJECT, "qcow2"),
    "foreign": Holder("5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9", "p2", "raw"),
}
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


def answered(rules, request, read=None):
    """Return the answer of an API, or None if nothing is refused."""
    refusals, fix = found(rules, request, read)
    if not refusals:
        return None
    return messages.api_message(refusals, fixes.words(fix))


def say(rules, properties, operation=BOOT, origin="image", holder=NOBODY):
    """Return the answer to a request about an image or a volume."""
    return answered(rules, of(properties, operation, holder, origin))


def singles(rules):
    for kind in KINDS.values():
        # A bus is judged where a device takes it. Floppies are block devices:
        # see following.devices.
        drive = {"img_config_drive": "mandatory"}
        more = drive if kind.name == "cdrom_bus" else {}
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


def edited(properties, text, source):
    """Apply the fix in a text to the properties of an image or volume."""
    after = dict(properties)
    for step in following.steps(text):
        assert step.kind == "run", step
        for command in step.commands:
            _, what, verb, *words = command
            assert what == source
            if verb == "set":
                after |= following.options(words)
            else:
                assert verb == "unset"
                for name in words[1:-1:2]:
                    del after[name]
    return after


@BY_ARCHITECTURE
@pytest.mark.parametrize("source", ["image", "volume"])
def test_an_image_or_a_volume(rules, machine, source):
    holder = HOLDERS["own"]
    for properties in every(rules, machine):
        text = say(rules, properties, BOOT, source, holder)
        assert text, properties
        after = edited(properties, text, source)
        assert say(rules, after, BOOT, source, holder) is None, text


@BY_ARCHITECTURE
def test_a_copy_of_an_image(rules, machine):
    for properties in every(rules, machine):
        text = say(rules, properties, holder=HOLDERS["foreign"])
        (step,) = following.steps(text)
        assert step.kind == "copy"
        _, create = step.commands
        assert create[-1] == step.words["name"]
        copy = following.options(create)
        assert say(rules, copy, holder=HOLDERS["own"]) is None, text
        kept = copy.items() & properties.items()
        assert machine.items() <= kept


@BY_ARCHITECTURE
def test_an_upload(rules, machine):
    for properties in every(rules, machine):
        text = say(rules, properties, UPLOAD)
        (step,) = following.steps(text)
        assert step.kind == "upload"
        after = {**properties, **step.given}
        for name in step.named("without"):
            del after[name]
        assert say(rules, after, UPLOAD) is None, text


def changing(rules, before, after, operation):
    """Return the answer to a change, or None if it is accepted."""
    return answered(rules, change(before, after, operation))


@RULES
@pytest.mark.parametrize("operation", [UPDATE, SNAPSHOT])
@pytest.mark.parametrize("before", [{}, {"hw_disk_bus": "ide"}], ids=str)
def test_a_change(rules, operation, before):
    for sent in (*singles(rules), *following.refused(rules)):
        text = changing(rules, before, {**before, **sent}, operation)
        if text is None:
            # it says what the image says already
            assert sent.items() <= before.items()
            continue
        assert "openstack" not in text
        again = dict(sent)
        for step in following.steps(text):
            for name in step.named("leave"):
                del again[name]
            again |= step.given
        after = {**before, **again}
        assert changing(rules, before, after, operation) is None, text


def rewritten(entries, text, where):
    """Apply the fix in a text to a list of block devices."""
    after = [dict(entry) for entry in entries]
    for step in following.steps(text):
        if step.kind != "entry":
            assert step.kind in ("by hand", "run", "upload"), step
            continue
        assert step.words["where"].startswith(where)
        entry, key = after[int(step.words["index"])], step.words["key"]
        if step.words["value"]:
            entry[key] = step.words["value"]
        else:
            del entry[key]
    return after


@RULES
def test_block_devices_of_a_request(rules):
    name = "block_device_mapping_v2"
    # what strict wants to read in every image
    whole = {
        "hw_disk_bus": "virtio",
        "hw_vif_model": "virtio",
        "hw_firmware_type": "uefi",
        "hw_scsi_model": "virtio-scsi",
    }

    def explained(entries):
        def read(draft):
            body = draft.of("block_device", NOBODY, {name: entries})
            request = draft.image(Image(whole)).hardware()
            hardware = request.plus(*block_device.read(body[name], name))
            return ServerRequest(hardware, draft.subject)

        return answered(rules, read(Draft(Subject(BOOT))), read)

    for device in following.devices(rules):
        text = explained([{}, device])
        after = rewritten([{}, device], text, "the request")
        assert explained(after) is None, text


@pytest.mark.parametrize("operation", [BOOT, UPLOAD])
def test_block_devices_of_an_image(operation):
    rules = POLICIES["baseline"]
    name = "block_device_mapping"
    where = "the upload" if operation == UPLOAD else "image"
    for device in following.devices(rules):
        entries = [{}, device]
        text = say(rules, {name: json.dumps(entries)}, operation)
        after = {name: json.dumps(rewritten(entries, text, where))}
        # a lun on scsi becomes a disk on scsi, with a controller
        if "hw_scsi_model=virtio-scsi" in text:
            assert device["disk_bus"] == "scsi"
            after["hw_scsi_model"] = "virtio-scsi"
        assert say(rules, after, operation) is None, text


def test_a_value_of_an_outsider_is_in_no_command():
    evil = "ide`openstack server delete web`"
    text = say(POLICIES["baseline"], {"hw_disk_bus": evil, "os_distro": evil})
    assert text.count("`") == 2
    foreign = HOLDERS["foreign"]
    odd = {"hw_disk_bus": "ide", "hw_architecture": "$(reboot)`"}
    text = say(POLICIES["baseline"], odd, holder=foreign)
    assert "reboot" not in text
    holder = Holder("$(reboot)", PROJECT)
    assert "reboot" not in say(POLICIES["baseline"], odd, holder=holder)


def test_no_command_is_cut():
    rules = POLICIES["strict"]
    properties = {
        name: "x" * 65_000
        for kind in KINDS.values()
        for name in kind.image_properties
    }
    text = say(rules, properties, holder=HOLDERS["own"])
    assert len(text.encode()) <= 16 * 1024
    assert text.endswith(f"{HOLDERS['own'].id}`")

# SPDX-License-Identifier: Apache-2.0
"""Cases for every kind of sentence in a refusal or a fix, one for each.

    python -m tests.unit.explain.sentences

writes ``sentences.yaml`` again. Review its difference. The other tests assert
data, so a change of wording changes only this file.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import yaml

from nova_vhard.explain import fixes, messages
from nova_vhard.explain.draft import Draft
from nova_vhard.explain.search import Fix
from nova_vhard.policy.hardware import (
    NOBODY,
    SERVER,
    STORED,
    VOLUME,
    DeviceChoice,
    HardwareRequest,
    Holder,
    Passthrough,
)
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import (
    BOOT,
    MOVE,
    REBUILD,
    SNAPSHOT,
    UPDATE,
    UPLOAD,
    Subject,
)
from nova_vhard.policy.verdict import Message, Violation
from nova_vhard.request import block_device
from nova_vhard.request.compose import with_specs
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import ServerRequest, of_image
from tests.unit.explain.requests import (
    FOREIGN,
    OWN,
    allowing,
    change,
    found,
    of,
)
from tests.unit.helpers import TODAY, shipped

FILE = Path(__file__).with_name("sentences.yaml")

BASELINE = shipped("baseline")
RULES = allowing(
    {
        "disk_bus": ["virtio"],
        "vif_model": ["virtio"],
        "device_type": ["disk"],
        "floppy_bus": [],
        "sound_model": [],
        "tpm_model": [],
        "tpm_version": [],
        "watchdog_action": [],
    }
)
MOVES = allowing({"disk_bus": ["virtio"]}, moves={"guest_devices": "enforce"})
NOTHING_HELPS = allowing({"vif_model": ["lan9118"]})
SECURE_BOOT = allowing(
    {"secure_boot": {"allow": ["required"], "explicit": True}}
)
DRIVE = allowing({"config_drive": {"allow": ["optional"], "explicit": True}})
SIGNED = allowing(
    {"image_signature_key_type": {"allow": ["RSA-PSS"], "explicit": True}}
)
UNKNOWN = allowing({"disk_bus": {"allow": ["virtio"], "explicit": True}})
IDE = {"hw_disk_bus": "ide"}
TWO = {**IDE, "hw_vif_model": "e1000"}
SOUND = {"hw_sound_model": "ac97"}
NEITHER = {**SOUND, "hw_watchdog_action": "reset"}
LISTED = {"mappings": json.dumps([{"disk_bus": "ide"}])}
FLOPPY = {"mappings": json.dumps([{"device_type": "floppy"}])}


def answered(rules, request, read=None):
    """Return the complete answer of an API."""
    refusals, fix = found(rules, request, read)
    return messages.api_message(refusals, fixes.words(fix))


def fixed(rules, request, read=None):
    """Return only the fix."""
    _, fix = found(rules, request, read)
    return fixes.words(fix)


def fault(rules, request):
    """Return the text of a server's fault."""
    return messages.fault_message(request.verdict(rules, TODAY).refusals)


def of_body(entries, operation=BOOT):
    """Return a request with block devices in its body, and its reader."""

    def read(draft):
        name = "block_device_mapping_v2"
        body = draft.of("block_device", NOBODY, {name: entries})
        choices, devices = block_device.read(body.get(name, []), name)
        hardware = HardwareRequest().plus(choices, devices)
        return ServerRequest(hardware, draft.subject)

    return read(Draft(Subject(operation, "p1"))), read


def of_flavor(specs):
    """Return a request with extra specs, and its reader."""

    def read(draft):
        edited = draft.of("flavor", NOBODY, specs)
        return ServerRequest(
            with_specs(HardwareRequest(), edited), draft.subject
        )

    return read(Draft(Subject(BOOT, "p1"))), read


def of_hardware(operation=REBUILD, **fields):
    """Return a request for hardware that is in no document."""
    hardware = HardwareRequest(**{"devices": frozenset(), **fields})
    subject = Subject(operation, "p1", flavor="m1 `gpu`")
    request = ServerRequest(hardware, subject)
    return request, lambda _draft: request


def places():
    """Return a request with faults in an image, a flavor and a server."""
    kinds = {
        "disk_bus": ["virtio"],
        "sound_model": [],
        "vif_model": [],
        "scsi_model": [],
    }
    kept = DeviceChoice("scsi_model", "x", "controller of it", "it", SERVER)

    def read(draft):
        image = draft.image(Image(TWO, holder=OWN)).hardware()
        specs = draft.of("flavor", NOBODY, {"hw:sound_model": "ac97"})
        whole = with_specs(image, specs).plus([kept])
        return ServerRequest(whole, draft.subject)

    return allowing(kinds), read(Draft(Subject(BOOT, "p1"))), read


ISO = of({"hw_machine_type": "pc"}, disk="iso")
OF_VOLUME = of(IDE, BOOT, Holder("7701"), VOLUME)
NAMED = Subject(BOOT, "p1", image="1f2e")
OTHER = allowing({}, passthrough={"allow": {"aliases": ["other"]}})
ALIAS = Passthrough("aliases", "gpu", "flavor extra spec x")
MDEV = Passthrough("mdev", "x", "flavor extra spec resources:VGPU")
KEPT = DeviceChoice("disk_bus", "ide", "bus of the server's disk hda")


def kept_bus(kind):
    """Return a request with a bus that a disk of the server keeps."""
    where = {"setting": "hda", "origin": SERVER, "device": "hda"}
    kept = replace(KEPT, kind=kind, value="x", **where)
    return of_hardware(choices=(kept,), only=frozenset((kind,)))


#: Complete answers: policy, request and its reader.
ANSWERS = {
    "a property": (BASELINE, of(IDE)),
    "two properties": (BASELINE, of(TWO)),
    "a legacy value": (BASELINE, of({"hw_vif_model": "VirtualE1000"})),
    "capitals": (allowing({"pmu": ["false"]}), of({"hw_pmu": "True"})),
    "a default": (BASELINE, ISO),
    "nothing is allowed": (BASELINE, of(SOUND)),
    "what libosinfo picks": (UNKNOWN, of({"os_distro": "win\x1b[31m"})),
    "what Nova picks": (SECURE_BOOT, of({})),
    "what the host decides": (DRIVE, of({})),
    "a signature that is missing": (SIGNED, of({})),
    "a volume": (BASELINE, OF_VOLUME),
    "a flavor": (
        RULES,
        *of_flavor({"hw:tpm_model": "tpm-tis", "hw:tpm_version": "2.0"}),
    ),
    "a block device": (RULES, *of_body([{}, {"disk_bus": "ide"}])),
    "two block devices": (
        RULES,
        *of_body([{"disk_bus": "ide"}, {"disk_bus": "fdc"}]),
    ),
    "a reference": (
        RULES,
        of({"base_image_ref": "http://x", "hw_disk_bus": "virtio"}),
    ),
    "what an outsider wrote": (
        BASELINE,
        of({"hw_disk_bus": "ide\u202e\r\nX: 1\x00`ls`" + "x" * 5000}),
    ),
    "passthrough": (
        OTHER,
        *of_hardware(
            passthrough=(
                replace(
                    ALIAS, source="flavor extra spec pci_passthrough:alias"
                ),
            )
        ),
    ),
}
#: Changed properties, and the request of each item about them.
CHANGED = {
    "a value": IDE,
    "two values": TWO,
    "a removal": SOUND,
    "a list": LISTED,
    "all of these": {**TWO, **NEITHER, **LISTED},
}
ITEMS = {
    UPDATE: partial(change, {}, operation=UPDATE),
    SNAPSHOT: partial(change, {}, operation=SNAPSHOT),
    "upload": partial(of, operation=UPLOAD, holder=NOBODY),
    "image": of,
    "server": partial(of, operation=REBUILD, holder=STORED),
    "copy": partial(of, operation=BOOT, holder=FOREIGN),
}
#: Fixes alone, named by the item that they fix.
FIXES = {
    **{
        f"{item}: {name}": (RULES, request(after))
        for name, after in CHANGED.items()
        for item, request in ITEMS.items()
    },
    "move: a value": (MOVES, of(IDE, MOVE)),
    "image: the one of the server": (RULES, of(IDE, BOOT, Holder(None, "p1"))),
    "image: the one that is named": (
        RULES,
        of_image(Image(IDE, holder=NOBODY), NAMED),
    ),
    "volume: one without an id": (
        RULES,
        of_image(Image(IDE, None, VOLUME), NAMED),
    ),
    "two places, and two that nothing helps": places(),
    "volume: a removal": (RULES, of(SOUND, BOOT, Holder("7701"), VOLUME)),
    "image: a floppy": (RULES, of(FLOPPY)),
    "image: a list that is unreadable": (RULES, of({"mappings": "["})),
    "image: an entry that is unreadable": (RULES, of({"mappings": "[{}, 1]"})),
    "body: a list that is unreadable": (RULES, *of_body("[")),
    "body: a kind": (RULES, *of_body([{"device_type": "lun"}])),
    "body: a floppy": (RULES, *of_body([{"device_type": "floppy"}])),
    **{
        f"copy: of format {disk}": (
            RULES,
            of(IDE, BOOT, Holder("$(x)", "a b", disk)),
        )
        for disk in ("aki", "$(x)")
    },
    "nothing helps": (NOTHING_HELPS, of({"hw_vif_model": "e1000"})),
    "nothing helps: an architecture": (
        allowing({"architecture": ["x86_64"]}),
        of({"hw_architecture": "s390x"}),
    ),
    "nothing is known of a search that was stopped": (
        RULES,
        of({"mappings": json.dumps([{"disk_bus": "ide"}] * 40)}),
    ),
    "a kept disk_bus": (RULES, *kept_bus("disk_bus")),
    "a kept floppy_bus": (RULES, *kept_bus("floppy_bus")),
    **{
        f"passthrough: {kind}": (
            OTHER,
            *of_hardware(passthrough=(Passthrough(kind, "x", source),)),
        )
        for kind, source in (
            ("aliases", "flavor extra spec pci_passthrough:alias"),
            ("ports", "port 9a1b"),
            ("device_profiles", "accelerator of port 9a1b"),
            ("mdev", "flavor extra spec resources:VGPU"),
        )
    },
    "passthrough: mdev for one use": (
        allowing(
            {},
            passthrough={
                "allow": {"mdev": ["x"]},
                "require": ["one_time_use"],
            },
        ),
        *of_hardware(BOOT, passthrough=(MDEV,)),
    ),
}
#: Texts of servers' faults.
FAULTS = {
    "fault: passthrough": (OTHER, of_hardware(passthrough=(ALIAS,))[0]),
    "fault: whole violations": (
        BASELINE,
        of(
            {
                **TWO,
                "img_config_drive": "mandatory",
                "hw_cdrom_bus": "ide",
                "hw_video_model": "cirrus",
                "hw_sound_model": "sb16",
                "hw_scsi_model": "lsilogic",
            }
        ),
    ),
    "fault: a default": (BASELINE, ISO),
    "fault: what must be set": (SECURE_BOOT, of({})),
    "fault: a volume": (BASELINE, OF_VOLUME),
    "fault: a reference": (RULES, of({"base_image_ref": "http://x"})),
}


def cases() -> dict[str, Callable[[], str]]:
    """Return the function that makes each sentence, by its case's name."""
    kept = Violation(("guest_devices.disk_bus",), KEPT, Mode.ENFORCE)
    own = Message("a text", "a source", "a value", fix="ask")
    left = [Violation(("hosts.require",), own, Mode.ENFORCE)]
    fix = Fix(Draft(Subject(BOOT)), left)
    return {
        **{name: partial(answered, *row) for name, row in ANSWERS.items()},
        "nothing is said of the fix": partial(messages.describe, [kept]),
        **{name: partial(fixed, *row) for name, row in FIXES.items()},
        "a message with a fix of its own": partial(fixes.words, fix),
        **{name: partial(fault, *row) for name, row in FAULTS.items()},
    }


if __name__ == "__main__":
    made = {name: make() for name, make in cases().items()}
    text = yaml.safe_dump(made, sort_keys=False, allow_unicode=True)
    FILE.write_text(f"# SPDX-License-Identifier: Apache-2.0\n{text}")

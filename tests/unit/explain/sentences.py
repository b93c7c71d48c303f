# SPDX-License-Identifier: Apache-2.0
"""Cases for every kind of sentence in a refusal or a fix, one for each.

    python -m tests.unit.explain.sentences

writes ``sentences.yaml`` again. Review its difference. The other tests assert
data, so a change of wording changes only this file.
"""

import json
from collections.abc import Callable, Iterator
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

#: The name of a case, and what makes its sentence.
Case = tuple[str, Callable[[], str]]

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


def answers() -> Iterator[Case]:
    """Yield complete answers."""
    yield "a property", partial(answered, BASELINE, of(IDE))
    yield "two properties", partial(answered, BASELINE, of(TWO))
    yield (
        "a legacy value",
        partial(answered, BASELINE, of({"hw_vif_model": "VirtualE1000"})),
    )
    yield (
        "capitals",
        partial(
            answered, allowing({"pmu": ["false"]}), of({"hw_pmu": "True"})
        ),
    )
    iso = of({"hw_machine_type": "pc"}, disk="iso")
    yield "a default", partial(answered, BASELINE, iso)
    yield (
        "nothing is allowed",
        partial(answered, BASELINE, of(SOUND)),
    )
    yield (
        "what libosinfo picks",
        partial(answered, UNKNOWN, of({"os_distro": "win\x1b[31m"})),
    )
    yield "what Nova picks", partial(answered, SECURE_BOOT, of({}))
    yield "what the host decides", partial(answered, DRIVE, of({}))
    yield "a signature that is missing", partial(answered, SIGNED, of({}))
    yield (
        "a volume",
        partial(answered, BASELINE, of(IDE, BOOT, Holder("7701"), VOLUME)),
    )
    specs = {"hw:tpm_model": "tpm-tis", "hw:tpm_version": "2.0"}
    yield "a flavor", partial(answered, RULES, *of_flavor(specs))
    yield (
        "a block device",
        partial(answered, RULES, *of_body([{}, {"disk_bus": "ide"}])),
    )
    both = [{"disk_bus": "ide"}, {"disk_bus": "fdc"}]
    yield "two block devices", partial(answered, RULES, *of_body(both))
    yield (
        "a reference",
        partial(
            answered,
            RULES,
            of({"base_image_ref": "http://x", "hw_disk_bus": "virtio"}),
        ),
    )
    yield (
        "what an outsider wrote",
        partial(
            answered,
            BASELINE,
            of({"hw_disk_bus": "ide\u202e\r\nX: 1\x00`ls`" + "x" * 5000}),
        ),
    )
    kept = DeviceChoice("disk_bus", "ide", "bus of the server's disk hda")
    source = "flavor extra spec pci_passthrough:alias"
    alias = Passthrough("aliases", "gpu", source)
    yield (
        "passthrough",
        partial(
            answered,
            allowing({}, passthrough={"allow": {"aliases": ["other"]}}),
            *of_hardware(passthrough=(alias,)),
        ),
    )
    violation = Violation(("guest_devices.disk_bus",), kept, Mode.ENFORCE)
    yield "nothing is said of the fix", partial(messages.describe, [violation])


def of_fixes() -> Iterator[Case]:
    """Yield fixes, named by the item that they fix."""
    for name, after in (
        ("a value", IDE),
        ("two values", TWO),
        ("a removal", SOUND),
        ("a list", LISTED),
        ("all of these", {**TWO, **NEITHER, **LISTED}),
    ):
        for operation in (UPDATE, SNAPSHOT):
            request = change({}, after, operation)
            yield f"{operation}: {name}", partial(fixed, RULES, request)
        yield (
            f"upload: {name}",
            partial(fixed, RULES, of(after, UPLOAD, NOBODY)),
        )
        yield f"image: {name}", partial(fixed, RULES, of(after))
        stored = of(after, REBUILD, STORED)
        yield f"server: {name}", partial(fixed, RULES, stored)
        yield f"copy: {name}", partial(fixed, RULES, of(after, BOOT, FOREIGN))
    yield "move: a value", partial(fixed, MOVES, of(IDE, MOVE))
    yield (
        "image: the one of the server",
        partial(fixed, RULES, of(IDE, BOOT, Holder(None, "p1"))),
    )
    who = Subject(BOOT, "p1", image="1f2e")
    named = of_image(Image(IDE, holder=NOBODY), who)
    yield "image: the one that is named", partial(fixed, RULES, named)
    volume = of_image(Image(IDE, None, VOLUME), who)
    yield "volume: one without an id", partial(fixed, RULES, volume)
    yield "two places, and two that nothing helps", partial(fixed, *places())
    yield (
        "volume: a removal",
        partial(fixed, RULES, of(SOUND, BOOT, Holder("7701"), VOLUME)),
    )
    yield "image: a floppy", partial(fixed, RULES, of(FLOPPY))
    yield (
        "image: a list that is unreadable",
        partial(fixed, RULES, of({"mappings": "["})),
    )
    yield (
        "image: an entry that is unreadable",
        partial(fixed, RULES, of({"mappings": "[{}, 1]"})),
    )
    yield (
        "body: a list that is unreadable",
        partial(fixed, RULES, *of_body("[")),
    )
    yield (
        "body: a kind",
        partial(fixed, RULES, *of_body([{"device_type": "lun"}])),
    )
    yield (
        "body: a floppy",
        partial(fixed, RULES, *of_body([{"device_type": "floppy"}])),
    )
    for disk in ("aki", "$(x)"):
        holder = Holder("$(x)", "a b", disk)
        yield (
            f"copy: of format {disk}",
            partial(fixed, RULES, of(IDE, BOOT, holder)),
        )
    yield (
        "nothing helps",
        partial(fixed, NOTHING_HELPS, of({"hw_vif_model": "e1000"})),
    )
    yield (
        "nothing helps: an architecture",
        partial(
            fixed,
            allowing({"architecture": ["x86_64"]}),
            of({"hw_architecture": "s390x"}),
        ),
    )
    yield (
        "nothing is known of a search that was stopped",
        partial(
            fixed,
            RULES,
            of({"mappings": json.dumps([{"disk_bus": "ide"}] * 40)}),
        ),
    )
    for kind in ("disk_bus", "floppy_bus"):
        source = "bus of the server's disk hda"
        kept = DeviceChoice(kind, "x", source, "hda", SERVER, device="hda")
        yield (
            f"a kept {kind}",
            partial(
                fixed,
                RULES,
                *of_hardware(choices=(kept,), only=frozenset((kind,))),
            ),
        )
    allowed = {"allow": {"aliases": ["other"]}}
    for kind, source in (
        ("aliases", "flavor extra spec pci_passthrough:alias"),
        ("ports", "port 9a1b"),
        ("device_profiles", "accelerator of port 9a1b"),
        ("mdev", "flavor extra spec resources:VGPU"),
    ):
        rules = allowing({}, passthrough=allowed)
        asked = Passthrough(kind, "x", source)
        yield (
            f"passthrough: {kind}",
            partial(fixed, rules, *of_hardware(passthrough=(asked,))),
        )
    once = {"allow": {"mdev": ["x"]}, "require": ["one_time_use"]}
    yield (
        "passthrough: mdev for one use",
        partial(
            fixed,
            allowing({}, passthrough=once),
            *of_hardware(BOOT, passthrough=(asked,)),
        ),
    )
    own = Message("a text", "a source", "a value", fix="ask")
    left = [Violation(("hosts.require",), own, Mode.ENFORCE)]
    fix = Fix(Draft(Subject(BOOT)), left)
    yield "a message with a fix of its own", partial(fixes.words, fix)


def faults() -> Iterator[Case]:
    """Yield the texts of servers' faults."""
    alias = Passthrough("aliases", "gpu", "flavor extra spec x")
    devices, _ = of_hardware(passthrough=(alias,))
    other = allowing({}, passthrough={"allow": {"aliases": ["other"]}})
    yield "fault: passthrough", partial(fault, other, devices)
    many = {
        **TWO,
        "img_config_drive": "mandatory",
        "hw_cdrom_bus": "ide",
        "hw_video_model": "cirrus",
        "hw_sound_model": "sb16",
        "hw_scsi_model": "lsilogic",
    }
    yield "fault: whole violations", partial(fault, BASELINE, of(many))
    iso = of({"hw_machine_type": "pc"}, disk="iso")
    yield "fault: a default", partial(fault, BASELINE, iso)
    yield "fault: what must be set", partial(fault, SECURE_BOOT, of({}))
    volume = of(IDE, BOOT, Holder("7701"), VOLUME)
    yield "fault: a volume", partial(fault, BASELINE, volume)
    yield (
        "fault: a reference",
        partial(fault, RULES, of({"base_image_ref": "http://x"})),
    )


def cases() -> dict[str, Callable[[], str]]:
    """Return the function that makes each sentence, by its case's name."""
    return dict([*answers(), *of_fixes(), *faults()])


if __name__ == "__main__":
    made = {name: make() for name, make in cases().items()}
    text = yaml.safe_dump(made, sort_keys=False, allow_unicode=True)
    FILE.write_text(f"# SPDX-License-Identifier: Apache-2.0\n{text}")

# SPDX-License-Identifier: Apache-2.0
"""The scheduler's gate without a scheduler: hosts in, hosts and an event out.

Real RequestSpecs and a real policy; only Placement's answer is given.
"""

import logging
import threading
from concurrent import futures
from types import SimpleNamespace
from unittest import mock

import pytest
from nova import exception, objects

from nova_vhard.gates import (
    enforcer,
    http,
    nova_release,
    nova_stored,
    posture_filter,
    scheduler,
)
from nova_vhard.placement import posture
from nova_vhard.policy.watch import PolicyUnavailable
from tests import faults, logged
from tests.functional.nova import stored
from tests.functional.nova import test_candidates as candidates
from tests.functional.nova import test_lookups as lookups
from tests.functional.nova.test_proven import Placement, host
from tests.functional.nova.test_request_spec import (
    CELL,
    IMAGE,
    requests,
    spec,
)
from tests.policy_option import policy_option
from tests.unit.helpers import never

POLICY = """\
version: "1"
applies_to: {hypervisor_type: [QEMU]}
guest_devices: {disk_bus: {allow: [virtio]}}
passthrough: {allow: {aliases: [gpu], ports: [vf]}, require: [iommu]}
"""
A, B, BARE = host("a"), host("b"), host("metal", "ironic")
OTHERS = tuple(
    host(kind, kind)
    for kind in ("ironic", "VMware vCenter Server", "hyperv", "z/VM")
)
#: The device that a flavor's alias requests, and that of a port.
GPU, PORT = requests(), requests()
del GPU.requests[1:]
del PORT.requests[0]
NO_CANDIDATE = (
    "no host with room for this server has passed the checks iommu; try again "
    "later, or use no passthrough devices"
)


LOGGER = "nova_vhard.gates"
OTHER_ID = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"
HINT = {"scheduler_hints": {"_nova_check_type": ["rebuild"]}}
REBUILD = {**HINT, "force_hosts": ["a"]}
MOVED = {"requested_destination": objects.Destination(cell=CELL)}
OLD = {"pci_passthrough:alias": "old:1"}
ASKS_GPU = {"pci_passthrough:alias": "gpu:1"}


def flavor(number="1", specs=(), **sizes):
    """Return a flavor by its id."""
    return objects.Flavor(
        name="f", flavorid=number, extra_specs=dict(specs or ()), **sizes
    )


#: A request to the gate, and the result: the policy; properties of the image;
#: its id, "" for a server on a volume; fields of the RequestSpec, and of the
#: server that Nova has stored; its block devices; classes whose database does
#: not answer; hosts, and the hosts that are left, none for a refusal; a part
#: of the reason, and text that it must not contain; the event; ids that the
#: gate looks up in Cinder; requests to Placement, None for any number.
USUAL = {
    "policy": POLICY,
    "image": {},
    "image_id": IMAGE,
    "fields": {},
    "stored": {},
    "disks": (),
    "away": (),
    "hosts": (A,),
    "left": (),
    "text": "",
    "unsaid": None,
    "operation": "boot",
    "outcome": "refuse",
    "rules": (),
    "cinder": (),
    "posture": None,
}


def refuses(**fields):
    """Return a case that differs from the usual one in some fields."""
    assert fields.keys() <= USUAL.keys()
    return SimpleNamespace(**{**USUAL, **fields})


def spec_of(case):
    """Return the request of a case."""
    shown = {"id": case.image_id} if case.image_id else {}
    meta = {**shown, "properties": case.image}
    given = {"image": objects.ImageMeta.from_dict(meta), **case.fields}
    return spec(**given)


BUS, CDROM, ALLOW, REQUIRE, SIGNATURE, KIND, RESCUE, CONTROLLER = (
    "guest_devices.disk_bus",
    "guest_devices.cdrom_bus",
    "passthrough.allow",
    "passthrough.require",
    "guest_devices.image_signature",
    "guest_devices.device_type",
    "guest_devices.rescue_bus",
    "guest_devices.scsi_model",
)
IDE = {"hw_disk_bus": "ide"}
IDE_TEXT = "hw_disk_bus=ide"
#: A typo: the policy cannot be loaded.
BROKEN = POLICY.replace("[virtio]", "[virtoi]")
CDROMS = POLICY.replace("disk_bus", "cdrom_bus")
KINDS = POLICY.replace("{disk_bus", "{device_type: {allow: [lun]}, disk_bus")
ONCE = POLICY.replace("require: [iommu]", "require: [one_time_use]")
USED = candidates.host(candidates.candidate("used"))
LENIENT = f"{POLICY}moves: {{guest_devices: warn, hosts: warn}}\n"
#: A check that every host must have passed.
OF_ALL = f"{POLICY}hosts: {{require: [kernel_aslr]}}\n"
LISTED = {
    "hw_machine_type": "pc",
    "img_block_device_mapping": [{"device_type": "cdrom"}],
}
SIGNED = """\
version: "1"
guest_devices: {image_signature: {allow: ["?*"], explicit: true}}
"""
EXEMPT_FILE = f"""{SIGNED}
exemptions:
  - id: unsigned
    reason: from before there were keys
    projects: [p1]
    images: [{IMAGE}]
    rules: {{guest_devices.image_signature: "*"}}
    until: 2999-12-31
"""
EXEMPTS = f"""{POLICY}
exemptions:
  - id: old
    reason: its driver
    projects: [p1]
    rules: {{guest_devices.disk_bus: [ide], passthrough.require: [iommu]}}
    until: 2999-12-31
"""
VOLUME = {"source_type": "volume", "destination_type": "volume"}
#: Root disks, and what of Cinder is asked for the image of each.
ROOTS = {
    "volume": ({"volume_id": lookups.VOLUME}, (lookups.VOLUME,)),
    # The volume of a new server does not exist yet.
    "snapshot": (
        {"snapshot_id": lookups.SNAPSHOT},
        (lookups.SNAPSHOT, lookups.VOLUME),
    ),
}
OTHER_VOLUME = {**VOLUME, "volume_id": OTHER_ID}
#: A disk next to a signed image (its id; "" for a server on a volume), and
#: whether all that the guest can boot is signed.
FILES = {
    "root of the image": (
        IMAGE,
        {
            **VOLUME,
            "source_type": "image",
            "boot_index": 0,
            "image_id": IMAGE,
        },
        True,
    ),
    "root of another image": (
        IMAGE,
        {
            **VOLUME,
            "source_type": "image",
            "boot_index": 0,
            "image_id": OTHER_ID,
        },
        False,
    ),
    "second disk": (IMAGE, {**OTHER_VOLUME, "boot_index": 1}, False),
    "disk that is not booted": (
        IMAGE,
        {**OTHER_VOLUME, "boot_index": -1},
        True,
    ),
    "disk without a boot index": (
        IMAGE,
        {**OTHER_VOLUME, "boot_index": None},
        True,
    ),
    "blank disk": (
        IMAGE,
        {**VOLUME, "source_type": "blank", "boot_index": 1},
        True,
    ),
    # The RequestSpec has the metadata of the root volume.
    "root volume": ("", {**OTHER_VOLUME, "boot_index": 0}, True),
    "root volume of a snapshot": (
        "",
        {**OTHER_VOLUME, "boot_index": 0, "snapshot_id": OTHER_ID},
        False,
    ),
    "second volume": ("", {**OTHER_VOLUME, "boot_index": 1}, False),
}


def by_image(image, project="p1"):
    """Return a policy with an exemption of an image, and of no other."""
    held = f"projects: [{project}]\n    images: [{image}]"
    return EXEMPTS.replace("projects: [p1]", held)


def allowed(*left, **more):
    """Return a case of a request that is let through."""
    rules = more.get("rules")
    more = {"outcome": "warn" if rules else "allow", **more}
    return refuses(left=left, **more)


def of_file(image_id, disk, signed):
    """Return the case of a boot of a signed image next to a disk."""
    more = {
        "policy": SIGNED,
        "image": {"img_signature": "c2ln"},
        "image_id": image_id,
        "disks": (disk,),
    }
    return allowed(A, **more) if signed else refuses(rules=[SIGNATURE], **more)


CASES = {
    "proven": allowed(A, BARE, hosts=(B, A, BARE)),
    # The hint of a tenant makes no rebuild of a boot.
    "hint": allowed(A, BARE, hosts=(B, A, BARE), fields=HINT),
    "unproven": refuses(hosts=(B,), text=NO_CANDIDATE, rules=[REQUIRE]),
    # Break glass
    "off": allowed(
        A,
        B,
        hosts=(A, B),
        policy=f"{POLICY}enabled: false\n",
        image=IDE,
        outcome="disabled",
        posture=0,
    ),
    "warned": allowed(
        B,
        hosts=(B,),
        policy=POLICY.replace("require:", "mode: warn, require:"),
        rules=[REQUIRE],
    ),
    # A device in mode audit, and no host in mode enforce
    "audited": refuses(
        policy=POLICY.replace("[virtio]", "[virtio], mode: audit"),
        image=IDE,
        hosts=(B,),
        text=NO_CANDIDATE,
        rules=[BUS, REQUIRE],
    ),
    # A refused device is for hosts that are not judged.
    "device": refuses(image=IDE, text=IDE_TEXT, rules=[BUS], posture=0),
    "device, ironic": refuses(
        image=IDE, hosts=(A, BARE), left=[BARE], rules=[BUS], posture=0
    ),
    # Nova adds what an image lists to the rows of the BuildRequest.
    "listed": allowed(A, policy=CDROMS, image=LISTED),
    "listed, stored": refuses(
        policy=CDROMS,
        image=LISTED,
        disks=(
            {
                **VOLUME,
                "source_type": "blank",
                "device_type": "cdrom",
                "disk_bus": "ide",
            },
        ),
        text="block device[0].disk_bus=ide",
        rules=[CDROM],
    ),
    # An unknown type is judged.
    "types": refuses(
        image=IDE,
        hosts=(
            *OTHERS,
            A,
            *(host(str(kind), kind) for kind in ("qemu", None)),
        ),
        left=OTHERS,
        rules=[BUS],
        posture=0,
    ),
    "every type": refuses(
        policy=POLICY.replace("[QEMU]", "[QEMU, ironic]"),
        image=IDE,
        hosts=(A, BARE),
        text=IDE_TEXT,
        rules=[BUS],
    ),
    # Nova calls no filter without hosts; the filter must not fail, though.
    "no host": allowed(hosts=(), policy=POLICY.replace("[iommu]", "[]")),
    # The devices of each host are judged after the hosts.
    **{
        f"once: {operation}": refuses(
            policy=f"{ONCE}moves: {{hosts: audit}}\n",
            fields={"pci_requests": GPU, **more},
            hosts=(USED,),
            text="no device for gpu can be shown to be one_time_use",
            operation=operation,
            rules=[REQUIRE],
        )
        for operation, more in (("boot", {}), ("move", MOVED))
    },
    "once, warned": allowed(
        USED,
        hosts=(USED,),
        policy=ONCE.replace("require:", "mode: warn, require:"),
        fields={"pci_requests": GPU},
        rules=[REQUIRE],
    ),
    # All checks are one question to Placement.
    "of all": refuses(
        policy=OF_ALL,
        fields={"flavor": flavor("1", {**ASKS_GPU, "vhard:require": "iommu"})},
        hosts=(B,),
        text="has passed the checks iommu, kernel_aslr; try again later",
        rules=["hosts.require", REQUIRE, "vhard:require"],
        posture=1,
    ),
    # No host has a check of a newer release. Placement is not asked for it:
    # its answer to the whole question would be an error.
    "unknown check": refuses(
        fields={"flavor": flavor("1", {"vhard:require": "iommu,novel"})},
        text="no host of this cloud has passed the checks iommu, novel; ask "
        "the cloud's operator, or use a flavor without vhard:require",
        rules=["vhard:require"],
        posture=0,
    ),
    # No flavor names the device that a port requests.
    "port": refuses(
        policy=POLICY.replace("[vf]", "[pf]"),
        fields={"flavor": flavor(), "pci_requests": PORT},
        text="asks for vf (allowed: pf)",
        rules=[ALLOW],
    ),
    "unproven port": refuses(
        fields={"flavor": flavor(), "pci_requests": PORT},
        hosts=(B,),
        text=NO_CANDIDATE,
        rules=[REQUIRE],
    ),
    "moved port": allowed(
        A,
        hosts=(A, B),
        policy=LENIENT.replace(", ports: [vf]", ""),
        fields={"flavor": flavor(), "pci_requests": PORT, **MOVED},
        stored={"flavor": flavor(), "pci_requests": PORT},
        operation="move",
        rules=[ALLOW],
    ),
    # The RequestSpec does not have it.
    "port that was plugged in, unproven": refuses(
        fields={"flavor": flavor(), **MOVED},
        stored={"flavor": flavor(), "pci_requests": PORT},
        hosts=(B,),
        text=NO_CANDIDATE,
        operation="move",
        rules=[REQUIRE],
    ),
    # A device for which no request is stored. That of the host before an
    # evacuation stays until that host returns.
    **{
        name: refuses(
            fields={"flavor": flavor(), **MOVED},
            stored={
                "flavor": flavor(),
                "pci_devices": objects.PciDeviceList(
                    objects=[
                        objects.PciDevice(
                            address="0000:81:00.1",
                            compute_node_id=node,
                            dev_type=kind,
                            request_id=OTHER_ID,
                        )
                    ]
                ),
            },
            hosts=(B,),
            operation="move",
            **more,
        )
        for name, node, kind, more in (
            (
                "port that is being plugged in, unproven",
                1,
                "type-VF",
                {"text": NO_CANDIDATE, "rules": [REQUIRE]},
            ),
            (
                "port that is being attached, refused",
                1,
                "type-PF",
                {
                    "policy": f"{POLICY}moves: {{guest_devices: enforce}}\n",
                    "text": "port that is being attached asks for pf ",
                    "rules": [ALLOW],
                    "posture": 0,
                },
            ),
            (
                "device of the host before an evacuation",
                2,
                "type-VF",
                {"left": [B], "outcome": "allow", "posture": 0},
            ),
        )
    },
    "alias that the new flavor does not name": allowed(
        B,
        hosts=(B,),
        policy=POLICY.replace("aliases: [gpu], ", ""),
        fields={"flavor": flavor("2"), **MOVED},
        stored={"flavor": flavor("1", ASKS_GPU), "pci_requests": GPU},
        operation="resize",
        posture=0,
    ),
    "port that was detached": allowed(
        B,
        hosts=(B,),
        fields={"flavor": flavor(), "pci_requests": PORT, **MOVED},
        stored={"flavor": flavor()},
        operation="move",
        posture=0,
    ),
    "moved port, unproven": refuses(
        policy=LENIENT.replace(", ports: [vf]", ""),
        fields={"flavor": flavor(), "pci_requests": PORT, **MOVED},
        stored={"flavor": flavor(), "pci_requests": PORT},
        hosts=(B,),
        text=NO_CANDIDATE,
        operation="move",
        rules=[ALLOW, REQUIRE],
    ),
    # The RequestSpec does not keep what a rescue of it would boot.
    **{
        f"rescue, {origin}": refuses(
            stored={
                "system_metadata": {
                    "image_base_image_ref": "http://203.0.113.1/image"
                }
            },
            image_id=image_id,
            text=f"{origin} property base_image_ref=",
            rules=["guest_devices"],
        )
        for image_id, origin in ((IMAGE, "image"), ("", "volume"))
    },
    **{f"file: {name}": of_file(*row) for name, row in FILES.items()},
    # The image is exempt, and the disks that are booted next to it are not.
    **{
        f"exempt image, {len(disks)} more": refuses(
            policy=EXEMPT_FILE, disks=disks, **more
        )
        for disks, more in (
            ((), {"left": [A], "outcome": "allow"}),
            (({**OTHER_VOLUME, "boot_index": 1},), {"rules": [SIGNATURE]}),
        )
    },
    # A device that no project may ask for moves to a proven host.
    "move": allowed(
        A,
        hosts=(A, B),
        fields={"flavor": flavor("1", OLD), **MOVED},
        stored={"flavor": flavor("1", OLD)},
        operation="move",
        rules=[ALLOW],
    ),
    # It does not move to a host without proof, in any mode of ``moves``.
    "move, unproven": refuses(
        policy=LENIENT,
        fields={"flavor": flavor("1", OLD), **MOVED},
        stored={"flavor": flavor("1", OLD)},
        hosts=(B,),
        text=NO_CANDIDATE,
        operation="move",
        rules=[ALLOW, REQUIRE],
    ),
    "kept": allowed(
        A,
        hosts=(A, B),
        fields={"flavor": flavor("2", OLD), **MOVED},
        stored={"flavor": flavor("1", OLD)},
        operation="resize",
        rules=[ALLOW],
    ),
    **{
        f"brought in: {asked} after {had}": refuses(
            policy=LENIENT,
            fields={
                "flavor": flavor("2", {"pci_passthrough:alias": asked}),
                **MOVED,
            },
            stored={"flavor": flavor("1", had)},
            text=text,
            operation="resize",
            rules=[ALLOW],
        )
        for had, asked, text in (
            ({}, "old:1", "old"),
            (OLD, "old:2", "old"),
            (OLD, "old:1,new:1", "new"),
        )
    },
    "brought in, proven": allowed(
        A,
        hosts=(A, B),
        policy=LENIENT,
        fields={"flavor": flavor("2", ASKS_GPU), **MOVED},
        stored={"flavor": flavor("1")},
        operation="resize",
    ),
    "brought in, unproven": refuses(
        policy=LENIENT,
        fields={"flavor": flavor("2", ASKS_GPU), **MOVED},
        stored={"flavor": flavor("1")},
        hosts=(B,),
        text=NO_CANDIDATE,
        operation="resize",
        rules=[REQUIRE],
    ),
    "given up": allowed(
        A,
        B,
        hosts=(A, B),
        fields={"flavor": flavor("2"), **MOVED},
        stored={"flavor": flavor("1", OLD)},
        operation="resize",
    ),
    # For the hosts, a resize is a move. ``moves.hosts`` is warn by default.
    **{
        f"{operation} to a host, {mode or 'default'}": refuses(
            policy=OF_ALL + (f"moves: {{hosts: {mode}}}\n" if mode else ""),
            fields={"flavor": flavor(number), **MOVED},
            stored={"flavor": flavor("1")},
            hosts=(B,),
            operation=operation,
            rules=["hosts.require"],
            **more,
        )
        for operation, number in (("move", "1"), ("resize", "2"))
        for mode, more in (
            ("", {"left": [B], "outcome": "warn"}),
            ("enforce", {"text": "passed the checks kernel_aslr; try again"}),
        )
    },
    "move to a proven host": allowed(
        A,
        hosts=(A, B),
        policy=f"{OF_ALL}moves: {{hosts: enforce}}\n",
        fields={"flavor": flavor("1"), **MOVED},
        stored={"flavor": flavor("1")},
        operation="move",
    ),
    # A rebuild does not move the device, so it needs no proof.
    "rebuild with a device": allowed(
        B,
        hosts=(B,),
        fields={"flavor": flavor("2", OLD), **REBUILD},
        operation="rebuild",
        rules=[ALLOW],
    ),
    # A rebuild is charged with its image alone.
    "rebuild": refuses(
        image=IDE,
        fields={"flavor": flavor("2", OLD), **REBUILD},
        text=IDE_TEXT,
        operation="rebuild",
        unsaid="old",
        rules=[BUS, ALLOW],
    ),
    "exempt boot": allowed(A, B, hosts=(A, B), policy=EXEMPTS, image=IDE),
    **{
        f"exempt by {held}": allowed(
            A,
            B,
            hosts=(A, B),
            policy=EXEMPTS.replace("projects: [p1]", held),
            image=IDE,
        )
        for held in (
            "roles: [member]",
            'flavors: ["1"]',
            "flavors: [m1.small]",
        )
    },
    **{
        f"not exempt by {held}": refuses(
            policy=EXEMPTS.replace(old, held),
            image=IDE,
            text=IDE_TEXT,
            rules=[BUS],
            posture=0,
        )
        for old, held in (
            ("projects: [p1]", "roles: [other]"),
            ("projects: [p1]", 'flavors: ["2"]'),
            ("projects: [p1]", "projects: [p2]"),
            ("2999-12-31", "2020-01-01"),
        )
    },
    "exempt rebuild": allowed(
        A,
        B,
        hosts=(A, B),
        policy=EXEMPTS,
        image=IDE,
        fields=REBUILD,
        operation="rebuild",
    ),
    "not exempt": refuses(
        policy=EXEMPTS,
        image=IDE,
        fields={"flavor": flavor("2", OLD), **MOVED},
        text="old",
        operation="resize",
        rules=[ALLOW],
    ),
    # The RequestSpec does not have the image of a volume.
    **{
        f"{place} of {image}, {project}": refuses(
            policy=by_image(image, project),
            image=IDE,
            image_id="",
            disks=({**VOLUME, "boot_index": 0, **root},),
            cinder=asked if project == "p1" else (),
            **(
                {"left": [A], "outcome": "allow"}
                if held
                else {"text": IDE_TEXT, "rules": [BUS]}
            ),
        )
        for place, (root, asked) in ROOTS.items()
        for project, image, held in (
            ("p1", lookups.IMAGE, True),
            ("p1", OTHER_ID, False),
            ("p2", lookups.IMAGE, False),
        )
    },
    # Cinder is not asked for the image of a request.
    "image of its own": allowed(
        A,
        policy=by_image(OTHER_ID),
        image=IDE,
        image_id=OTHER_ID,
        disks=({**VOLUME, "boot_index": 0, **ROOTS["volume"][0]},),
    ),
    # If the cell is down, neither devices nor flavor of a server are known.
    **{
        f"{asked} away, {image} {specs}": refuses(
            away=[asked],
            stored={"flavor": flavor("1", specs)},
            image=image,
            fields={"flavor": flavor("1", specs), **MOVED},
            left=left,
            text="" if left else "old",
            operation="move",
            outcome=outcome,
            rules=rules,
        )
        for asked in ("Instance", "BlockDeviceMappingList")
        for image, specs, left, outcome, rules in (
            ({}, {}, [A], "allow", []),
            (IDE, {}, [A], "warn", [BUS]),
            ({}, OLD, [], "refuse", [ALLOW]),
        )
    },
    # Only the same device with the same value is accepted in a move.
    "disks": allowed(
        A,
        disks=(
            {**VOLUME, "device_name": "/dev/sdb", "disk_bus": "ide"},
            # It was attached while the server had no host.
            VOLUME,
        ),
        fields={"flavor": flavor(), **MOVED},
        operation="move",
        rules=[BUS],
    ),
    **{
        f"config drive {drive!r}": allowed(
            A,
            policy=CDROMS,
            stored={
                "config_drive": drive,
                "system_metadata": {"image_hw_machine_type": "pc"},
            },
            image={"hw_machine_type": "pc"},
            fields={"flavor": flavor(), **MOVED},
            operation="move",
            rules=rules,
        )
        for drive, rules in (("", []), ("True", [CDROM]))
    },
    # A rebuild with the server's own image changes neither its RequestSpec,
    # from which a resize makes the guest, nor the buses of its disks.
    "machine of the request": refuses(
        policy=CDROMS,
        stored={
            "config_drive": "True",
            "system_metadata": {"image_hw_machine_type": "q35"},
        },
        image={"hw_machine_type": "pc"},
        fields={"flavor": flavor("2"), **MOVED},
        operation="resize",
        rules=[CDROM],
    ),
    # No server has what is only Nova's default for a request without it.
    "default of the request": refuses(
        policy=POLICY.replace(
            "disk_bus: {allow: [virtio]}", "machine_type: {allow: [q35]}"
        ),
        stored={"system_metadata": {"image_hw_machine_type": "q35"}},
        image={},
        fields={"flavor": flavor("2"), **MOVED},
        text="machine",
        operation="resize",
        rules=["guest_devices.machine_type"],
    ),
    "controller of the request": refuses(
        policy=POLICY.replace(
            "disk_bus: {allow: [virtio]}", "scsi_model: {allow: [virtio-scsi]}"
        ),
        stored={
            "image_ref": IMAGE,
            "system_metadata": {
                "image_hw_disk_bus": "scsi",
                "image_hw_scsi_model": "virtio-scsi",
            },
        },
        disks=({**VOLUME, "device_name": "/dev/sdb", "disk_bus": "scsi"},),
        image={},
        fields={"flavor": flavor("2"), **MOVED},
        operation="resize",
        rules=[CONTROLLER],
    ),
    # No server has what only a rescue would give it.
    "rescue bus": refuses(
        policy=POLICY.replace("disk_bus", "rescue_bus"),
        stored={
            "image_ref": IMAGE,
            "system_metadata": {"image_hw_rescue_bus": "ide"},
        },
        image={"hw_rescue_bus": "ide"},
        fields={"flavor": flavor("2"), **MOVED},
        text="hw_rescue_bus=ide",
        operation="resize",
        rules=[RESCUE],
    ),
    # Nova adds swap and an ephemeral disk on the bus of the image.
    **{
        f"flavor with {wanted} after {had}": refuses(
            stored={
                "flavor": flavor("1", **had),
                "image_ref": IMAGE,
                "system_metadata": {"image_hw_disk_bus": "ide"},
            },
            disks=(
                {
                    "source_type": "image",
                    "destination_type": "local",
                    "device_name": "/dev/hda",
                    "boot_index": 0,
                    "image_id": IMAGE,
                },
            ),
            image=IDE,
            fields={"flavor": flavor("2", **wanted), **MOVED},
            left=left,
            text="" if left else IDE_TEXT,
            operation="resize",
            outcome="warn" if left else "refuse",
            rules=[BUS],
        )
        for had, wanted, left in (
            ({}, {}, [A]),
            ({}, {"swap": 512}, []),
            ({}, {"ephemeral_gb": 1}, []),
            ({"swap": 512, "ephemeral_gb": 1}, {"swap": 1024}, [A]),
        )
    },
    # Nova writes the kind of every disk into its database.
    "image's own disk": allowed(
        A,
        policy=KINDS,
        disks=(
            {
                "source_type": "image",
                "destination_type": "local",
                "device_type": "disk",
            },
        ),
    ),
    "another disk": refuses(
        policy=KINDS,
        disks=(
            {
                "source_type": "blank",
                "destination_type": "local",
                "device_type": "disk",
            },
        ),
        text="device_type=disk",
        rules=[KIND],
    ),
}


GATES, EVENTS = "nova_vhard.gates", "nova_vhard.policy.events"
#: Functions that fail, in the order in which a request calls them.
FAULTS = (
    f"{GATES}.enforcer.PolicyEnforcer.policy",
    f"{GATES}.scheduler.request_spec.read",
    f"{GATES}.scheduler.request_spec.subject",
    f"{GATES}.nova_stored._build_request",
    f"{GATES}.nova_stored.block_device.read",
    "nova_vhard.request.server_request.evaluate",
    f"{GATES}.scheduler.host_rules.host_requirements",
    f"{EVENTS}.write",
)
#: The length of a fault's message in Nova's database.
FAULT = 255


@pytest.fixture
def gate(tmp_path, monkeypatch, caplog):
    """Yield the gate of a cloud in which only host a has passed a check."""
    caplog.set_level(logging.INFO)
    with policy_option(tmp_path, POLICY) as path:
        placement = Placement("a")
        monkeypatch.setattr(
            posture_filter, "_connect", lambda _limit: placement
        )
        made = scheduler.VirtHardeningFilter()
        made.placement, made.policy_file = placement, path
        made.stored = stored.Stored(monkeypatch.setattr)
        yield made


def reason(gate, hosts, request):
    """Return why no host is left."""
    with pytest.raises(exception.NoValidHost) as raised:
        gate.filter_all(iter(hosts), request)
    return raised.value.kwargs["reason"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_verdicts(gate, caplog, case):
    gate.policy_file.write_text(case.policy)
    gate.stored.fields, gate.stored.disks = case.stored, case.disks
    gate.stored.away = set(case.away)
    again = scheduler.VirtHardeningFilter()
    again._volumes = cinder = mock.Mock(spec=type(again._volumes))
    cinder.get.return_value = lookups.IN_CINDER
    cinder.get_snapshot.return_value = lookups.OF_CINDER
    request = spec_of(case)
    if case.outcome != "refuse" or case.left:
        left = again.filter_all(iter(case.hosts), request)
        assert left == list(case.left)
    else:
        text = reason(again, case.hosts, request)
        assert case.text in text
        assert case.unsaid is None or case.unsaid not in text
    (event,) = logged.decisions(caplog)
    assert event["gate"] == "scheduler"
    verdict = (event["operation"], event["outcome"], event["rules"])
    assert verdict == (case.operation, case.outcome, [*case.rules])
    # A rebuild needs no lookup; break glass does none.
    looked_up = case.operation != "rebuild" and case.outcome != "disabled"
    assert bool(gate.stored.asked) is looked_up
    asked = len(gate.placement.asked)
    assert case.posture in (None, asked)
    who = request._context
    calls = [each.args for each in cinder.mock_calls]
    assert calls == [(who, name) for name in case.cinder]
    warning = (
        "WARNING",
        f"The cell of server {request.instance_uuid} does not answer, so that "
        "its RequestSpec alone is judged: away",
    )
    lines = logged.lines(caplog, f"{LOGGER}.nova_stored")
    assert lines == [warning] * len(case.away)


@pytest.mark.refused_policy
def test_a_bad_edit_keeps_the_last_valid_policy(gate):
    """Also in a service that is started again."""
    gate.policy_file.write_text(BROKEN)
    refused = spec_of(refuses(image=IDE))
    for _ in range(2):
        assert gate.filter_all([A], spec()) == [A]
        assert IDE_TEXT in reason(gate, [A], refused)
        enforcer._policy_file.cache_clear()
        gate = scheduler.VirtHardeningFilter()


@pytest.mark.refused_policy
@pytest.mark.parametrize(
    ("text", "said"), [(BROKEN, "guest_devices.disk_bus"), (None, None)]
)
def test_no_scheduler_starts_without_a_policy(tmp_path, text, said):
    with policy_option(tmp_path, text or "") as path:
        if text is None:
            path.unlink()
        with pytest.raises(PolicyUnavailable, match=said) as raised:
            scheduler.VirtHardeningFilter()
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("kind", faults.KINDS)
@pytest.mark.parametrize("place", FAULTS)
def test_no_host_is_left_if_the_gate_fails(gate, place, kind):
    request = spec()
    with mock.patch(place, faults.failing(kind)), faults.errors() as logged:
        text = reason(gate, [A], request)
    assert text == http.fault_text(request._context)
    assert len(text) < FAULT
    faults.check_logged(logged, kind)


@pytest.mark.parametrize("log", [faults.DECISIONS, faults.OURS])
def test_no_host_is_left_if_the_log_cannot_be_written(gate, log):
    request = spec()
    with faults.broken_log(log):
        text = reason(gate, [A], request)
    assert text == http.fault_text(request._context)


def test_without_a_context_the_id_of_a_request_is_not_known(gate):
    assert reason(gate, [A], None) == http.fault_text(None)


def test_a_request_of_an_older_nova_lacks_fields(gate):
    who, flavor_ = spec()._context, objects.Flavor(name="f", flavorid="1")
    bare = objects.RequestSpec(
        who, flavor=flavor_, instance_uuid=OTHER_ID, image=None
    )
    assert gate.filter_all([A], bare) == [A]


PATIENCE = 60


def test_a_placement_that_hangs_delays_no_boot(gate, monkeypatch):
    """Not while its last answer counts."""
    now, gate_of_answer = [1000.0], threading.Event()
    # Who waits does it for longer than this test.
    monkeypatch.setattr(posture, "WAIT", 10 * PATIENCE)
    gate._hosts._posture = posture.Posture(
        lambda: gate.placement,
        60,
        600,
        posture.Clock(lambda: now[0], sleep=never),
        10 * PATIENCE,
    )
    gate.policy_file.write_text(f"{POLICY}hosts: {{require: [iommu]}}\n")
    assert gate.filter_all([A, B], spec()) == [A]
    now[0] += 70
    gate.placement.providers = lambda *_: gate_of_answer.wait(PATIENCE)
    with futures.ThreadPoolExecutor(1) as pool:
        boot = pool.submit(gate.filter_all, [A, B], spec())
        assert boot.result(PATIENCE) == [A]
    gate_of_answer.set()


def test_the_filter_runs_once_for_each_request(gate):
    assert [gate.run_filter_for_index(each) for each in (0, 1)] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("release", "ignored"),
    [
        (31, ["one_time_use", "passthrough_one_time_use"]),
        (32, []),
        (34, []),
    ],
)
def test_what_a_release_ignores(monkeypatch, release, ignored):
    monkeypatch.setattr(nova_release, "release", lambda: release)
    checks = ("passthrough_one_time_use", "iommu", "one_time_use")
    assert nova_release.ignored(checks) == ignored


def test_the_last_good_policy_is_kept_for_this_service(gate, tmp_path):
    kept = {each.name for each in (tmp_path / "state").iterdir()}
    assert kept == {
        "policy-nova-scheduler.json",
        "policy-nova-scheduler.json.runs",
    }


BUILT = ["BuildRequest"]
IN_CELL = ["InstanceMapping", "Instance", "BlockDeviceMappingList"]


@pytest.mark.parametrize(
    ("new", "fields", "asked"),
    [
        (True, {}, BUILT),
        (True, HINT, BUILT),
        # Nova does not mark every move.
        (False, {}, [*BUILT, "InstanceMapping", *IN_CELL]),
        (False, MOVED, IN_CELL),
        (False, REBUILD, []),
    ],
    ids=["boot", "hint", "unmarked", "move", "rebuild"],
)
def test_it_is_read_once_and_by_an_administrator(gate, new, fields, asked):
    """The user who moves a server may not be allowed to see it."""
    gate.stored.new = new
    request = spec(flavor=flavor(), **fields)
    assert gate.filter_all(iter([A, B]), request) == [A, B]
    assert [name for name, _ in gate.stored.asked] == asked
    assert all(who.is_admin for _, who in gate.stored.asked)
    assert gate.stored.servers <= {request.instance_uuid}
    cells = {
        who.cell_uuid for name, who in gate.stored.asked if name in IN_CELL[1:]
    }
    assert cells <= {stored.CELL.uuid}
    assert not request._context.is_admin


def test_an_exemption_by_an_image_that_cinder_does_not_tell(gate, caplog):
    gate.policy_file.write_text(by_image(lookups.IMAGE))
    root, _ = ROOTS["volume"]
    gate.stored.disks = ({**VOLUME, "boot_index": 0, **root},)
    gate._volumes = SimpleNamespace()
    request = spec_of(refuses(image=IDE, image_id=""))
    assert IDE_TEXT in reason(gate, [A], request)
    assert logged.lines(caplog, f"{LOGGER}.nova_images") == [
        (
            "WARNING",
            "The image of a root volume is not known: "
            "'types.SimpleNamespace' object has no attribute 'get'",
        )
    ]


@pytest.mark.parametrize(
    ("late", "deleted", "fields", "pauses"),
    [
        (True, False, {}, 1),
        (False, False, {}, 1),
        (False, True, {}, 0),
        (False, False, MOVED, 0),
    ],
    ids=["late", "never", "deleted", "moved"],
)
def test_a_server_that_is_in_no_database_yet(
    gate, monkeypatch, late, deleted, fields, pauses
):
    """Nova stores a new server before it calls a scheduler."""
    gate.stored.deleted = deleted
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        gate.stored.new = late

    monkeypatch.setattr(nova_stored.time, "sleep", sleep)
    gate.stored.new, gate.stored.cell = False, None
    if late:
        assert gate.filter_all(iter([A]), spec()) == [A]
    else:
        assert reason(gate, [A], spec(**fields)) == nova_stored.GONE
    assert slept == [nova_stored.LATE] * pauses
    assert all(who.is_admin for _, who in gate.stored.asked)


@pytest.mark.parametrize("asked", ["BuildRequest", "InstanceMapping"])
def test_no_host_is_left_without_novas_api_database(gate, asked):
    gate.stored.away, gate.stored.new = {asked}, asked == "BuildRequest"
    request = spec(**({} if gate.stored.new else MOVED))
    assert reason(gate, [A], request) == http.fault_text(request._context)

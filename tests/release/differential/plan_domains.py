# SPDX-License-Identifier: Apache-2.0
"""Domains that Nova generates for the guests that a policy allows.

Each has one value more than a guest that every policy allows: of an image
property, of an extra spec, or of a block device.
"""

import datetime
import itertools
import json
import pathlib
import re
import shlex
from collections.abc import Iterator
from xml.etree import ElementTree

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.osc.qemu.needs import Plan
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import evaluate
from tests.release.differential import choices, nova_domains
from tests.release.differential.compare import asked_for
from tests.release.differential.values import VOLUME

TODAY = datetime.date(2026, 11, 27)
#: What every policy lets through, with a controller for the SCSI bus.
_CLEAN = {
    "hw_machine_type": "q35",
    "hw_disk_bus": "virtio",
    "hw_cdrom_bus": "sata",
    "hw_scsi_model": "virtio-scsi",
    "hw_vif_model": "virtio",
    "hw_video_model": "virtio",
    "hw_input_bus": "virtio",
    "hw_firmware_type": "uefi",
}
#: Property to what Nova wants beside it.
_BESIDE = {
    "hw_tpm_model": {"hw_tpm_version": "2.0"},
    "hw_mem_encryption_model": {
        "hw_mem_encryption": "true",
        "hw_firmware_stateless": "true",
        "hw_video_model": "none",
    },
    "hw_redirected_usb_ports": {"hw_input_bus": "usb"},
    "hw_sound_model": {"hw_input_bus": "usb"},
}
#: Kinds that need no image property, or more values than they have.
_MORE = {
    "hw_machine_type": ("q35", "pc"),
    "hw_redirected_usb_ports": ("1", "4"),
    "hw_serial_port_count": ("1", "3"),
}
_DISKS = (
    ("floppy", "fdc"),
    ("lun", "scsi"),
    *(("cdrom", bus) for bus in ("ide", "sata", "scsi", "usb")),
    *(("disk", bus) for bus in ("ide", "sata", "scsi", "usb", "virtio")),
)
#: What libvirt's command line calls otherwise than ``-device help``.
_ALIASES = {"lsi": "lsi53c895a", "ahci": "ich9-ahci"}


def guests(plan: Plan) -> Iterator[tuple[str, choices.Guest]]:
    """Yield the guests that a policy lets through, each with its name."""
    for name, properties, specs, disks in _asked():
        for machine in plan.machines:
            guest = choices.Guest(
                {**_CLEAN, "hw_machine_type": machine, **properties},
                "raw",
                specs,
                [dict(choices.ROOT), *disks],
                True,
                plan.policy.assume,
            )
            if not evaluate(
                plan.policy, asked_for(guest), Subject(BOOT), TODAY
            ).refusals:
                yield f"{machine} {name}", guest


def _asked() -> Iterator[tuple[str, dict, dict, list]]:
    for kind in KINDS.values():
        # An image of another architecture is for other hosts.
        for name in {*kind.image_properties[:1]} - {"hw_architecture"}:
            for value in _MORE.get(name, kind.values):
                yield (
                    f"{name}={value}",
                    {**_BESIDE.get(name, {}), name: value},
                    {},
                    [],
                )
    # What a host adds by [DEFAULT] pointer_model, if anything
    yield "hw_input_bus", {"hw_input_bus": ""}, {}, []
    yield "hw:pmem=4GB", {}, {"hw:pmem": "4GB"}, []
    for kind, bus in _DISKS:
        disk = {
            "source_type": "volume",
            "destination_type": "volume",
            "uuid": VOLUME,
            "boot_index": -1,
            "device_type": kind,
            "disk_bus": bus,
        }
        yield f"{kind} on {bus}", {}, {}, [disk]


def made(host: nova_domains.Host, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the domain of each guest that Nova makes, with its name."""
    seen = set()
    for name, guest in guests(plan):
        xml = host.domain(guest)
        # Nova's metadata about the image does not describe a device.
        told = xml and re.sub("(?s)<metadata>.*</metadata>", "", xml)
        if xml and told not in seen:
            seen.add(told)
            yield name, xml


def devices(argv: str) -> set[str]:
    """Return the devices that a command line of QEMU's adds."""
    named = (
        json.loads(word)["driver"] if word[0] == "{" else word.split(",")[0]
        for option, word in itertools.pairwise(shlex.split(argv))
        if option == "-device"
    )
    return {_ALIASES.get(name, name) for name in named}


def machine(argv: str) -> str:
    """Return the machine type of a QEMU command line."""
    words = shlex.split(argv)
    return words[words.index("-machine") + 1].partition(",")[0]


def startable(xml: str, emulator: pathlib.Path, place: pathlib.Path) -> str:
    """Return a domain with the same devices on what this machine has.

    Disks and persistent memory are files, network cards have a tap of their
    own, and no secret encrypts a TPM.

    :param place: folder for the files
    """
    domain = ElementTree.fromstring(xml)
    devices = domain.find("devices")
    assert devices is not None
    domain.set("type", "qemu")
    for cpu in domain.findall("cpu"):
        cpu.attrib.clear()
        cpu.set("mode", "maximum")
    ElementTree.SubElement(devices, "emulator").text = str(emulator)
    for number, disk in enumerate(devices.findall("disk")):
        _remake(disk, "source", file=str(_file(place / f"{number}.img", 1)))
        _remake(disk, "driver", name="qemu", type="raw")
        disk.set("type", "file")
    for card in devices.findall("interface"):
        card.set("type", "ethernet")
        for name in ("source", "virtualport"):
            _remake(card, name)
    for port in devices.findall("serial/log/.."):
        _remake(port, "log")
    for memory in devices.findall("memory/source"):
        memory.find("path").text = str(_file(place / "pmem.img", 4096))
    for backend in devices.findall("tpm/backend"):
        _remake(backend, "encryption")
    return ElementTree.tostring(domain, encoding="unicode")


def _remake(parent: ElementTree.Element, tag: str, **attributes: str) -> None:
    """Put another element in the place of one; none if it has nothing."""
    for element in parent.findall(tag):
        parent.remove(element)
    if attributes:
        ElementTree.SubElement(parent, tag, attrib=attributes)


def _file(path: pathlib.Path, mib: int) -> pathlib.Path:
    path.touch()
    with path.open("r+b") as file:
        file.truncate(mib << 20)
    return path

# SPDX-License-Identifier: Apache-2.0
"""Comparison of a domain's XML with the judged request and Nova's devices."""

from typing import Any
from xml.etree import ElementTree

import nova.conf

from nova_vhard.catalogue.domain_devices import FILES
from nova_vhard.catalogue.domain_xml import UNTOLD
from nova_vhard.conf import guard as guard_conf
from nova_vhard.policy.hardware import DOMAIN, HardwareRequest
from nova_vhard.policy.subject import BOOT
from nova_vhard.request import domain
from tests.release.differential.choices import Guest
from tests.release.differential.compare import Given, judged

CONF = nova.conf.CONF

#: Why a domain does not tell a value that Nova gives, by device kind. A kind
#: of UNTOLD is told for no value.
NOT_TOLD: dict[str, str] = {
    **UNTOLD,
    "disk_bus": "the bus of what is plugged in later",
    "usb_model": "none, and what libvirt picks where a tablet is on USB",
    "secure_boot": "disabled, and without UEFI whatever the image says",
    "input_bus": "Nova adds a tablet on USB by [DEFAULT] pointer_model, and "
    "a keyboard off x86",
    "rng_model": "Nova adds one unless the flavor forbids it",
    "machine_type": "an empty one is libvirt's to fill in",
    "serial_port_count": "without [serial_console] there is one port",
    "rescue_device": "a disk is what a rescue has by itself",
}
_X86 = ("i686", "x86_64")
#: Device kind to the one that the gates judge such a value as.
_JUDGED_AS = {
    "cdrom_bus": "disk_bus",
    "emulation_architecture": "architecture",
    "floppy_bus": "disk_bus",
}


def read(xml: str, guest: Guest) -> domain.Domain:
    """Read a domain as on the host of a guest, by the guard's defaults."""
    nova = CONF.instances_path
    folders = {
        option.name: [
            path.replace("/var/lib/nova/instances", nova)
            for path in option.default
        ]
        for option in guard_conf.OPTS
        if option.name in FILES
    }
    return domain.read(xml.encode(), BOOT, guest.host.architecture, folders)


def values_of(result: domain.Domain) -> dict[str, set[Any]]:
    """Return each kind's values, under all their names."""
    values: dict[str, set[Any]] = {}
    for choice in result.request.choices:
        assert choice.origin == DOMAIN
        names = {choice.value, *choice.synonyms}
        values.setdefault(choice.kind, set()).update(names)
    return values


def check_no_surprise(
    result: domain.Domain, request: HardwareRequest, host: Any
) -> None:
    """Check that a host judges nothing that no gate has judged.

    What libosinfo picks is unknown to the gates, and known here. A CD-ROM or
    floppy that Nova puts onto the disks' bus is judged with the disks there.
    An image of another architecture never gets to a host by itself. Nova
    writes no timer for an HPET with virt_type qemu, and where a PC is to be
    of another architecture. QEMU has no such PC, so that no guest is lost by
    the guard's refusal.
    """
    known = judged(request, host)
    for kind, other in _JUDGED_AS.items():
        known[kind] = known.get(kind, set()) | known.get(other, set())
    assert not result.request.faults
    kinds = {choice.kind for choice in result.request.choices}
    foreign = (
        host.architecture not in _X86 or "emulation_architecture" in kinds
    )
    no_timers = host.virt_type == "qemu" or foreign
    for choice in result.request.choices:
        values = known.get(choice.kind, set())
        names = {choice.value, *choice.synonyms}
        # an empty machine type is libvirt's to fill in
        known_here = None in values or "" in values
        known_here |= choice.kind == "hpet" and no_timers
        assert names & values or known_here, (choice, values)


def check_nothing_missed(xml: str, given: Given, guest: Guest) -> None:
    """Check that what Nova gives is told, or that it is known why not."""
    values = values_of(read(xml, guest))
    for kind, some in given.items():
        for value in some - values.get(kind, set()):
            assert kind in NOT_TOLD, (kind, value, values)
            if kind == "usb_model":
                check_controller(xml, value)
            elif kind == "secure_boot":
                uefi = "uefi" in values["firmware_type"]
                assert not uefi or value == "disabled", (value, values)
            elif kind == "machine_type":
                assert not value, (value, values)
            elif kind == "input_bus":
                tablet = "pointer_model" in given
                assert tablet or not is_x86(xml), (value, values)
            elif kind == "disk_bus":
                check_later_bus(value, guest)


def check_later_bus(value: str, guest: Guest) -> None:
    """Check that a bus is that of disks which are plugged in later."""
    names = {"hw_disk_bus", "vmware_adaptertype", "disk_bus"}
    given = bool(names & guest.properties.keys())
    assert given or guest.devices, (value, guest)


def check_controller(xml: str, value: str) -> None:
    """Check that there is no controller, or the one that libvirt picks.

    Nova drops the model where the guest has a tablet on USB.
    """
    root = ElementTree.fromstring(xml)
    path = f"devices/controller[@type='usb'][@model='{value}']"
    if value != "none" and root.findall(path):
        assert not is_x86(xml), (value, xml)


def is_x86(xml: str) -> bool:
    """Return whether a guest is of x86."""
    system = ElementTree.fromstring(xml).find("os/type")
    return system is not None and system.get("arch") in _X86

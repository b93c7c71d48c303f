# SPDX-License-Identifier: Apache-2.0
"""The devices in a domain's XML, judged by the shipped policy baseline.

Read from the XML and the policy file alone: nothing of what is tested here
takes part.  What libvirt adds by itself is added here.
"""

import fnmatch
from collections.abc import Iterator
from importlib import resources

import yaml
from lxml import etree

#: Kind of device and what it is.
Device = tuple[str, str]

#: What libvirt gives a guest of QEMU on x86_64 that names no model.
_SCSI_MODEL, _CARD = "lsilogic", "rtl8139"
_BUSES = {"disk": "disk_bus", "cdrom": "cdrom_bus", "floppy": "floppy_bus"}


def devices(domain: str, plugged: tuple[str, ...] = ()) -> set[Device]:
    """Return the devices of a guest.

    :param plugged: XML of devices that were plugged in since
    """
    root = etree.fromstring(domain)
    for xml in plugged:
        root.find("devices").append(etree.fromstring(xml))
    result = {*_disks(root), *_models(root), *_passed_through(root)}
    if any(device[1] == "scsi" for device in result):
        result |= set(_scsi_controllers(root))
    kind = root.find("os/type")
    return {*result, ("vm_mode", kind.text), ("machine_type", _machine(kind))}


def _machine(kind: etree._Element) -> str:
    return str(kind.get("machine") or "pc")


def _disks(root: etree._Element) -> Iterator[Device]:
    for disk in root.iterfind("devices/disk"):
        kind = disk.get("device", "disk")
        yield "device_type", kind
        target = disk.find("target")
        yield _BUSES.get(kind, "disk_bus"), target.get("bus", "ide")


def _scsi_controllers(root: etree._Element) -> Iterator[Device]:
    result = root.findall("devices/controller[@type='scsi']")
    for model in [each.get("model") for each in result] or [None]:
        yield "scsi_model", model or _SCSI_MODEL


def _models(root: etree._Element) -> Iterator[Device]:
    for card in root.iterfind("devices/interface"):
        model = card.find("model")
        if card.get("type") != "hostdev":
            yield "vif_model", _CARD if model is None else model.get("type")
    for model in root.iterfind("devices/video/model"):
        yield "video_model", model.get("type")
    for sound in root.iterfind("devices/sound"):
        yield "sound_model", sound.get("model")
    for iommu in root.iterfind("devices/iommu"):
        yield "viommu_model", iommu.get("model")
    for _ in root.iterfind("devices/redirdev"):
        yield "redirected_usb_ports", "1"


def _passed_through(root: etree._Element) -> Iterator[Device]:
    for _ in root.iterfind("devices/hostdev"):
        yield "passthrough", "hostdev"
    for _ in root.iterfind("devices/interface[@type='hostdev']"):
        yield "passthrough", "interface"


def _rules() -> dict[str, list[str]]:
    """Return what baseline allows, where it refuses anything else."""
    files = resources.files("nova_vhard.policy") / "shipped"
    policy = yaml.safe_load((files / "baseline.yaml").read_text())
    enforced = {
        kind: [str(value) for value in rule["allow"]]
        for kind, rule in policy["guest_devices"].items()
        if rule.get("mode", policy["mode"]) == "enforce"
    }
    return {**enforced, "passthrough": []}


def broken(result: set[Device]) -> set[Device]:
    """Return the devices that baseline refuses to a new guest."""
    rules = _rules()
    return {
        (kind, value)
        for kind, value in result
        if kind in rules
        and not any(fnmatch.fnmatchcase(value, each) for each in rules[kind])
    }

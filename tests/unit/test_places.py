# SPDX-License-Identifier: Apache-2.0
"""Device kinds and checks: QEMU's names, places in the code, results."""

import itertools
import pathlib
import re
from pathlib import Path

import pytest

from nova_vhard.catalogue import (
    checks,
    devices,
    properties,
    qemu,
    results,
)
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.host.check import Status

DATA = pathlib.Path(__file__).parents[1] / "data" / "qemu"
NAMED = {each for values in qemu.DEVICES.values() for each in values.values()}
MAPPED = {device for devices in NAMED for device in devices}

# Kinds that do not select a QEMU device: the machine, its settings, and
# options of devices that always exist.
NO_DEVICE = {
    "architecture",
    "boot_menu",
    "config_drive",
    "emulation_architecture",
    "firmware_stateless",
    "firmware_type",
    "guest_agent",
    "hpet",
    "image_signature",
    "image_signature_certificate",
    "image_signature_hash",
    "image_signature_key_type",
    "ipxe_boot",
    "machine_type",
    "mem_encryption",
    "mem_encryption_model",
    "pmem",
    "pmu",
    "rng",
    "secure_boot",
    "serial_port_count",
    "tpm_secret_security",
    "tpm_version",
    "vm_mode",
}


# From module packages of Debian, which the Arm list does not include.
MODULES = {"qxl", "qxl-vga", "virtio-gpu-gl-device", "virtio-gpu-gl-pci"}


def listed(arch):
    """Return every name that Debian's QEMU lists."""
    if arch == "aarch64":
        return (
            set(
                (DATA / "device-names-aarch64.txt")
                .read_text(encoding="utf-8")
                .split()
            )
            | MODULES
        )
    text = (DATA / "device-help.txt").read_text(encoding="utf-8")
    more = (DATA / "device-names-all-modules.txt").read_text(encoding="utf-8")
    return set(re.findall(r'^name "([^"]+)"', text, re.M)) | set(more.split())


@pytest.mark.parametrize("arch", qemu.ELSEWHERE)
def test_every_device_exists(arch):
    assert len(listed(arch)) > 400
    assert listed(arch) >= MAPPED - qemu.ELSEWHERE[arch]
    # Devices in ELSEWHERE are mapped, and this architecture lacks them.
    assert not qemu.ELSEWHERE[arch] & listed(arch)
    assert qemu.ELSEWHERE[arch] <= MAPPED


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_of_nova_is_mapped(kind):
    assert (kind in qemu.DEVICES) != (kind in NO_DEVICE)
    if kind in qemu.DEVICES and KINDS[kind].value_type == "enum":
        assert set(qemu.DEVICES[kind]) == set(KINDS[kind].values)


def test_the_lists_have_no_leftovers():
    assert set(qemu.KCONFIG) <= MAPPED
    assert set().union(*qemu.SELECTED.values()) <= set(qemu.KCONFIG.values())
    # Only these have no configuration symbol of their own in QEMU.
    assert MAPPED - set(qemu.KCONFIG) == {
        "spapr-vlan",
        "usb-redir",
    }


# CONTRIBUTING.rst names every place of a device kind and of a host check.

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.rst").read_text()
#: Where not each kind has to be, or not by its name; asked for apart.
APART = (
    "nova_vhard/host/checks/",
    "nova_vhard/catalogue/domain_xml.py",
    "nova_vhard/catalogue/qemu.py",
    "nova_vhard/catalogue/properties.py",
    "tests/unit/judge.golden",
    "tests/release/differential/values.py",
)


def place_listed(what):
    """Return the list of places, and their paths."""
    text = GUIDE.split(f"Places of a {what}:\n\n")[1].split("\n\n")[0]
    return text, re.findall(r"^- ``([^`]+)``", text, re.M)


def lacking(what, name):
    """Return the places in which a name is missing."""
    return [
        place
        for place in [
            each for each in place_listed(what)[1] if each not in APART
        ]
        if all(name not in path.read_text() for path in ROOT.glob(place))
    ]


@pytest.mark.parametrize("name", devices.KINDS)
def test_a_kind_is_in_all_places(name):
    text, _ = place_listed("device kind")
    assert not lacking("device kind", name), text
    assert not {*devices.KINDS[name].image_properties} & {
        *properties.NOT_DEVICES
    }, text


@pytest.mark.parametrize("name", checks.CHECKS)
def test_a_check_is_in_all_places(name):
    assert not lacking("host check", name), place_listed("host check")[0]


def test_all_places_are_there():
    kinds = ("device kind", "host check")
    places = [place for what in kinds for place in place_listed(what)[1]]
    assert [place for place in places if not [*ROOT.glob(place)]] == []


# Traits of check results: encoding, decoding, and damaged traits.


@pytest.mark.parametrize("shift", range(len(Status)))
def test_what_is_written_is_read(shift):
    statuses = dict(
        zip(
            checks.CHECKS,
            itertools.islice(itertools.cycle(Status), shift, None),
            strict=False,
        )
    )
    # Only the check's own trait says that the check has passed.
    assert results.decode(results.encode(statuses)) == {
        name: statuses[name]
        for name in checks.OURS
        if statuses[name] is not Status.PASS
    }


def test_they_are_few_short_names_that_placement_takes():
    assert (results.encode({}), len(results.TRAITS)) == (
        frozenset(),
        (3 * len(checks.OURS)),
    )
    # All traits of a host are in a single URL.
    most = results.encode(dict.fromkeys(checks.CHECKS, Status.FAIL))
    assert len(",".join(most)) < 700
    for name in results.TRAITS:
        assert re.fullmatch("CUSTOM_VHSTATUS_[0-9]{2}_[FUN]", name)


@pytest.mark.parametrize(
    ("traits", "status"),
    [
        (["CUSTOM_VHSTATUS_01_F"], "FAIL"),
        (["CUSTOM_VHSTATUS_01_P"], None),
        (["CUSTOM_VHSTATUS_01_F\n"], None),
        (["CUSTOM_VHSTATUS_1_F"], None),
        (["CUSTOM_VHSTATUS_00_XFXX"], None),
        (["CUSTOM_VHARD_IOMMU", "COMPUTE_NODE", ""], None),
        (["CUSTOM_VHSTATUS_01_F", "CUSTOM_VHSTATUS_01_N"], "UNKNOWN"),
        (["CUSTOM_VHSTATUS_01_F", "CUSTOM_VHSTATUS_02_N"], "FAIL"),
        (["CUSTOM_VHSTATUS_99_F"], None),
    ],
)
def test_what_is_damaged_or_contradicts_itself_is_unknown(traits, status):
    assert checks.OURS["iommu"] == "Check-Virt-01"
    assert results.decode(traits).get("iommu") == status

# SPDX-License-Identifier: Apache-2.0
"""The mapping from Nova's names to QEMU's, against a real QEMU's lists."""

import pathlib
import re

import pytest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.qemu import DEVICES, ELSEWHERE, KCONFIG, SELECTED

DATA = pathlib.Path(__file__).parents[1] / "data" / "qemu"
NAMED = {each for values in DEVICES.values() for each in values.values()}
MAPPED = {device for devices in NAMED for device in devices}

# Kinds that choose no device of QEMU's by themselves: the machine and its
# settings, and switches of what is always there.
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


# Of Debian's packages of modules, which were not installed for Arm's list.
MODULES = {"qxl", "qxl-vga", "virtio-gpu-gl-device", "virtio-gpu-gl-pci"}


def listed(arch):
    """Return every name that Debian's QEMU lists."""
    if arch == "aarch64":
        names = (DATA / "device-names-aarch64.txt").read_text(encoding="utf-8")
        return set(names.split()) | MODULES
    text = (DATA / "device-help.txt").read_text(encoding="utf-8")
    more = (DATA / "device-names-all-modules.txt").read_text(encoding="utf-8")
    return set(re.findall(r'^name "([^"]+)"', text, re.M)) | set(more.split())


@pytest.mark.parametrize("arch", ELSEWHERE)
def test_every_device_exists(arch):
    assert len(listed(arch)) > 400
    assert listed(arch) >= MAPPED - ELSEWHERE[arch]
    # And what is said to be elsewhere is, and is mapped.
    assert not ELSEWHERE[arch] & listed(arch)
    assert ELSEWHERE[arch] <= MAPPED


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_of_nova_is_mapped(kind):
    assert (kind in DEVICES) != (kind in NO_DEVICE)
    if kind in DEVICES and KINDS[kind].value_type == "enum":
        assert set(DEVICES[kind]) == set(KINDS[kind].values)


def test_the_lists_have_no_leftovers():
    assert set(DEVICES) | NO_DEVICE == set(KINDS)
    assert set(KCONFIG) <= MAPPED
    assert set().union(*SELECTED.values()) <= set(KCONFIG.values())
    # Only these are not separate parts of QEMU's build.
    assert MAPPED - set(KCONFIG) == {
        "spapr-vlan",
        "usb-redir",
    }

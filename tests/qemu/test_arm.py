# SPDX-License-Identifier: Apache-2.0
"""The QEMU that was built for aarch64's guests: what it offers and starts."""

import re

import pytest

from tests.qemu import arm, build, plans, source

# Nobody's choice, and in each build: parts of virt, of virtio and of PCI.
COMES_ALONG = {
    "pc-dimm",
    "pci-bridge-seat",
    "ramfb",
    "virtio-multitouch-device",
    "virtio-multitouch-pci",
}


@pytest.fixture(scope="module")
def emulator(dsc):
    return arm.emulator(dsc)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    place = tmp_path_factory.mktemp("plan")
    return plans.of(plans.BUILT, place, *plans.EXTRAS, arch=arm.ARCH)


def test_it_offers_what_the_plan_has_and_nothing_that_it_leaves_out(
    emulator, plan
):
    build.check_devices(emulator, plan, COMES_ALONG)


def test_it_has_one_machine(emulator):
    text = source.run(emulator, "-machine", "help", cwd=emulator.parent)
    names = set(re.findall(r"^(\S+) +", text, re.M)) - {"Supported", "none"}
    assert "virt" in names
    assert {name.partition("-")[0] for name in names} == {"virt"}


def start(emulator, *devices):
    words = [word for device in devices for word in ("-device", device)]
    board = ("-machine", "virt,iommu=smmuv3", "-cpu", "cortex-a57")
    return build.start(emulator, *board, *words)


def test_it_starts_what_libvirt_would_start(emulator):
    done = start(
        emulator,
        *("pcie-root-port,id=p1,chassis=1", "virtio-gpu-pci,bus=p1"),
        *("virtio-scsi-pci,id=scsi", "scsi-cd,bus=scsi.0", "vmcoreinfo"),
        *("virtio-net-pci,romfile=", "virtio-keyboard-pci"),
        *("virtio-balloon-pci", "virtio-rng-pci", "virtio-serial-pci"),
    )
    assert not done.returncode, done.stderr


@pytest.mark.parametrize("device", ["e1000", "usb-kbd", "VGA", "ide-hd"])
def test_it_refuses_what_the_policy_refuses(emulator, device):
    done = start(emulator, device)
    assert done.returncode == 1
    assert f"'{device}' is not a valid device model name" in done.stderr

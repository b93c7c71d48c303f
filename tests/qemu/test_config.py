# SPDX-License-Identifier: Apache-2.0
"""What is generated, and the catalogue, against QEMU's own sources."""

import pathlib
import re
import subprocess

import pytest

from nova_vhard.catalogue import qemu, qemu_build
from nova_vhard.osc.qemu import files
from tests.qemu import kconfig, plans

DATA = pathlib.Path(__file__).parents[1] / "data" / "qemu"
POLICIES = ("baseline", "strict", "permissive")
EXTRAS = ((), tuple(qemu_build.EXTRAS))
SYMBOLS = set(qemu.KCONFIG.values())
# Symbols of machines that are not x86's.
FOREIGN = {
    qemu.KCONFIG[device]
    for device in qemu.ELSEWHERE & set(qemu.KCONFIG)
    if not device.startswith("virtio-")
}


@pytest.fixture(scope="module", params=POLICIES)
def policy(request):
    return request.param


@pytest.mark.parametrize("extras", EXTRAS, ids=("plain", "extras"))
def test_the_checker_accepts_the_configuration(tree, tmp_path, policy, extras):
    plan = plans.of(policy, tmp_path, *extras)
    text = files.devices(plan)
    found = kconfig.check(tree, text, tmp_path, set(plan.features))
    # All that was asked for, and nothing that was to stay out.
    assert set(plan.symbols) <= found
    left = {qemu.KCONFIG.get(one) for one in plan.left_devices} - {None}
    left -= set(plan.symbols) | {qemu.KCONFIG[one] for one in plan.patched()}
    assert not left & found


@pytest.mark.parametrize("symbol", ["E1000", "NO_SUCH_DEVICE", "ide_dev"])
def test_the_checker_would_find_a_wrong_one(tree, tmp_path, symbol):
    plan = plans.of("strict", tmp_path)
    text = files.devices(plan) + f"CONFIG_{symbol}=y\n"
    with pytest.raises(ValueError):
        kconfig.check(tree, text, tmp_path)


def test_every_symbol_is_declared(tree):
    parts = (
        *(qemu_build.MACHINES.values()),
        *qemu_build.ALWAYS,
        *qemu_build.CHOSEN.values(),
        *qemu_build.EXTRAS.values(),
        qemu_build.PASSTHROUGH,
        qemu_build.BRIDGE,
    )
    named = {symbol for one in parts for symbol in one.symbols} | SYMBOLS
    gone = named - kconfig.declared(tree)
    assert not gone, f"gone or renamed in this QEMU: {sorted(gone)}"


@pytest.mark.parametrize("machine", qemu.SELECTED)
def test_what_a_machine_selects(tree, tmp_path, machine):
    board = qemu_build.MACHINES[machine].symbols[0]
    found = kconfig.check(tree, f"CONFIG_{board}=y\n", tmp_path)
    assert found & SYMBOLS == qemu.SELECTED[machine]


BOARD = "CONFIG_I440FX=y\nCONFIG_Q35=y\nCONFIG_VIRTIO_PCI=y\nCONFIG_USB=y\n"


@pytest.mark.parametrize("symbol", sorted(SYMBOLS - FOREIGN - {"XEN_BUS"}))
def test_what_a_symbol_selects(tree, tmp_path, symbol):
    before = kconfig.check(tree, BOARD, tmp_path)
    after = kconfig.check(tree, f"{BOARD}CONFIG_{symbol}=y\n", tmp_path)
    selected = (after - before) & SYMBOLS - {symbol}
    said = qemu.SELECTS.get(symbol, frozenset())
    assert selected == said - before


def test_every_device_is_in_the_sources(tree):
    text = "\n".join(
        path.read_text(encoding="utf-8", errors="replace")
        for folder in ("hw", "include")
        for path in sorted((tree / folder).rglob("*.[ch]"))
    )
    mapped = {
        device
        for values in qemu.DEVICES.values()
        for devices in values.values()
        for device in devices
    }
    # The number comes from a macro.
    numbered = re.compile(r"(ich9-usb-(?:ehci|uhci))\d")
    gone = [
        one
        for one in sorted(mapped)
        if f'"{numbered.sub(chr(92) + "1", one)}' not in text
    ]
    assert not gone, f"gone or renamed in this QEMU: {gone}"


def test_no_device_symbol_is_new(tree, tmp_path):
    """A full x86 build has the symbols that were looked at."""
    text = (tree / "configs/devices/i386-softmmu/default.mak").read_text()
    found = kconfig.check(tree, text, tmp_path, mode="--defconfig")
    path = DATA / "kconfig-symbols-x86.txt"
    known = set(path.read_text(encoding="utf-8").split())
    new, gone = sorted(found - known), sorted(known - found)
    assert not new and not gone, (
        f"new in this QEMU: {new}; gone: {gone}. Look at each: does a value "
        f"of Nova's need it (catalogue/qemu.py)? Then correct {path.name}"
    )


def test_every_feature_is_known_and_none_is_new(tree):
    text = subprocess.run(
        ["./configure", "--help"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    listed = text.partition("Optional features")[2]
    found = set(re.findall(r"^  ([a-z0-9][a-z0-9-]*)(?: |$)", listed, re.M))
    named = set(qemu_build.FEATURES_ON) | set(qemu_build.FEATURES_OFF)
    named |= {
        one
        for part in (*qemu_build.CHOSEN.values(), *qemu_build.EXTRAS.values())
        for one in part.options
    }
    gone = named | {"kvm"} - found
    gone -= found
    assert not gone, f"gone or renamed in this QEMU: {sorted(gone)}"
    path = DATA / "configure-features.txt"
    known = set(path.read_text(encoding="utf-8").split())
    new = sorted(found - known)
    assert not new, f"new in this QEMU: {new}; then correct {path.name}"


def test_the_patch_applies_and_takes_each_type_out(tree, tmp_path):
    plan = plans.of("strict", tmp_path)
    assert set(plan.patched()) == set(qemu.TYPES)
    done = subprocess.run(
        ["patch", "--dry-run", "-t", "-F0", "-p1"],
        input=files.types_patch(plan),
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stdout + done.stderr
    assert "fuzz" not in done.stdout
    for device, (path, variable, _line) in qemu.TYPES.items():
        text = (tree / path).read_text(encoding="utf-8")
        named = re.search(
            rf"TypeInfo {variable} = {{\s*\.name\s*= \"{device}\"", text
        )
        assert named, f"{variable} of {path} is not {device}"

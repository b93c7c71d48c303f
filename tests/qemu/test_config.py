# SPDX-License-Identifier: Apache-2.0
"""Generated files and the catalogue, compared with QEMU's own sources."""

import pathlib
import re
import subprocess

import pytest

from nova_vhard.catalogue import qemu, qemu_parts
from nova_vhard.osc.qemu import files
from tests.qemu import kconfig, plans

DATA = pathlib.Path(__file__).parents[1] / "data" / "qemu"
EXTRAS = ((), tuple(qemu_parts.EXTRAS))
SYMBOLS = set(qemu.KCONFIG.values())
# By architecture: the symbols that it has no device of.
FOREIGN = {
    arch: SYMBOLS - {qemu.KCONFIG[x] for x in set(qemu.KCONFIG) - devices}
    for arch, devices in qemu.ELSEWHERE.items()
}
# All boards and devices of each.
FULL = {
    "x86_64": "i386-softmmu/default.mak",
    "aarch64": "arm-softmmu/default.mak",
}
KNOWN = {"x86_64": "x86", "aarch64": "aarch64"}

each_architecture = pytest.mark.parametrize("arch", tuple(qemu.ELSEWHERE))


@each_architecture
@pytest.mark.parametrize("policy", ["baseline", "strict", "permissive"])
@pytest.mark.parametrize("extras", EXTRAS, ids=("plain", "extras"))
def test_the_checker_accepts_the_configuration(
    tree, tmp_path, policy, arch, extras
):
    plan = plans.of(policy, tmp_path, *extras, arch=arch)
    text = files.devices(plan)
    features = set(plan.features)
    result = kconfig.check(tree, text, tmp_path, features, arch=arch)
    # All that was asked for, and nothing that was to stay out.
    assert set(plan.symbols) <= result
    left = {qemu.KCONFIG.get(each) for each in plan.left_devices} - {None}
    left -= set(plan.symbols) | {qemu.KCONFIG[each] for each in plan.patched()}
    assert not left & result


@pytest.mark.parametrize("symbol", ["E1000", "NO_SUCH_DEVICE", "ide_dev"])
def test_the_checker_would_find_a_wrong_one(tree, tmp_path, symbol):
    text = files.devices(plans.of("strict", tmp_path))
    with pytest.raises(ValueError):
        kconfig.check(tree, f"{text}CONFIG_{symbol}=y\n", tmp_path)


def test_every_symbol_is_declared(tree):
    parts = (
        *(qemu_parts.MACHINES.values()),
        *qemu_parts.ALWAYS,
        *qemu_parts.CHOSEN.values(),
        *qemu_parts.EXTRAS.values(),
        qemu_parts.PASSTHROUGH,
        qemu_parts.BRIDGE,
    )
    named = {symbol for each in parts for symbol in each.symbols} | SYMBOLS
    gone = named - kconfig.declared(tree)
    assert not gone, f"gone or renamed in this QEMU: {sorted(gone)}"


@pytest.mark.parametrize("machine", qemu.SELECTED)
def test_what_a_machine_selects(tree, tmp_path, machine):
    board = qemu_parts.MACHINES[machine]
    text = f"CONFIG_{board.symbols[0]}=y\n"
    result = kconfig.check(tree, text, tmp_path, arch=board.only)
    assert result & SYMBOLS == qemu.SELECTED[machine]


def boards(arch):
    """Return a configuration that has the machines of an architecture."""
    named = (
        part.symbols[0]
        for part in qemu_parts.MACHINES.values()
        if part.only == arch
    )
    # The bus without which there is no disk of ATA's.
    more = ("AHCI_ICH9",) if arch == "aarch64" else ()
    symbols = (*named, "VIRTIO_PCI", "USB", *more)
    return "".join(f"CONFIG_{symbol}=y\n" for symbol in symbols)


@each_architecture
@pytest.mark.parametrize("symbol", sorted(SYMBOLS - {"XEN_BUS"}))
def test_what_a_symbol_selects(tree, tmp_path, arch, symbol):
    if symbol in FOREIGN[arch]:
        return
    board = boards(arch)
    before = kconfig.check(tree, board, tmp_path, arch=arch)
    text = f"{board}CONFIG_{symbol}=y\n"
    after = kconfig.check(tree, text, tmp_path, arch=arch)
    selected = (after - before) & SYMBOLS - {symbol}
    words = qemu.SELECTS.get(symbol, frozenset())
    assert selected == words - before


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
        each
        for each in sorted(mapped)
        if f'"{numbered.sub(chr(92) + "1", each)}' not in text
    ]
    assert not gone, f"gone or renamed in this QEMU: {gone}"


@each_architecture
def test_no_device_symbol_is_new(tree, tmp_path, arch):
    """A full build has the symbols that were looked at."""
    text = (tree / "configs" / "devices" / FULL[arch]).read_text()
    mode = "--defconfig"
    result = kconfig.check(tree, text, tmp_path, mode=mode, arch=arch)
    path = DATA / f"kconfig-symbols-{KNOWN[arch]}.txt"
    known = set(path.read_text(encoding="utf-8").split())
    new, gone = sorted(result - known), sorted(known - result)
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
    result = set(re.findall(r"^  ([a-z0-9][a-z0-9-]*)(?: |$)", listed, re.M))
    # What can be chosen among stands above them.
    valued = set(re.findall(r"^  --enable-([a-z0-9-]+)\[=", text, re.M))
    named = set(qemu_parts.FEATURES_ON) | set(qemu_parts.FEATURES_OFF)
    named |= set().union(*qemu_parts.FEATURES_OF.values())
    named |= {
        each
        for part in (*qemu_parts.CHOSEN.values(), *qemu_parts.EXTRAS.values())
        for each in part.options
    }
    gone = (named | {"kvm"}) - result - valued
    assert not gone, f"gone or renamed in this QEMU: {sorted(gone)}"
    path = DATA / "configure-features.txt"
    known = set(path.read_text(encoding="utf-8").split())
    new = sorted(result - known)
    assert not new, f"new in this QEMU: {new}; then correct {path.name}"


@each_architecture
def test_the_patch_applies_and_takes_each_type_out(tree, tmp_path, arch):
    plan = plans.of("strict", tmp_path, arch=arch)
    # Arm's build has no VGA at all.
    without = {"VGA", "secondary-vga"} if arch == "aarch64" else set()
    assert set(plan.patched()) == set(qemu.TYPES) - without
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

# SPDX-License-Identifier: Apache-2.0
"""Xen's control domain, by what Xen printed on captured machines."""

import json
import pathlib

import pytest

from nova_vhard.host import report, xen
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
from nova_vhard.node.reporter import facts_qemu
from tests.trees import build, capture

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
CHECKS = {each.name: each for each in report.load()}
NAMES = ("iommu", "interrupt_remapping", "iommu_strict")
LEFT = "/run/nova-vhard/kernel.json"

DMA = "(XEN) I/O virtualisation {}"
INTERRUPTS = "(XEN) Interrupt remapping {}"
DOMAIN = "(XEN) - Dom0 mode: {}"


def answers(root, lines=None):
    """Return the answers on a tree, by what the pre-step left of Xen."""
    if lines is not None:
        build(pathlib.Path(root), {LEFT: json.dumps({xen.FACT: lines})})
    host = Host(HostRoot(str(root)))
    results = [CHECKS[name].run(host) for name in NAMES]
    for result in results:
        assert "check failed" not in result.reason
        bad = result.status in (FAIL, UNKNOWN)
        assert bool(result.remediation) == bad
    return results


def statuses(results):
    return tuple(result.status for result in results)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ("xen-vtd2", (PASS, PASS, FAIL)),
        ("xen-vtd-off", (FAIL, FAIL, FAIL)),
    ],
)
def test_captured_machines_by_xens_own_word(tmp_path, tree, expected):
    """Without root the two look the same; the registers tell them apart."""
    root = pathlib.Path(capture(tree, tmp_path))
    assert statuses(answers(root)) == (UNKNOWN,) * 3
    console = (root / "CMD/xen-console").read_text()
    results = answers(root, xen.chosen(console))
    assert statuses(results) == expected
    assert any("I/O virtualisation" in line for line in results[0].evidence)


UUID = "6a1c4ff2-0e0b-4d0e-9d6f-3f8a2c7be111\n"
NIL = "00000000-0000-0000-0000-000000000000\n"


@pytest.mark.parametrize(
    ("kind", "uuid", "status"),
    [
        ("HVM\n", UUID, PASS),
        ("PVH\n", UUID, PASS),
        # The control domain may be one, too.
        ("PVH\n", NIL, UNKNOWN),
        ("PV\n", UUID, UNKNOWN),
        ("HVM\n", "", UNKNOWN),
        ("", UUID, UNKNOWN),
    ],
)
def test_a_guest_of_xens_is_a_virtual_machine(tmp_path, kind, uuid, status):
    """Its kernel merges the memory of guests, or not, and drives no IOMMU."""
    content = {
        "/sys/hypervisor/type": "xen\n",
        "/sys/hypervisor/guest_type": kind,
        "/sys/hypervisor/uuid": uuid,
        "/sys/kernel/mm/ksm/run": "0\n",
        "/sys/kernel/mm/ksm/pages_sharing": "0\n",
        "/sys/kernel/iommu_groups": None,
        "/sys/module": None,
        "/proc/cmdline": "quiet\n",
        "/proc/modules": "",
    }
    host = Host(HostRoot(build(tmp_path, content)))
    assert CHECKS["memory_sharing"].run(host).status is status
    expected = FAIL if status is PASS else UNKNOWN
    assert CHECKS["iommu"].run(host).status is expected


def tree(folder):
    return build(folder, {"/sys/hypervisor/type": "xen\n"})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], (UNKNOWN, UNKNOWN, UNKNOWN)),
        (None, (UNKNOWN, UNKNOWN, UNKNOWN)),
        ("no list", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ([7], (UNKNOWN, UNKNOWN, UNKNOWN)),
        (["virt_caps : pv hvm hvm_directio"], (PASS, UNKNOWN, UNKNOWN)),
        (["virt_caps : pv hvm"], (FAIL, UNKNOWN, FAIL)),
        (
            [DMA.format("enabled"), INTERRUPTS.format("disabled")],
            (PASS, FAIL, UNKNOWN),
        ),
        ([DMA.format("perhaps")], (UNKNOWN, UNKNOWN, UNKNOWN)),
        (
            [DMA.format("enabled"), DOMAIN.format("Strict")],
            (PASS, UNKNOWN, PASS),
        ),
        (
            [DMA.format("enabled"), DOMAIN.format("Passthrough")],
            (PASS, UNKNOWN, FAIL),
        ),
        # A guest prints into the same log.
        (
            [DMA.format("disabled"), "(d1) I/O virtualisation enabled"],
            (FAIL, FAIL, FAIL),
        ),
        (["(d1) (XEN) I/O virtualisation enabled"], (UNKNOWN,) * 3),
        (["(XEN) [ 1.5] I/O virtualisation disabled"], (FAIL, FAIL, FAIL)),
        # The last word counts.
        (
            [DMA.format("enabled"), DMA.format("disabled")],
            (FAIL, FAIL, FAIL),
        ),
    ],
)
def test_xens_words(tmp_path, lines, expected):
    results = answers(tree(tmp_path), lines)
    assert statuses(results) == expected
    for result in results:
        if result.status is UNKNOWN:
            assert "facts" in result.remediation
            assert "intel_iommu" not in result.remediation


def test_what_is_kept_of_a_long_console_is_bounded():
    text = "\n".join(DMA.format("enabled") + "x" * 999 for _ in range(99))
    kept = xen.chosen(f"{text}\n{DMA.format('disabled')}\nother")
    assert kept[-1] == DMA.format("disabled")
    assert len(kept) < 20
    assert all(len(line) <= 120 for line in kept)


def test_a_guest_pushes_nothing_out_of_what_is_kept():
    """Nor does it say anything in Xen's place."""
    forged = "(d7) I/O virtualisation enabled\n" * 99
    kept = xen.chosen(f"{DMA.format('disabled')}\n{forged}")
    assert kept == [DMA.format("disabled")]


def test_root_asks_no_hypervisor_for_a_tree(tmp_path):
    left = json.loads(facts_qemu.kernel(HostRoot(tree(tmp_path))))
    assert xen.FACT not in left


PROGRAM = """#!/bin/sh
case $1 in
dmesg) echo '(XEN) I/O virtualisation enabled'; echo '(XEN) secret' ;;
*) exit 1 ;;
esac
"""


def test_xl_is_asked_for_both_and_one_may_fail(tmp_path, monkeypatch):
    program = tmp_path / "xl"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setattr(xen, "_PROGRAMS", str(tmp_path))
    assert xen.ask() == [DMA.format("enabled")]
    monkeypatch.setattr(xen, "_PROGRAMS", str(tmp_path / "none"))
    assert xen.ask() == []

# SPDX-License-Identifier: Apache-2.0
"""The host checks over captured trees and over each misleading signal."""

import json

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
from tests.trees import build, capture, pci_host

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN

NIC = "0000:00:10.0"
DISK = "0000:00:12.0"
BRIDGE = "0000:00:1f.0"
GROUPS = {"0": [NIC], "1": [DISK, BRIDGE]}

REMAPPED = "\n".join(
    (
        "           CPU0       CPU1",
        "  0:        115          0  IR-IO-APIC   2-edge      timer",
        " 36:          0         29  IR-PCI-MSIX-0000:01:00.0   1-edge  eth",
        " 37:          0         29  IR-PCI-MSI 524288-edge  old-kernel",
        " 24:          0          0  DMAR-MSI   0-edge      dmar0",
        " 25:          0          0  HPET-MSI   0-edge      hpet0",
        "LOC:      38679      38734   Local timer interrupts",
        "RTR:          0          0   APIC ICR read retries",
    )
)
DIRECT = REMAPPED.replace("IR-", "")
PARTLY = REMAPPED.replace("IR-PCI-MSIX", "PCI-MSIX")

CHECKS = {each.name: each for each in report.load()}


@pytest.fixture(scope="session")
def captures(tmp_path_factory):
    return tmp_path_factory.mktemp("captures")


def run(name, root):
    result = CHECKS[name].run(Host(HostRoot(root)))
    assert result.reason
    assert bool(result.remediation) == (result.status in (FAIL, UNKNOWN))
    return result


@pytest.mark.parametrize(
    ("tree", "iommu", "remapping", "strict"),
    [
        ("vtd-on", PASS, PASS, FAIL),
        ("vtd-off", FAIL, PASS, FAIL),
        ("none", FAIL, FAIL, FAIL),
        ("apparmor-host", FAIL, FAIL, FAIL),
        ("selinux-host-permissive", FAIL, FAIL, FAIL),
    ],
)
def test_captured(captures, tree, iommu, remapping, strict):
    root = capture(tree, captures)
    assert run("iommu", root).status is iommu
    assert run("interrupt_remapping", root).status is remapping
    assert run("iommu_strict", root).status is strict
    assert run("kernel_aslr", root).status is PASS


def test_evidence_is_what_was_read(captures):
    root = capture("vtd-on", captures)
    assert run("iommu", root).evidence == (
        "/sys/class/iommu: dmar0",
        "/sys/kernel/iommu_groups: 16 groups with 18 devices",
        "offered devices were not checked individually: "
        "/run/nova-vhard/nova.json: No such file or directory",
    )
    assert run("kernel_aslr", root).evidence == (
        "/proc/sys/kernel/randomize_va_space: 2",
        "/proc/sys/kernel/kptr_restrict: 0",
        "/proc/sys/kernel/dmesg_restrict: 1",
        "/sys/kernel/security/lockdown: [none] integrity confidentiality",
    )


def without(content, *paths):
    return {
        path: text
        for path, text in content.items()
        if not path.startswith(paths)
    }


GOOD = pci_host(GROUPS)
ARM = {
    **pci_host(GROUPS, "smmu3.0x0000000009050000"),
    "/sys/firmware/devicetree/base/model": "linux,dummy-virt",
}
NOIOMMU = {
    **pci_host({"0": [NIC]}, unit=None),
    "/sys/kernel/iommu_groups/0/name": "vfio-noiommu\n",
}
PARAMETER = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
MISLEADING = {
    "/proc/cmdline": "intel_iommu=on iommu=pt\n",
    "/sys/firmware/acpi/tables/DMAR": "a table",
    "/dev/vfio/vfio": "",
    "/sys/module/vfio_pci/parameters/disable_vga": "N\n",
}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (GOOD, PASS),
        # The AMD IOMMU's own function and some bridges have no group.
        (pci_host(GROUPS, "ivhd0", "DMA", ("0000:00:00.2",)), PASS),
        ({**GOOD, PARAMETER: "N\n"}, PASS),
        # Flags, tables, loaded modules and device nodes prove nothing.
        ({**pci_host({}, unit=None), **MISLEADING}, FAIL),
        (pci_host({}, unit="dmar0"), FAIL),
        (pci_host({"0": []}), FAIL),
        # Kernels without the class folder and without groups.
        (without(pci_host({}, None), "/sys/class"), FAIL),
        # A group that vfio makes itself is no IOMMU.
        (NOIOMMU, FAIL),
        ({**GOOD, PARAMETER: "Y\n"}, FAIL),
        # Contradictions.
        (pci_host(GROUPS, unit=None), UNKNOWN),
        (
            without(GOOD, "/sys/bus/pci/devices/0")
            | {"/sys/bus/pci/devices": None},
            UNKNOWN,
        ),
        (without(GOOD, f"/sys/devices/pci0000:00/{NIC}/iommu"), UNKNOWN),
        # Half a tree.
        ({}, UNKNOWN),
        (without(GOOD, "/sys/kernel"), UNKNOWN),
        (without(GOOD, "/sys/bus"), UNKNOWN),
        (without(GOOD, "/sys/kernel/iommu_groups/0/devices"), UNKNOWN),
        (ARM, PASS),
        # Described by ACPI, or by nobody that can be seen.
        ({**ARM, "/sys/firmware/acpi/tables/IORT": ""}, PASS),
        (pci_host(GROUPS, "smmu3.0x0000000009050000"), UNKNOWN),
        # Platforms of which there is no capture.
        (pci_host(GROUPS, "arm-smmu.0x0000000009050000"), UNKNOWN),
        (pci_host(GROUPS, "virtio0"), UNKNOWN),
    ],
)
def test_iommu(tmp_path, content, status):
    assert run("iommu", build(tmp_path, content)).status is status


UUID = "6a1c4ff2-0e0b-4d0e-9d6f-3f8a2c7be111\n"
NIL = "00000000-0000-0000-0000-000000000000\n"


@pytest.mark.parametrize(
    ("kind", "uuid", "status"),
    [
        ("HVM\n", UUID, PASS),
        ("PVH\n", UUID, PASS),
        # The control domain can be one, too.
        ("PVH\n", NIL, UNKNOWN),
        ("PV\n", UUID, UNKNOWN),
        ("HVM\n", "", UNKNOWN),
        ("", UUID, UNKNOWN),
    ],
)
def test_no_check_passes_under_xen_but_in_a_virtual_machine(
    tmp_path, kind, uuid, status
):
    content = {
        **GOOD,
        "/sys/hypervisor/type": "xen\n",
        "/sys/hypervisor/guest_type": kind,
        "/sys/hypervisor/uuid": uuid,
    }
    host = Host(HostRoot(build(tmp_path, content)))
    statuses = {name: each.run(host).status for name, each in CHECKS.items()}
    assert statuses["iommu"] is status
    assert (set(statuses.values()) == {UNKNOWN}) is (status is UNKNOWN)


def test_amds_iommu_is_not_its_virtualization_of_the_processor(tmp_path):
    """AMD-V is SVM; enabling it does not enable the IOMMU."""
    empty = dict.fromkeys(("/sys/kernel/iommu_groups", "/sys/class/iommu"))
    content = {**without(GOOD, *empty), **empty}
    content["/proc/cpuinfo"] = "vendor_id\t: AuthenticAMD\n"
    result = run("iommu", build(tmp_path, content))
    assert result.status is FAIL
    assert "AMD-Vi" in result.remediation and "SVM" not in result.remediation


@pytest.mark.parametrize(
    "path",
    [
        "/sys/kernel/iommu_groups",
        "/sys/kernel/iommu_groups/0/devices",
        "/sys/class/iommu",
        "/sys/bus/pci/devices",
        PARAMETER,
    ],
)
def test_iommu_whose_evidence_is_unreadable_is_unknown(tmp_path, path):
    errors = json.dumps([[path, "EACCES"]])
    root = build(tmp_path, {**GOOD, "/ERRORS.json": errors})
    result = run("iommu", root)
    assert result.status is UNKNOWN
    assert "Permission denied" in result.reason


TYPE1 = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
IOMMUFD = "/sys/module/iommufd/parameters/allow_unsafe_interrupts"


@pytest.mark.parametrize(
    ("interrupts", "more", "status"),
    [
        (REMAPPED, {}, PASS),
        (REMAPPED, {TYPE1: "N\n"}, PASS),
        (DIRECT, {}, FAIL),
        (PARTLY, {}, FAIL),
        (REMAPPED, {TYPE1: "Y\n"}, FAIL),
        (REMAPPED, {IOMMUFD: "Y\n"}, FAIL),
        # The module is not loaded yet, but will allow them.
        (
            REMAPPED,
            {"/proc/cmdline": "vfio_iommu_type1.allow_unsafe_interrupts=1"},
            FAIL,
        ),
        (
            REMAPPED,
            {"/proc/cmdline": "vfio_iommu_type1.allow_unsafe_interrupts=0"},
            PASS,
        ),
        ("  1:  5  GICv3  27 Level  arch_timer", {}, UNKNOWN),
        ("", {}, UNKNOWN),
    ],
)
def test_interrupt_remapping(tmp_path, interrupts, more, status):
    content = {
        "/proc/interrupts": interrupts,
        "/proc/cmdline": "quiet intremap=off\n",
        "/sys/module": None,
        **more,
    }
    root = build(tmp_path, content)
    assert run("interrupt_remapping", root).status is status


Z = {"/proc/cpuinfo": "vendor_id       : IBM/S390\n# processors    : 2\n"}
POWER = {"/proc/cpuinfo": "cpu\t\t: POWER9\n\nplatform\t: PowerNV\n"}


@pytest.mark.parametrize("maker", [Z, POWER])
@pytest.mark.parametrize(
    "content",
    [
        # No unit has a name there, or one that was never looked at.
        pci_host(GROUPS, unit=None),
        pci_host(GROUPS, "iommu-phb0000"),
        pci_host({}, unit=None),
    ],
)
def test_machines_of_which_nothing_was_measured(tmp_path, maker, content):
    lines = "  4:  0  7   PCI-MSI  mlx5_async0@pci:0001:00:00.0\n"
    more = {"/proc/interrupts": lines, "/proc/cmdline": "", "/sys/module": ""}
    root = build(tmp_path, {**content, **maker, **more})
    for name in ("iommu", "iommu_strict", "interrupt_remapping"):
        result = run(name, root)
        assert result.status is UNKNOWN
        assert "not verified" in result.reason
        assert "Do not require" in result.remediation


AMD = {"/proc/cpuinfo": "vendor_id\t: AuthenticAMD\n"}


@pytest.mark.parametrize(
    ("cmdline", "more", "status"),
    [
        ("intremap=nosid", {}, FAIL),
        ("intremap=on,nosid", {}, FAIL),
        ("intremap=nosid intremap=on", {}, FAIL),
        ('"intremap=on,nosid" x', {}, FAIL),
        ('intremap="on,nosid"', {}, FAIL),
        ("intremap=on,no_x2apic_optout,nopost", {}, PASS),
        ("xintremap=nosid x=nosid -- intremap=nosid", {}, PASS),
        # There each device has a table of its own.
        ("intremap=nosid", AMD, PASS),
    ],
)
def test_remapping_that_does_not_ask_whose_an_interrupt_is(
    tmp_path, cmdline, more, status
):
    content = {
        "/proc/interrupts": REMAPPED,
        "/proc/cmdline": f"{cmdline}\n",
        "/sys/module": None,
        **more,
    }
    result = run("interrupt_remapping", build(tmp_path, content))
    assert result.status is status
    assert ("nosid" in (result.remediation or "")) is (status is FAIL)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["ITS-PCI-MSIX-0000:01:00.0 0 Edge nvme0q0"], PASS),
        # The SMMU's own queue does not belong to a device.
        (["ITS-pMSI 0 Edge arm-smmu-v3-evtq"], UNKNOWN),
        (["ITS-pMSI 0 Edge evtq", "ITS-MSI 5 Edge nvme0q0"], PASS),
        (["ITS-pMSI 0 Edge evtq", "X-Gene1 MSI 5 Edge eth0"], UNKNOWN),
        (["ITS-pMSI 0 Edge evtq", "MSI 5 Edge eth0"], FAIL),
    ],
)
def test_interrupts_of_arm_are_those_of_pci_devices(tmp_path, lines, status):
    numbered = [f" {place}: 1 {line}\n" for place, line in enumerate(lines)]
    content = {
        **ARM,
        "/proc/interrupts": "CPU0\n" + "".join(numbered),
        "/proc/cmdline": "",
    }
    root = build(tmp_path, content)
    assert run("interrupt_remapping", root).status is status


@pytest.mark.parametrize(
    ("interrupts", "status"), [(REMAPPED, UNKNOWN), (DIRECT, FAIL)]
)
def test_where_modules_are_out_of_sight_vfio_may_be_loaded(
    tmp_path, interrupts, status
):
    content = {"/proc/interrupts": interrupts, "/proc/cmdline": ""}
    root = build(tmp_path, content)
    assert run("interrupt_remapping", root).status is status


@pytest.mark.parametrize("path", ["/proc/interrupts", "/proc/cmdline", TYPE1])
def test_interrupts_that_are_unreadable_are_unknown(tmp_path, path):
    content = {
        "/proc/interrupts": REMAPPED,
        "/proc/cmdline": "",
        "/sys/module": None,
    }
    errors = json.dumps([[path, "EACCES"]])
    root = build(tmp_path, {**content, "/ERRORS.json": errors})
    assert run("interrupt_remapping", root).status is UNKNOWN


ONE = "/sys/kernel/iommu_groups/1/type"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (pci_host(GROUPS, kind="DMA"), PASS),
        (pci_host(GROUPS, kind="DMA-FQ"), PASS),
        (pci_host(GROUPS, kind="identity"), FAIL),
        ({**pci_host(GROUPS), ONE: "identity\n"}, FAIL),
        ({**pci_host(GROUPS), ONE: "blocked\n"}, PASS),
        (pci_host({}, unit=None), FAIL),
        (NOIOMMU, FAIL),
        ({**pci_host(GROUPS), ONE: "novel\n"}, UNKNOWN),
        ({**pci_host(GROUPS), ONE: ""}, UNKNOWN),
        (without(pci_host(GROUPS), ONE), UNKNOWN),
        (ARM, PASS),
        (pci_host(GROUPS, "smmu3.0x9050000"), UNKNOWN),
        (pci_host(GROUPS, "virtio0"), UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_iommu_strict(tmp_path, content, status):
    assert run("iommu_strict", build(tmp_path, content)).status is status


@pytest.mark.parametrize(
    ("content", "step"),
    [
        (
            pci_host(GROUPS, kind="identity"),
            "CONFIG_IOMMU_DEFAULT_PASSTHROUGH",
        ),
        # Nobody booted with iommu=pt, or all would be.
        ({**pci_host(GROUPS), ONE: "identity\n"}, "write DMA into the files"),
        # intel_iommu=igfx_off, since Linux 6.7
        ({**pci_host(GROUPS), ONE: "identity\n"}, "and igfx_off if"),
    ],
)
def test_some_groups_bypass_translation_for_another_reason(
    tmp_path, content, step
):
    result = run("iommu_strict", build(tmp_path, content))
    assert step in result.remediation
    assert any(line == f"{ONE}: identity" for line in result.evidence)


def outside(driver="", number="0x030000"):
    """Return a host with a device that is in no group."""
    place = "/sys/devices/pci0000:00/0000:00:02.0"
    bound = {f"{place}/driver": f"-> ../../{driver}"} if driver else {}
    return {
        **pci_host(GROUPS, alone=("0000:00:02.0",)),
        f"{place}/class": f"{number}\n",
        **bound,
    }


@pytest.mark.parametrize(
    ("content", "status"),
    [
        # intel_iommu=on,igfx_off
        (outside("i915"), FAIL),
        ({**outside("i915"), ONE: "novel\n"}, FAIL),
        (outside(), PASS),
        # A bridge does no DMA; the IOMMU's own function needs none.
        (outside("pcieport", "0x060400"), PASS),
        (outside("x", "0x080600"), PASS),
    ],
)
def test_a_device_behind_no_iommu_bypasses_translation(
    tmp_path, content, status
):
    result = run("iommu_strict", build(tmp_path, content))
    assert result.status is status
    if status is FAIL:
        assert "0000:00:02.0 (i915)" in result.reason
        assert "igfx_off" in result.remediation


def test_the_step_for_a_device_behind_no_iommu_is_its_platforms(tmp_path):
    place = "/sys/devices/pci0000:00/0000:00:02.0"
    alone = pci_host(GROUPS, "smmu3.0x9050000", alone=("0000:00:02.0",))
    bound = {f"{place}/driver": "-> ../../e1000e", f"{place}/class": "0x0200"}
    root = build(tmp_path, {**ARM, **alone, **bound})
    result = run("iommu_strict", root)
    assert result.status is FAIL
    assert "igfx_off" not in result.remediation


UUID = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"
MDEV = {
    f"/sys/bus/mdev/devices/{UUID}": None,
    f"/sys/kernel/iommu_groups/9/devices/{UUID}": f"-> /sys/x/{UUID}",
    "/sys/kernel/iommu_groups/9/type": "unknown\n",
}
#: Since Linux 5.16.
NAMED = {"/sys/kernel/iommu_groups/9/name": "vfio-noiommu\n"}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({**GOOD, **MDEV}, PASS),
        ({**GOOD, **MDEV, **NAMED}, PASS),
        ({**pci_host({}, unit=None), **MDEV}, FAIL),
        ({**pci_host({}, unit=None), **MDEV, **NAMED}, FAIL),
        # Not of a mediated device alone.
        (
            {
                **GOOD,
                **MDEV,
                **NAMED,
                f"/sys/kernel/iommu_groups/9/devices/{NIC}": "-> /sys/x",
            },
            FAIL,
        ),
        # It is on no bus of such devices.
        (without({**GOOD, **MDEV, **NAMED}, *list(MDEV)[:1]), FAIL),
    ],
)
def test_a_mediated_device_needs_no_iommu_of_its_own(
    tmp_path, content, status
):
    root = build(tmp_path, content)
    result = run("iommu", root)
    assert result.status is status
    assert "/sys/kernel" not in (result.remediation or "")
    if status is PASS:
        assert run("iommu_strict", root).status is PASS


def test_lazy_invalidation_is_named(tmp_path):
    root = build(tmp_path, pci_host(GROUPS, kind="DMA-FQ"))
    assert "lazy" in run("iommu_strict", root).reason


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("2\n", PASS),
        ("1\n", FAIL),
        ("0\n", FAIL),
        ("3\n", UNKNOWN),
        ("", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_kernel_aslr(tmp_path, value, status):
    path = "/proc/sys/kernel/randomize_va_space"
    content = {"/proc/cmdline": "nokaslr"} | {path: value}
    assert run("kernel_aslr", build(tmp_path, content)).status is status


def test_what_an_answer_on_aslr_does_not_hang_on(tmp_path):
    content = {
        "/proc/sys/kernel/randomize_va_space": "2\n",
        "/proc/cmdline": "quiet norandmaps nokaslr\n",
        "/proc/sys/kernel/kptr_restrict": "0\n",
        "/sys/kernel/security/lockdown": "[none] integrity\n",
        "/ERRORS.json": json.dumps(
            [["/proc/sys/kernel/kptr_restrict", "EACCES"]]
        ),
    }
    result = run("kernel_aslr", build(tmp_path, content))
    assert result.status is PASS
    assert result.evidence[1:] == (
        "/proc/cmdline: norandmaps nokaslr",
        "cannot be read: /proc/sys/kernel/kptr_restrict: Permission denied",
        "/sys/kernel/security/lockdown: [none] integrity",
    )

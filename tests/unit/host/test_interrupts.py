# SPDX-License-Identifier: Apache-2.0
"""Controllers of interrupts, and parameters of modules, as the kernel has
them."""

import pytest

from nova_vhard.host import module_parameters
from nova_vhard.host.iommu import interrupts
from nova_vhard.host.root import HostRoot, Unreadable
from tests.trees import build

FUNCTION = "/sys/bus/pci/devices/0000:00:00.2"
IOMMU = {f"{FUNCTION}/class": "0x080600\n"}
CARD = {f"{FUNCTION}/class": "0x020000\n"}


@pytest.mark.parametrize(
    ("line", "more", "kind"),
    [
        ("PCI-MSI-0000:00:00.2 0-edge AMD-Vi", IOMMU, ""),
        # Domain, bus, device and function in the number, on older kernels.
        ("PCI-MSI 4096-edge AMD-Vi", IOMMU, ""),
        # The name of the action is a driver's to choose.
        ("PCI-MSI-0000:00:00.2 0-edge AMD-Vi", CARD, "direct"),
        ("PCI-MSI 4096-edge AMD-Vi", CARD, "direct"),
        ("PCI-MSI 6144-edge AMD-Vi", IOMMU, "direct"),
        ("PCI-MSI-0000:00:00.2 0-edge eth0", IOMMU, ""),
        ("PCI-MSI-0000:00:05.0 0-edge AMD-Vi", IOMMU, "direct"),
        ("PCI-MSI-edge AMD-Vi", IOMMU, "direct"),
        ("IR-PCI-MSIX-0000:00:00.2 1-edge eth", CARD, "remapped"),
        ("IR-IO-APIC 2-edge timer", {}, "remapped"),
        ("IO-APIC 2-edge timer", {}, "direct"),
        ("IO-APIC-edge timer", {}, "direct"),
        ("DMAR-MSI 0-edge dmar0", {}, ""),
        ("HPET-MSI 0-edge hpet0", {}, ""),
        ("IOMMU-MSI 368-edge AMD-Vi0-Evt", {}, ""),
        ("ITS-PCI-MSIX-0000:00:02.0 0 Edge pciehp", {}, "translated"),
        ("ITS-MSI 16384 Edge nvme0q0", {}, "translated"),
        ("ITS-pMSI 0 Edge x", {}, "translated"),
        ("GICv2m-PCI-MSIX-0000:00:02.0 0 Edge pciehp", {}, "direct"),
        ("MSI 16384 Edge nvme0q0", {}, "direct"),
        ("HV-PCI-MSIX-0001:00:02.0 0-edge mlx5", {}, "strange"),
        # Before Linux 6.17, and since.
        ("VMD-MSI 0-edge nvme0q0", {}, ""),
        ("VMD-PCI-MSIX-10000:e1:00.0 0-edge nvme0q0", {}, ""),
        (f"PCI-MSI {'9' * 5000}-edge eth0", {}, "direct"),
        ("PCI-MSI ²-edge eth0", {}, "direct"),
        # Controllers of several words that nobody has looked at.
        ("Hyper-V PCIe MSI 540528640-edge mlx5", {}, "strange"),
        ("X-Gene1 MSI 5 Edge eth0", {}, "strange"),
        ("GICv3 27 Level an MSI driver", {}, ""),
        ("xen-pirq -ioapic-edge i8042", {}, ""),
        ("GICv3 27 Level arch_timer", {}, ""),
    ],
)
def test_a_line(tmp_path, line, more, kind):
    text = f"   CPU0 CPU1\n 24:  0  7  {line}\nLOC: 1 2 Local PCI-MSI\n"
    root = HostRoot(build(tmp_path, {"/proc/interrupts": text} | more))
    lines = interrupts.read(root)
    for name in ("remapped", "translated", "direct", "strange"):
        assert len(getattr(lines, name)) == (name == kind), name


def test_the_last_line_of_a_machine_with_many_processors(tmp_path):
    columns = "          0" * 512
    text = "".join(
        f"{number:4}:{columns}  IR-PCI-MSIX-0000:01:00.0 0-edge x\n"
        for number in range(300)
    )
    last = f" 300:{columns}  PCI-MSIX-0000:02:00.0 0-edge y\n"
    root = HostRoot(build(tmp_path, {"/proc/interrupts": text + last}))
    lines = interrupts.read(root)
    assert len(lines.remapped) == 300
    assert len(lines.direct) == 1


PLACE = "/etc/modprobe.d/vfio.conf"
BUILT_IN = {
    "/proc/sys/kernel/osrelease": "6.8.0\n",
    "/lib/modules/6.8.0/modules.builtin": "kernel/a.ko\nkernel/x/m-x.ko\n",
}


@pytest.mark.parametrize(
    ("cmdline", "more", "on"),
    [
        ("m_x.unsafe=1", {}, True),
        ("m_x.unsafe=on", {}, True),
        ("m_x.unsafe=yes", {}, True),
        ("m_x.unsafe=T", {}, True),
        ("m_x.unsafe=enable", {}, True),
        ("m_x.unsafe=E", {}, True),
        ("m_x.unsafe=oN", {}, True),
        ("m_x.unsafe=disable", {}, False),
        ("m_x.unsafe=false", {}, False),
        # The kernel refuses these.
        ("m_x.unsafe=o", {}, False),
        ("m_x.unsafe=", {}, False),
        ("m_x.unsafe=2", {}, False),
        ("m_x.unsafe", {}, True),
        ("m-x.un-safe m-x.unsafe", {}, True),
        ('"m_x.unsafe=1"', {}, True),
        ("m_x.unsafe=off", {}, False),
        ("m_x.unsafe=of", {}, False),
        ("m_x.unsafe=0 m_x.unsafe=N", {}, False),
        ("m_x.unsafely=1 xm_x.unsafe=1", {}, False),
        ('a="b m_x.unsafe=1"', {}, False),
        # What follows is for init.
        ("quiet -- m_x.unsafe=1", {}, False),
        ("", {PLACE: "options m-x unsafe=1\n"}, True),
        ("", {PLACE: "options m_x a=0 \\\n  unsafe\n"}, True),
        ("", {PLACE: "options m_x unsafe=enable\n"}, True),
        ("", {PLACE: "options m_x unsafe=0\n# options m_x unsafe=1"}, False),
        ("", {PLACE: "options m_y unsafe=1\n"}, False),
        ("", {"/etc/modprobe.d/x": "options m_x unsafe=1\n"}, False),
        ("", {"/usr/lib/modprobe.d/a.conf": "options m_x unsafe=1\n"}, True),
        # The first of a name counts, and nothing is as good as any.
        (
            "",
            {
                PLACE: "-> /dev/null",
                "/usr/lib/modprobe.d/vfio.conf": "options m_x unsafe=1\n",
            },
            False,
        ),
        (
            "",
            {PLACE: "install m_x /sbin/modprobe -i m_x unsafe=1\n"},
            True,
        ),
        (
            "",
            {PLACE: "install m_x /bin/sh -c 'modprobe -i m_x unsafe=1;:'\n"},
            True,
        ),
        (
            "",
            {PLACE: 'install m_x sh -c "modprobe -i m_x unsafe=0 a=1"\n'},
            False,
        ),
        # What is part of the kernel gets nothing from modprobe.
        ("", {PLACE: "options m_x unsafe=1\n", **BUILT_IN}, False),
        ("", {PLACE: "options m_y unsafe=1\n", **BUILT_IN}, False),
        ("m_x.unsafe=1", BUILT_IN, True),
        (
            "",
            {
                PLACE: "options m_x unsafe=1\n",
                **BUILT_IN,
                "/proc/sys/kernel/osrelease": "6.9.0\n",
            },
            True,
        ),
        ("", {"/sys/module/m_x/parameters/unsafe": "Y\n"}, True),
        ("", {"/sys/module/m_x/parameters/unsafe": "N\n"}, False),
    ],
)
def test_a_parameter(tmp_path, cmdline, more, on):
    content = {"/proc/cmdline": f"{cmdline}\n", "/dev/null": ""} | more
    root = HostRoot(build(tmp_path, content))
    assert module_parameters.is_on(root, "m_x", "unsafe") is on
    assert bool(root.evidence.lines()) >= on


def test_a_configuration_that_cannot_be_read_is_no_answer(tmp_path):
    errors = {"/ERRORS.json": '[["/etc/modprobe.d", "EACCES"]]'}
    content = {"/proc/cmdline": "", PLACE: "options m_x unsafe=1"} | errors
    root = HostRoot(build(tmp_path, content))
    with pytest.raises(Unreadable):
        module_parameters.is_on(root, "m_x", "unsafe")

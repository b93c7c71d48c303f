# SPDX-License-Identifier: Apache-2.0
"""Every host check: what it asks, why, and how to mend what it finds.

Data only. The guide is the OpenStack Security Guide, chapter "Hardening the
Virtualization Layers".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class CheckInfo:
    """What the documentation and the reports say of a check.

    :ivar id: number in the documentation, ``Check-Virt-01``
    :ivar name: name in policies, ``iommu``
    :ivar title: one line
    :ivar guide: paragraph of the guide that it serves, or the reason why it
        goes beyond it
    :ivar meaning: what PASS says
    :ivar remediation: what to do when it is not PASS
    """

    id: str
    name: str
    title: str
    guide: str
    meaning: str
    remediation: str


_PASSTHROUGH = "Physical hardware (PCI passthrough)"
_COMPILER = "Compiler hardening"
_MINIMIZING = "Minimizing the QEMU code base"
_MAC = "Mandatory access controls"

_REBUILD = "Install a QEMU that was built with it, or rebuild it with "

_CHECKS = (
    CheckInfo(
        id="Check-Virt-01",
        name="iommu",
        title="DMA remapping is on",
        guide=_PASSTHROUGH,
        meaning="The kernel has put PCI devices into IOMMU groups behind a "
        "working Intel or AMD IOMMU, and vfio is not told to do without. "
        "What the kernel command line, the ACPI tables or the log say is "
        "not asked: each of them can say yes while translation is off.",
        remediation="Switch the IOMMU (VT-d, AMD-Vi) on in the firmware and "
        "boot without intel_iommu=off or amd_iommu=off; on Intel add "
        "intel_iommu=on. Unset vfio's enable_unsafe_noiommu_mode.",
    ),
    CheckInfo(
        id="Check-Virt-02",
        name="interrupt_remapping",
        title="Interrupts are remapped",
        guide=_PASSTHROUGH,
        meaning="Every interrupt of a device goes through the IOMMU, so that "
        "a guest cannot forge one for the host, and vfio does not allow "
        "devices without.",
        remediation="Switch interrupt remapping (and x2APIC) on in the "
        "firmware, boot without intremap=off, and unset "
        "allow_unsafe_interrupts of vfio_iommu_type1 and iommufd.",
    ),
    CheckInfo(
        id="Check-Virt-03",
        name="iommu_strict",
        title="Host devices are in translated domains",
        guide=_PASSTHROUGH,
        meaning="No device of the host itself bypasses translation "
        "(identity domains), so that a device that misbehaves reaches its "
        "own buffers only. Batched invalidation (DMA-FQ) passes and is "
        "named in the evidence.",
        remediation="Where there is no IOMMU group, see Check-Virt-01. Else "
        "boot without iommu=pt and iommu.passthrough=1; add "
        "iommu.strict=1 to invalidate at once.",
    ),
    CheckInfo(
        id="Check-Virt-04",
        name="passthrough_disabled",
        title="No device waits for a guest unless Nova offers it",
        guide=_PASSTHROUGH,
        meaning="Passthrough is off: Nova offers no device of this host, and "
        "no device is bound to vfio. Or it is on for devices that the "
        "operator has listed in [pci] device_spec, and for no other.",
        remediation="Unbind the named devices from vfio (driver_override, "
        "driverctl, vfio-pci.ids= at boot), or list them in [pci] "
        "device_spec. If Nova's settings cannot be read, run "
        "nova-vhard-reporter facts as root.",
    ),
    CheckInfo(
        id="Check-Virt-05",
        name="passthrough_isolated",
        title="Offered devices share an IOMMU group with nothing of the host",
        guide=_PASSTHROUGH,
        meaning="No device that stays with the host is in the IOMMU group of "
        "one that a guest can get: behind the same switch without ACS they "
        "could reach each other without passing the IOMMU.",
        remediation="Move the card to a slot that has a group of its own, "
        "switch ACS on in the firmware, offer all functions of the group, or "
        "take the device out of [pci] device_spec. Never boot with "
        "pcie_acs_override.",
    ),
    CheckInfo(
        id="Check-Virt-06",
        name="passthrough_resettable",
        title="Each offered device can be reset by itself",
        guide=_PASSTHROUGH,
        meaning="The kernel can put each device that a guest can get back "
        "into its first state without touching another device. What the "
        "device stores for good (firmware, disks) survives a reset.",
        remediation="Take the device out of [pci] device_spec, or update its "
        "firmware; where somebody has emptied reset_method, write default "
        "into it.",
    ),
    CheckInfo(
        id="Check-Virt-07",
        name="passthrough_one_time_use",
        title="Each offered whole device is cleaned before it is issued again",
        guide=_PASSTHROUGH,
        meaning="Nova reserves a type-PCI or type-PF device after its guest "
        "is gone, until somebody has cleaned it and lifted the reservation. "
        "VFs cannot be one_time_use and are not judged.",
        remediation="Set one_time_use in the device's entry of [pci] "
        "device_spec, with [pci] report_in_placement, and clean devices "
        "before their reservation in Placement is lifted.",
    ),
    CheckInfo(
        id="Check-Virt-08",
        name="nova_defaults",
        title="Nova's own defaults are those that the policy assumes",
        guide="Beyond the guide: a guest whose image says nothing gets what "
        "the host's nova.conf says, and the policy has to know it",
        meaning="virt_type, hw_machine_type, use_virtio_for_bridges and "
        "force_config_drive of this host are what the policy's assume says, "
        "so that what the gates judged is what the guest gets.",
        remediation="Correct nova.conf on this host and restart "
        "nova-compute, or the key assume of the policy. If Nova's settings "
        "cannot be read, run nova-vhard-reporter facts as root.",
    ),
    CheckInfo(
        id="Check-Virt-10",
        name="qemu_relro",
        title="QEMU has full RELRO",
        guide=_COMPILER,
        meaning="In every emulator that libvirt would start, and in every "
        "module that they load, the tables of library addresses are read-only "
        "once the program has started, so that a guest that can write there "
        "cannot redirect calls.",
        remediation=_REBUILD + "LDFLAGS=-Wl,-z,relro,-z,now.",
    ),
    CheckInfo(
        id="Check-Virt-11",
        name="qemu_canary",
        title="QEMU guards its stacks",
        guide=_COMPILER,
        meaning="Every emulator that libvirt would start has functions that "
        "check a canary on the stack before they return. Modules are counted "
        "in the evidence: one without may have no function that needs it.",
        remediation=_REBUILD + "CFLAGS=-fstack-protector-strong.",
    ),
    CheckInfo(
        id="Check-Virt-12",
        name="qemu_nx",
        title="QEMU executes nothing that it can write",
        guide=_COMPILER,
        meaning="No emulator that libvirt would start, and no module that "
        "they load, asks for an executable stack or for code that can be "
        "written.",
        remediation=_REBUILD
        + "LDFLAGS=-Wl,-z,noexecstack, and with assembler "
        "files that have a section .note.GNU-stack.",
    ),
    CheckInfo(
        id="Check-Virt-13",
        name="qemu_pie",
        title="QEMU is position independent, and not setuid",
        guide=_COMPILER,
        meaning="Every emulator that libvirt would start is a PIE, so that "
        "the kernel can place its code at random (Check-Virt-15), and none "
        "is setuid or setgid: libvirt gives it the rights that it needs.",
        remediation=_REBUILD + "./configure --enable-pie. Take setuid and "
        "setgid away: chmod ug-s.",
    ),
    CheckInfo(
        id="Check-Virt-14",
        name="qemu_fortify",
        title="QEMU's calls to libc are fortified",
        guide=_COMPILER,
        meaning="Every emulator that libvirt would start calls functions of "
        "glibc's that check the size of what they write (__memcpy_chk and "
        "its like). The stack canary's function is none of them. Modules "
        "are counted in the evidence.",
        remediation=_REBUILD + "CFLAGS=-O2 -D_FORTIFY_SOURCE=2.",
    ),
    CheckInfo(
        id="Check-Virt-15",
        name="kernel_aslr",
        title="Address spaces are randomized",
        guide=_COMPILER,
        meaning="The kernel places stack, libraries and heap of a position "
        "independent QEMU at random addresses "
        "(kernel.randomize_va_space = 2).",
        remediation="Set kernel.randomize_va_space = 2 in /etc/sysctl.d and "
        "boot without norandmaps.",
    ),
    CheckInfo(
        id="Check-Virt-16",
        name="qemu_minimal",
        title="QEMU offers no device that the policy refuses",
        guide=_MINIMIZING,
        meaning="No emulator that libvirt would start offers a device that "
        "only values which the policy refuses would need. What a build "
        "cannot leave out, because an allowed device or the machine type is "
        "built with it, does not count.",
        remediation="Leave the listed devices out of the build (openstack "
        "vhard qemu build-config writes what QEMU's "
        "--with-devices-<architecture> takes), or do not install the "
        "packages that bring them as modules. Before the USB tablet goes, "
        "set [DEFAULT] pointer_model = ps2mouse in nova.conf.",
    ),
    CheckInfo(
        id="Check-Virt-20",
        name="mac_confinement",
        title="libvirt confines guests",
        guide=_MAC,
        meaning="libvirt has SELinux or AppArmor as its security driver, the "
        "kernel enforces it, for the domain of guests too, and qemu.conf "
        "confines a guest of which nothing is said. Whether a guest of which "
        "something else is said is refused (security_require_confined) stands "
        "in the evidence.",
        remediation="Enable SELinux or AppArmor in the kernel and set it to "
        "enforce (setenforce 1 and SELINUX=enforcing; apparmor=1); semanage "
        "permissive -d svirt_t. In /etc/libvirt/qemu.conf take "
        "security_driver out, set security_default_confined = 1 and "
        "security_require_confined = 1, and start libvirtd or virtqemud "
        "again. Where a file cannot be read, run nova-vhard-reporter facts "
        "as root.",
    ),
    CheckInfo(
        id="Check-Virt-21",
        name="mac_guests",
        title="Each running guest is confined, by a label of its own",
        guide="sVirt",
        meaning="The kernel shows a guest's label on the process of every "
        "guest, no two guests have the same, and it is enforced. With no "
        "guest running it passes where Check-Virt-20 does: the first guest "
        "will be confined.",
        remediation="See Check-Virt-20, then stop and start (or migrate away) "
        "the guests that are named: a label is given when a guest starts. "
        "For AppArmor put a profile back to enforce with aa-enforce. Take "
        "static and none seclabels out of their domains.",
    ),
    CheckInfo(
        id="Check-Virt-22",
        name="mac_images",
        title="Images have the labels that are due",
        guide="Labels and categories",
        meaning="With SELinux, no image of a running guest is open to "
        "another guest: each has its guest's categories, or the label for "
        "read-only, shareable or unused images. AppArmor labels no images; "
        "there Check-Virt-21 says what holds.",
        remediation="Stop the guest, restorecon the image, and start the "
        "guest again: libvirt labels it then. File systems that keep no "
        "labels of their own (NFS without labels, FUSE) cannot keep guests "
        "apart by SELinux.",
    ),
    CheckInfo(
        id="Check-Virt-23",
        name="selinux_booleans",
        title="The guide's SELinux booleans are off, or wanted",
        guide="Booleans",
        meaning="None of the eight booleans that the guide names opens a "
        "thing of the host to every guest, unless the operator said so.",
        remediation="setsebool -P NAME off; or name it in [vhard_reporter] "
        "selinux_booleans, if this host cannot do without.",
    ),
    CheckInfo(
        id="Check-Virt-30",
        name="tpm_measured_boot",
        title="A TPM 2.0 and a boot event log are there",
        guide="Integrity life-cycle, secure bootstrapping: what a verifier "
        "of the boot needs",
        meaning="The host could be attested: it has a TPM 2.0, and the "
        "firmware wrote down what it measured. Presence is not attestation: "
        "nothing has been compared with anything.",
        remediation="Switch the TPM 2.0 on in the firmware and boot by UEFI. "
        "The log is readable by root alone: run nova-vhard-reporter facts as "
        "root.",
    ),
    CheckInfo(
        id="Check-Virt-44",
        name="guard_in_force",
        title="What libvirt starts is judged on the host",
        guide="Beyond the guide: a start or hard reboot asks no scheduler, "
        "and what was judged before can have changed",
        meaning="libvirt asks nova-vhard-guard before it starts a guest, by "
        "a probe of the last minutes, and the policy has it refuse what "
        "breaks a rule.",
        remediation="Run nova-vhard-guard status and nova-vhard-guard probe "
        "as root. Where libvirt does not ask, run nova-vhard-guard install; "
        "where the mode is audit or warn, that is a step of the roll-out.",
    ),
)

#: Every check by its name, in the order of the documentation.
CHECKS: Mapping[str, CheckInfo] = MappingProxyType(
    {check.name: check for check in _CHECKS}
)

# SPDX-License-Identifier: Apache-2.0
"""Values that a QEMU guest can have, by its architecture.

Nova accepts more: libvirt then refuses to define the guest, such as one with
a CD-ROM on ``virtio``. A fix must name what works.

Sources: ``SUPPORTED_DEVICE_BUSES`` in nova/virt/libvirt/blockinfo.py, and
``qemuValidateDomainDeviceDefDisk`` of libvirt.
"""

from collections.abc import Mapping

X86 = frozenset(("i686", "x86_64"))
_PPC = frozenset(("ppc", "ppc64", "ppcle", "ppc64le"))

#: Of a bus of these kinds, scsi needs a controller, which is another choice.
SCSI = "scsi"
#: A usb bus also needs a controller, for disks and for input devices.
USB = "usb"
BUSES = frozenset(("disk_bus", "cdrom_bus", "rescue_bus"))

#: libvirt's default controller of a scsi bus, by architecture; the empty name
#: is for all others.
SCSI_CONTROLLERS: Mapping[str, str] = {
    "": "lsilogic",
    "ppc64": "ibmvscsi",
    "ppc64le": "ibmvscsi",
    "s390": "virtio-scsi",
    "s390x": "virtio-scsi",
}

_X86_BUSES: Mapping[str, frozenset[str]] = {
    "disk_bus": frozenset(("virtio", SCSI, "sata", "usb", "ide")),
    "cdrom_bus": frozenset(("sata", SCSI, "usb", "ide")),
}
_OTHER_BUSES: Mapping[str, frozenset[str]] = {
    "disk_bus": frozenset(("virtio", SCSI, "usb")),
    "cdrom_bus": frozenset((SCSI, "usb")),
}
# Of other hypervisors, of boards, or of other architectures.
_NEVER: Mapping[str, frozenset[str]] = {
    "vif_model": frozenset(("lan9118", "netfront", "sriov", "vmxnet")),
    "video_model": frozenset(("gop", "xen")),
    "scsi_model": frozenset(("buslogic",)),
    "rescue_device": frozenset(("fs",)),
    "device_type": frozenset(("fs",)),
}
_ONLY_PPC: Mapping[str, str] = {
    "vif_model": "spapr-vlan",
    "scsi_model": "ibmvscsi",
}
_MACHINES: Mapping[str, frozenset[str]] = {
    "pc": X86,
    "q35": X86,
    "pseries": _PPC,
    "s390": frozenset(("s390", "s390x")),
    "virt": frozenset(
        ("aarch64", "armv6", "armv7l", "armv7b", "riscv32", "riscv64")
    ),
}


def can_have(kind: str, value: str, architecture: str) -> bool:
    """Return whether a guest can have a value of a device kind.

    :param kind: name of the device kind
    :param architecture: that QEMU runs
    """
    if kind == "machine_type":
        family = value.partition("-")[0]
        return architecture in _MACHINES.get(family, {architecture})
    if kind == "floppy_bus":
        return value == "fdc" and architecture in X86
    buses = _X86_BUSES if architecture in X86 else _OTHER_BUSES
    if kind in buses:
        return value in buses[kind]
    if _ONLY_PPC.get(kind) == value:
        return architecture in _PPC
    return value not in _NEVER.get(kind, ())

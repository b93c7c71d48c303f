# SPDX-License-Identifier: Apache-2.0
"""The PCI devices of a host, as the kernel shows them.

Sources: Documentation/ABI/testing/sysfs-bus-pci in the kernel;
``_get_pcidev_info`` in nova/virt/libvirt/host.py for Nova's three types.
"""

import enum
import re
from dataclasses import dataclass

from nova_vhard.host.iommu.iommu import DEVICES
from nova_vhard.host.root import HostRoot, unreadable

#: Ways to reset all that is on the bus behind a bridge.
SHARED_RESETS = frozenset(("bus", "cxl_bus"))

#: First digits of the class of a bridge between PCI buses.
BRIDGE = "0x0604"

_HEX = re.compile(r"0x[0-9a-fA-F]{1,8}")
_VIRTUAL_FUNCTION = re.compile(r"virtfn\d+")


class Kind(enum.StrEnum):
    """What Nova calls a device. vDPA devices are VFs here."""

    PCI = "type-PCI"
    PF = "type-PF"
    VF = "type-VF"


@dataclass(frozen=True)
class PciDevice:
    """A PCI device.

    :ivar address: ``0000:0a:00.1``
    :ivar vendor: four hexadecimal digits in lower case, as Nova writes them
    :ivar product: likewise
    :ivar parent: address of the PF of a VF
    """

    address: str
    vendor: str
    product: str
    kind: Kind
    parent: str | None = None

    @property
    def path(self) -> str:
        """Its folder on the host."""
        return path(self.address)

    @property
    def bus(self) -> str:
        """Domain and bus: ``0000:0a``."""
        return self.address.rpartition(":")[0]


def path(address: str) -> str:
    """Return the folder of a device on the host."""
    return f"{DEVICES}/{address}"


def devices(root: HostRoot) -> list[PciDevice]:
    """Return every PCI device.

    :raises Unreadable: if they cannot be listed, or one of them not read
    """
    # One that cannot be read fails the whole list: without it no check would
    # judge it, and a guest may have it.
    return [device(root, name) for name in root.names(DEVICES)]


def device(root: HostRoot, address: str) -> PciDevice:
    """Return one PCI device.

    :raises Unreadable: if it is not there, or cannot be read
    """
    place = path(address)
    # The kernel makes this link for VFs alone (drivers/pci/iov.c).
    parent = root.link(f"{place}/physfn")
    if parent:
        kind = Kind.VF
    else:
        # virNodeDeviceGetPCISRIOVCaps() in libvirt counts both: how many there
        # may be, and the links to those that there are.
        some = total_vfs(root, address) > 0 or virtual_functions(root, address)
        kind = Kind.PF if some else Kind.PCI
    return PciDevice(
        address=address,
        vendor=_number(root, f"{place}/vendor"),
        product=_number(root, f"{place}/device"),
        kind=kind,
        parent=parent,
    )


def _number(root: HostRoot, where: str) -> str:
    text = root.peek(where)
    if not _HEX.fullmatch(text):
        raise unreadable(where, f"{text[:20]!r} is not a number")
    return f"{int(text, 16):04x}"


def virtual_functions(root: HostRoot, address: str) -> list[str]:
    """Return the addresses of a device's virtual functions.

    :raises Unreadable: if they cannot be listed
    """
    place = path(address)
    return [
        function
        for name in root.names(place)
        if _VIRTUAL_FUNCTION.fullmatch(name)
        and (function := root.link(f"{place}/{name}"))
    ]


def total_vfs(root: HostRoot, address: str) -> int:
    """Return sriov_totalvfs, 0 for a device without or with nonsense there.

    :raises Unreadable: if it cannot be told whether there is one
    """
    try:
        return int(root.maybe(f"{path(address)}/sriov_totalvfs") or 0)
    except ValueError:
        # As is_physical_function() in nova/pci/utils.py.
        return 0


def device_class(root: HostRoot, address: str) -> str:
    """Return a device's class: ``0x060400``.

    :raises Unreadable: if it cannot be read
    """
    return root.peek(f"{path(address)}/class")


def driver(root: HostRoot, address: str) -> str | None:
    """Return the name of the driver that a device is bound to, if any.

    :raises Unreadable: if it cannot be read
    """
    return root.link(f"{path(address)}/driver")


def is_vfio(name: str | None) -> bool:
    """Return whether a driver is vfio-pci or one of its variants.

    Vendors' variants have it in their names: ``mlx5_vfio_pci``.
    """
    # By the name: before Linux 6.1 a device of vfio's has no folder vfio-dev
    # to look for.
    return name is not None and "vfio" in name


def waits(root: HostRoot, address: str, name: str | None) -> bool:
    """Return whether a device is held for a guest: it is a device of vfio's.

    Any driver may make it one, such as a maker's own for its virtual GPUs;
    since Linux 6.1 the device then has a folder ``vfio-dev``.

    :param name: of its driver
    :raises Unreadable: if that cannot be told
    """
    return is_vfio(name) or root.exists(f"{path(address)}/vfio-dev")


def reset_methods(root: HostRoot, address: str) -> list[str]:
    """Return the kernel's ways to reset a device, in the order it tries them.

    The names are those of ``reset_method``: flr, af_flr, device_specific,
    acpi, pm, bus, cxl_bus.

    :raises Unreadable: if they cannot be read; missing on kernels before
        5.15, and for a device without any
    """
    return root.peek(f"{path(address)}/reset_method").split()

# SPDX-License-Identifier: Apache-2.0
"""Devices that wait for a guest: bound to vfio, vDPA, mediated.

Sources: Documentation/driver-api/vfio.rst and vfio-mediated-device.rst and
Documentation/ABI/testing/sysfs-bus-vdpa in the kernel; ``[devices]`` in
nova/conf/devices.py.
"""

from collections.abc import Iterator

from nova_vhard.common import pci as pci_text
from nova_vhard.host.host import Host
from nova_vhard.host.iommu import iommu
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.pci import pci
from nova_vhard.host.root import HostRoot, unreadable

_DRIVERS = "/sys/bus/pci/drivers"
_VDPA = "/sys/bus/vdpa/devices"

_BUSES = "/sys/bus"
# Looked at by themselves; and those of IBM Z, whose devices guests get as
# mediated ones.
_KNOWN_BUSES = ("pci", "mdev", "vdpa", "ap", "css", "matrix")

# The driver of a vDPA device that a guest gets; virtio_vdpa is the host's.
_FOR_GUESTS = "vhost_vdpa"


def of_host(host: Host, offered: frozenset[str]) -> tuple[list[str], int]:
    """Return what waits for a guest and is not offered.

    :param offered: addresses of the PCI devices that Nova offers
    :returns: a line for each that nobody offers, and how many wait at all
    :raises Unreadable: if a device or its driver cannot be read
    """
    result = [
        *_bound(host.root, offered),
        *_vdpa(host.root, offered),
        *_mediated(host),
        *_elsewhere(host.root),
    ]
    return [line for line, known in result if not known], len(result)


def _bound(
    root: HostRoot, offered: frozenset[str]
) -> Iterator[tuple[str, bool]]:
    """Yield each PCI device that vfio has, and whether it is offered."""
    # A tree without the links of drivers (a copy, a part of /sys in a
    # container) must not pass as a host on which nothing is bound to vfio. No
    # link and no device in a driver's folder: UNKNOWN.
    names = root.names(iommu.DEVICES)
    drivers = {name: pci.driver(root, name) for name in names}
    if (
        names
        and not any(drivers.values())
        and not any(
            pci_text.fields(name)
            for driver in root.names(_DRIVERS, missing_ok=True)
            for name in root.names(f"{_DRIVERS}/{driver}", missing_ok=True)
        )
    ):
        raise unreadable(
            _DRIVERS,
            "no device has a driver",
            "Give the reporter the host's own /sys: in the current one, no "
            "device has a driver.",
        )
    for name, driver in drivers.items():
        if pci.waits(root, name, driver):
            yield f"{pci.path(name)}/driver: {driver}", name in offered


def _vdpa(
    root: HostRoot, offered: frozenset[str]
) -> Iterator[tuple[str, bool]]:
    """Yield each vDPA device that a guest can get.

    Nova offers one by the address of the function that it is made of.
    """
    for name in root.names(_VDPA, missing_ok=True):
        path = f"{_VDPA}/{name}"
        driver = root.link(f"{path}/driver")
        if driver != _FOR_GUESTS:
            continue
        # The real path leads through the PCI function: .../0000:0a:00.2/vdpa0.
        # vdpa_sim has none above it, and Nova cannot offer it.
        parents = set(root.real(path).split("/"))
        yield f"{path}/driver: {driver}", bool(parents & offered)


def _mediated(host: Host) -> Iterator[tuple[str, bool]]:
    """Yield each mediated device, and whether Nova may hand its type out."""
    names = host.root.names(iommu.MEDIATED, missing_ok=True)
    if not names:
        return
    facts = nova_facts.read(host)
    for name in names:
        path = f"{iommu.MEDIATED}/{name}/mdev_type"
        # Nova compares this name, such as nvidia-35, with the option's.
        kind = host.root.link(path)
        yield f"{path}: {kind}", kind in facts.mdev_types


def _elsewhere(root: HostRoot) -> Iterator[tuple[str, bool]]:
    """Yield each device of another bus that vfio has; Nova offers none.

    Such as one that a device tree or ACPI describes (``vfio-platform``).
    """
    for bus in root.names(_BUSES, missing_ok=True):
        drivers = f"{_BUSES}/{bus}/drivers"
        # "vfio" is in the names of some of their drivers (vfio_ap, vfio_ccw):
        # they would be listed twice, or as devices that guests do not get.
        if bus in _KNOWN_BUSES:
            continue
        for driver in filter(
            pci.is_vfio, root.names(drivers, missing_ok=True)
        ):
            place = f"{drivers}/{driver}"
            for name in root.names(place, missing_ok=True):
                # A module is a link there as well.
                if name != "module" and root.link(f"{place}/{name}"):
                    yield f"{place}/{name}", False

# SPDX-License-Identifier: Apache-2.0
"""The PCI devices that Nova offers to guests on a host."""

from collections.abc import Sequence
from dataclasses import dataclass

from nova_vhard.host.host import Host
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.pci import device_spec, pci
from nova_vhard.host.pci.device_spec import DeviceSpec
from nova_vhard.host.pci.pci import PciDevice
from nova_vhard.host.pci.pci_address import SpecError
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

_OPTION = "[pci] device_spec"


@dataclass(frozen=True)
class Offer:
    """A device, and the first entry of ``device_spec`` that covers it."""

    device: PciDevice
    spec: DeviceSpec

    def __str__(self) -> str:
        """Name the device for evidence: address, identity and type."""
        device = self.device
        return (
            f"{device.address} "
            f"({device.vendor}:{device.product}, {device.kind})"
        )


def specs(host: Host, written: bool = False) -> list[DeviceSpec]:
    """Return the entries of ``device_spec``.

    :param written: whether those count that nova-compute has yet to read
    :raises Unreadable: without facts, or where Nova refuses an entry
    """
    # `read` raises where nova-compute runs with an older nova.conf.
    facts = nova_facts.left(host) if written else nova_facts.read(host)
    try:
        # One bad entry makes all unknown, as nova-compute does not start with
        # it.
        return device_spec.parse(facts.device_spec, facts.report_in_placement)
    except SpecError as error:
        raise _refused(error) from error


def find(root: HostRoot, entries: Sequence[DeviceSpec]) -> list[Offer]:
    """Return the devices that entries cover, in the order of addresses.

    :raises Unreadable: if the devices cannot be read, or Nova refuses what
        an entry leads to
    """
    if not entries:
        return []
    try:
        matchers = [
            (entry, device_spec.matcher(root, entry)) for entry in entries
        ]
    except SpecError as error:
        raise _refused(error) from error
    result = []
    for device in pci.devices(root):
        # Whitelist.get_devspec() of Nova's pci/whitelist.py takes the first
        # entry that matches, and its tags.
        first = next((spec for spec, match in matchers if match(device)), None)
        if first:
            result.append(Offer(device, first))
    return result


def of_host(host: Host) -> list[Offer]:
    """Return the devices that Nova offers on a host.

    :raises Unreadable: as ``specs`` and ``find``
    """
    entries = specs(host)
    place = nova_facts.path(host)
    if not entries:
        host.root.note(f"{place}: {_OPTION} has no entry")
    host.root.note(
        *(f"{place}: {_OPTION}: {entry.text[:200]}" for entry in entries)
    )
    # Nova offers devices that are there; an entry may be for other hosts.
    offers = find(host.root, entries)
    if entries and not offers:
        host.root.note(f"{_OPTION} matches no device of this host")
    return offers


def _refused(error: SpecError) -> Unreadable:
    return unreadable(_OPTION, f"nova-compute does not start with it: {error}")

# SPDX-License-Identifier: Apache-2.0
"""One-time-use devices of a host in Placement.

nova-compute makes one provider for each whole PCI device, below that of the
compute node (``PlacementView`` in nova/compute/pci_placement_translator.py):
``<name of the root>_<ADDRESS>`` with HW_PCI_ONE_TIME_USE. It raises
``reserved`` to ``total`` when a guest has the device, and never lowers it.
"""

from dataclasses import dataclass

from nova_vhard.catalogue import traits
from nova_vhard.common import pci
from nova_vhard.placement.client import (
    Conflict,
    Inventory,
    Placement,
    Provider,
)

#: Attempts to read the inventory and the consumers at one generation.
_TRIES = 5


@dataclass(frozen=True)
class Offered:
    """A device that Nova offers to one guest only.

    :ivar address: ``0000:0a:00.1``
    :ivar provider: its own, below the host's
    """

    address: str
    provider: Provider


@dataclass(frozen=True)
class View:
    """State of a device in Placement, at one generation.

    :ivar consumers: uuids of servers or migrations that it is allocated to
    """

    inventory: Inventory
    consumers: tuple[str, ...]

    @property
    def reserved(self) -> bool:
        """Whether no guest can get it."""
        return self.inventory.reserved >= self.inventory.total


def offered(
    placement: Placement, root: Provider
) -> tuple[list[Offered], list[str]]:
    """Return the one-time-use devices of a host, in order of addresses.

    :returns: the devices; and an error for each provider whose name is not
        that of a device of this host, so that it cannot be cleaned
    :raises PlacementError: without an answer that makes sense
    """
    devices: dict[str, Offered] = {}
    faults = []
    prefix = f"{root.name}_"
    for provider, _ in placement.below_roots(traits.ONE_TIME_USE, root.uuid):
        address = pci.address(provider.name.removeprefix(prefix))
        # Require the full name. Names are unique, so no other provider, such
        # as one named by the bare address, can take the device's place.
        if not address or provider.name != f"{prefix}{address.upper()}":
            faults.append(
                f"provider {provider.uuid} ({provider.name[:200]!r}) is not "
                "named by a device's address"
            )
        else:
            devices[address] = Offered(address, provider)
    return [devices[address] for address in sorted(devices)], faults


def view(placement: Placement, provider: Provider) -> View:
    """Return what Placement says of a device now.

    :raises Conflict: if it changes all the time, or does not have exactly one
        inventory
    :raises PlacementError: without an answer that makes sense
    """
    for _ in range(_TRIES):
        inventories = placement.inventories(provider.uuid)
        if len(inventories) != 1:
            raise Conflict(
                f"provider {provider.name} has {len(inventories)} inventories "
                "instead of one"
            )
        consumers, generation = placement.consumers(provider.uuid)
        if generation == inventories[0].generation:
            return View(inventories[0], consumers)
    raise Conflict(f"provider {provider.name} kept changing during the read")

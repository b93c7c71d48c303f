# SPDX-License-Identifier: Apache-2.0
"""The compute nodes of the demo's cloud: devices, and host trees."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A kind of PCI device.

    :ivar alias: the name that flavors ask for it by
    :ivar once: whether Nova holds it back after use, until it is cleaned
    """

    alias: str
    vendor_id: str
    product_id: str
    once: bool = False


GPU = Card("gpu", "10de", "1db4")
FPGA = Card("fpga", "10ee", "5000")
CRYPTO = Card("crypto", "8086", "37c8", once=True)
CARDS = (GPU, FPGA, CRYPTO)


@dataclass(frozen=True)
class Machine:
    """A compute node.

    :ivar name: host name, which is also its provider's in Placement
    :ivar tree: captured tree of the host that it is; None: the machine that
        the demo runs on
    :ivar cards: how many of which
    """

    name: str
    tree: str | None
    cards: tuple[tuple[Card, int], ...] = ()

    @property
    def node(self):
        """The compute node's uuid, as nova-compute keeps it in a file."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name))


VTD_ON, VTD_OFF, NO_IOMMU = "vtd-on", "vtd-off", "none"

#: The one that has devices and can prove its IOMMU.
PROVEN = Machine("compute1", VTD_ON, ((GPU, 16), (FPGA, 16), (CRYPTO, 1)))
#: Where the first of its cards of the third kind is (demo.stand_ins).
CRYPTO_ADDRESS = "0000:83:00.0"
#: The one that has devices and cannot; with fewer of them, so that Nova's
#: own weigher would take it first.
UNPROVEN = Machine("compute2", VTD_OFF, ((GPU, 12), (FPGA, 12)))

MACHINES = (
    PROVEN,
    UNPROVEN,
    Machine("compute3", NO_IOMMU),
    Machine("compute4", None),
)

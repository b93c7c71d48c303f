# SPDX-License-Identifier: Apache-2.0
"""The compute nodes of a cloud, their devices, and the flavors."""

import uuid
from dataclasses import dataclass, field


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
#: Where a small cloud (cloud.stand_ins) has the first card of the third kind.
CRYPTO_ADDRESS = "0000:83:00.0"
#: A volume there, of an image that asked for an IDE disk; and a tenant's port
#: on a virtual function, which is a device of the host.
IDE_VOLUME = "1de00000-0000-4000-8000-000000000001"
SRIOV_PORT = "f0000000-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Machine:
    """A compute node.

    :ivar name: host name, which is also its provider's in Placement
    :ivar tree: captured tree of the host that its reporter reads; None: the
        machine that the cloud runs on
    :ivar cards: how many of which, where libvirt is a stand-in
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
#: The one that has devices and cannot; with fewer of them, so that Nova's
#: own weigher would take it first.
UNPROVEN = Machine("compute2", VTD_OFF, ((GPU, 12), (FPGA, 12)))
MACHINES = (PROVEN, UNPROVEN, Machine("compute3", NO_IOMMU))
THIS = Machine("compute4", None)


@dataclass(frozen=True)
class Flavor:
    """A flavor, as the operator made it."""

    id: str
    name: str
    memory_mb: int = 512
    root_gb: int = 1
    extra_specs: dict[str, str] = field(default_factory=dict)


def _with(card):
    return {"pci_passthrough:alias": f"{card.alias}:1"}


TINY = Flavor("1", "m1.tiny")
SMALL = Flavor("2", "m1.small", 2048, 20)
GPU_FLAVOR = Flavor("3", "g1.tiny", extra_specs=_with(GPU))
FPGA_FLAVOR = Flavor("4", "f1.tiny", extra_specs=_with(FPGA))
CRYPTO_FLAVOR = Flavor("5", "c1.tiny", extra_specs=_with(CRYPTO))
FLAVORS = (TINY, SMALL, GPU_FLAVOR, FPGA_FLAVOR, CRYPTO_FLAVOR)

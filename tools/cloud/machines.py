# SPDX-License-Identifier: Apache-2.0
"""The compute nodes of the cloud, and the hosts that their reporters read."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """A compute node.

    :ivar name: host name, which is also its provider's in Placement
    :ivar tree: the captured tree of a host that its reporter reads
    """

    name: str
    tree: str

    @property
    def node(self):
        """The compute node's uuid, as nova-compute keeps it in a file."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name))


#: The one that can prove its IOMMU.
PROVEN = Machine("compute1", "vtd-on")
MACHINES = (
    PROVEN,
    Machine("compute2", "vtd-off"),
    Machine("compute3", "none"),
)

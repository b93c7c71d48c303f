# SPDX-License-Identifier: Apache-2.0
"""Record the good state of a device: somebody vouches for it."""

import datetime

from nova_vhard.host.libvirt import Libvirt
from nova_vhard.host.root import HostRoot
from nova_vhard.node.cleaner import baseline, usage
from nova_vhard.node.cleaner.baseline import Baseline
from nova_vhard.node.cleaner.isolated import Isolation
from nova_vhard.node.cleaner.journal import Journal
from nova_vhard.placement import devices
from nova_vhard.placement.client import Placement
from nova_vhard.placement.devices import Offered


class Refused(Exception):
    """What the device is like now is not to be taken for good."""


def enroll(  # noqa: PLR0913 - what a device is judged by
    offered: Offered,
    by: str,
    *,
    placement: Placement,
    root: HostRoot,
    libvirt: Libvirt,
    journal: Journal,
    isolation: Isolation,
    force: bool = False,
) -> Baseline:
    """Record a device's good state; its lock is held.

    :param by: who vouches for it
    :param force: whether also for one that was used and is not clean
    :raises Refused: if a guest has it, or had it
    :raises Unreadable: if it cannot be read
    :raises PlacementError: if Placement does not help
    :raises OSError: if it cannot be kept
    """
    before = devices.view(placement, offered.provider)
    record = journal.read(offered.address)
    if before.consumers:
        raise Refused(f"allocated to {', '.join(before.consumers)}")
    if not force and (record.dirty or before.reserved):
        raise Refused(
            f"it is {record.state}, and reserved"
            if before.reserved
            else f"it is {record.state}"
        )
    if holding := usage.look(root, libvirt, offered.address):
        raise Refused(str(holding))
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    found = isolation.record(root, offered.address, when, by)
    after = devices.view(placement, offered.provider)
    if after.inventory.generation != before.inventory.generation:
        raise Refused("its provider was changed meanwhile; try again")
    journal.prepare()
    baseline.save(journal.folder, found)
    return found

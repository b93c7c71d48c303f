# SPDX-License-Identifier: Apache-2.0
"""Record the good state of a device: somebody vouches for it."""

import datetime

from nova_vhard.host.libvirt import Libvirt
from nova_vhard.host.root import HostRoot
from nova_vhard.node.cleaner import baseline
from nova_vhard.node.cleaner import usage as usages
from nova_vhard.node.cleaner.baseline import Baseline
from nova_vhard.node.cleaner.isolated import Isolation
from nova_vhard.node.cleaner.journal import Journal, Record
from nova_vhard.placement import devices
from nova_vhard.placement.client import Placement
from nova_vhard.placement.devices import Offered, View


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
    generation: int | None = None,
) -> Baseline:
    """Record a device's good state; its lock is held.

    :param by: who vouches for it
    :param force: whether also for one that was used and is not clean
    :param generation: that its provider must have; None for any
    :raises Refused: if a guest has it, or had it
    :raises Unreadable: if it cannot be read
    :raises PlacementError: if Placement does not help
    :raises OSError: if it cannot be kept
    """
    before = devices.view(placement, offered.provider)
    refusal = _refusal(journal.read(offered.address), before, force)
    if generation not in (None, before.inventory.generation):
        refusal = "void: its provider has changed since this was asked for"
    usage = usages.look(root, libvirt, offered.address)
    if refusal or usage:
        raise Refused(refusal or str(usage))
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    state = isolation.record(root, offered.address, when, by)
    after = devices.view(placement, offered.provider)
    if after.inventory.generation != before.inventory.generation:
        raise Refused("its provider was changed meanwhile; try again")
    journal.prepare()
    baseline.save(journal.folder, state)
    return state


def _refusal(record: Record, view: View, force: bool) -> str:
    """Return why what a device is like now is not to be vouched for."""
    if view.consumers:
        return f"allocated to {', '.join(view.consumers)}"
    if force:
        return ""
    if record.provider not in ("", view.inventory.provider):
        return "its provider is a new one: Nova may have forgotten a use"
    if record.forced:
        return f"it was released by force: {record.forced}"
    if record.dirty or view.reserved:
        return f"it is {record.state}{', and reserved' * view.reserved}"
    return ""

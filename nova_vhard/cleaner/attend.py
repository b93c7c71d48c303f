# SPDX-License-Identifier: Apache-2.0
"""Carry out what decide.py says for a device, until nothing is left to do."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from nova_vhard.cleaner import cleaning, release
from nova_vhard.cleaner import usage as usages
from nova_vhard.cleaner.cleaning import Runner, Waits
from nova_vhard.cleaner.decide import (
    NOTHING,
    HostView,
    OperatorRequest,
    Settings,
    Verb,
    decide,
)
from nova_vhard.cleaner.journal import Journal, Record, State
from nova_vhard.cleaner.rules import Rules
from nova_vhard.common.log import get_logger
from nova_vhard.host import pci
from nova_vhard.host.libvirt import Libvirt
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.placement import devices
from nova_vhard.placement.client import Conflict, Placement, Provider
from nova_vhard.placement.devices import Offered

LOG = get_logger(__name__)

# No device needs more actions than this in one round.
_MOST = 12
_CLEANING = (Verb.CLEAN, Verb.RENEW)

#: Hears of a request that is not carried out: address and reason.
Refuse = Callable[[str, str], None]


@dataclass
class DeviceLifecycle:
    """Handler for one device after the other. The caller holds their locks.

    :ivar rules: reads the rules; raises Waits if they cannot be used
    :ivar run: runs a step
    :ivar refuse: called for each request that is refused
    """

    placement: Placement
    root: HostRoot
    libvirt: Libvirt
    journal: Journal
    rules: Callable[[], Rules]
    run: Runner
    settings: Settings
    refuse: Refuse

    def attend(
        self, offered: Offered, request: OperatorRequest = NOTHING
    ) -> Record:
        """Do for a device what is to be done now.

        :returns: what the journal says then
        :raises PlacementError: if Placement does not help; later
        :raises OSError: if the journal cannot be read or written
        """
        address = offered.address
        host: HostView | None = None
        record = self.journal.read(address)
        view = devices.view(self.placement, offered.provider)
        for _ in range(_MOST):
            action = decide(record, view, host, request, self.settings)
            request = replace(request, generation=None)
            if action.verb in _CLEANING:
                # Of two cleaners that have looked at the same time, one goes
                # on; and what is proven for an earlier generation is void.
                try:
                    claimed = self.placement.claim(view.inventory)
                except Conflict as error:
                    return self._void(record, f"its cleaning is void: {error}")
                view = replace(view, inventory=claimed)
                changes = {**action.changes, "generation": claimed.generation}
                action = replace(action, changes=changes)
            if action.verb is Verb.REFUSE:
                self.refuse(address, action.text)
                request = NOTHING
            if action.verb is Verb.RESERVE:
                view = release.keep(self.placement, offered.provider)
            if action.state or action.changes:
                record = action.applied(record)
                self.journal.write(record)
                request = replace(request, clean=False)
            if action.verb is Verb.LEAVE:
                return record
            if action.verb is Verb.LOOK:
                host = self._look(address)
            if action.verb in _CLEANING and host and host.task:
                record = cleaning.clean(
                    self.root, self.journal, self.run, host.task, record
                )
                host = replace(host, cleaned=record.state is State.CLEAN)
                renewed = action.verb is Verb.RENEW
                release_it = renewed or self.settings.automatic
                request = replace(request, release=release_it)
            if action.verb is Verb.RELEASE:
                return self._release(record, offered.provider)
        raise RuntimeError(f"{address}: no end of {action.verb.name}")

    def _look(self, address: str) -> HostView:
        """Return what the host says of a reserved device."""
        try:
            gone = not self.root.exists(pci.path(address))
        except Unreadable:
            gone = False  # the look that follows says why
        if gone:
            return HostView(
                waits=Waits(
                    "GONE", f"there is no device {address} on the host"
                )
            )
        usage = self._usage(address)
        if usage:
            return HostView(usage)
        try:
            task = cleaning.plan(self.root, self.rules(), address)
            return HostView(usage, task)
        except Waits as waits:
            return HostView(usage, waits=waits)

    def _usage(self, address: str) -> usages.Usage:
        return usages.look(self.root, self.libvirt, address)

    def _release(self, record: Record, provider: Provider) -> Record:
        """Release a device of which the journal says that it is clean."""
        try:
            release.lower(
                self.placement,
                provider,
                record.generation,
                lambda: self._usage(record.address),
            )
        except release.Voided as error:
            what = "its release by force" if record.forced else "its cleaning"
            return self._void(record, f"{what} is void: {error}")
        text = "released"
        if record.forced:
            text = f"released by force, not proven clean: {record.forced}"
        log = LOG.warning if record.forced else LOG.info
        log("%s is %s", record.address, text)
        record = record.to(State.RELEASED, text, attempts=0)
        self.journal.write(record)
        return record

    def _void(self, record: Record, reason: str) -> Record:
        """Keep a device to be cleaned: something has happened to it."""
        LOG.warning("%s stays reserved, %s", record.address, reason)
        changes = {"word": "VOID", "reason": reason[:500], "forced": ""}
        record = record.to(State.DIRTY, **changes)
        self.journal.write(record)
        return record

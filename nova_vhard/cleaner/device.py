# SPDX-License-Identifier: Apache-2.0
"""Carry out what decide.py says for a device, until nothing is left to do."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from nova_vhard.cleaner import usage as usages
from nova_vhard.cleaner.decide import (
    NOTHING,
    HostView,
    OperatorRequest,
    Settings,
    Task,
    Verb,
    Waits,
    decide,
)
from nova_vhard.cleaner.journal import Done, Journal, Record, State
from nova_vhard.cleaner.rules import Rules
from nova_vhard.cleaner.step import Job, Outcome
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean
from nova_vhard.host.libvirt.libvirt import Libvirt
from nova_vhard.host.pci import pci
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.placement import devices
from nova_vhard.placement.client import Conflict, Placement
from nova_vhard.placement.devices import Offered

LOG = get_logger(__name__)

# No device needs more actions than this in one round.
_MOST = 12
# Attempts to reserve a device whose provider changes.
_TRIES = 5


@dataclass
class Device:
    """A device in one round of the cleaner. The caller holds its locks.

    :ivar rules: reads the rules; raises Waits if they cannot be used
    :ivar run: runs the step of a name, as step_process.py does
    :ivar refuse: called with address and reason for each request that is
        refused
    :ivar host: state on the host; None as long as nobody has looked
    :ivar record: its journal
    :ivar view: its provider in Placement
    :raises PlacementError: if a request fails; so does each method
    :raises OSError: if the journal cannot be read or written; likewise
    """

    placement: Placement
    root: HostRoot
    libvirt: Libvirt
    journal: Journal
    rules: Callable[[], Rules]
    run: Callable[[str, Job], Outcome]
    settings: Settings
    refuse: Callable[[str, str], None]
    offered: Offered
    host: HostView | None = None

    def __post_init__(self) -> None:
        """Read what the journal and Placement say."""
        self.record = self.journal.read(self.offered.address)
        self.view = devices.view(self.placement, self.offered.provider)

    def attend(self, request: OperatorRequest = NOTHING) -> Record:
        """Carry out the next actions; return the record."""
        for _ in range(_MOST):
            action = decide(
                self.record, self.view, self.host, request, self.settings
            )
            request = replace(request, generation=None)
            match action.verb:
                case Verb.REFUSE:
                    self.refuse(self.offered.address, action.text)
                    request = NOTHING
                case Verb.RESERVE:
                    self._reserve()
                case Verb.CLEAN | Verb.RENEW:
                    # If two cleaners have looked at the same time, only one
                    # of them cleans. The claim also voids what was proven
                    # for an earlier generation.
                    try:
                        claimed = self.placement.claim(self.view.inventory)
                    except Conflict as error:
                        self._void(f"its cleaning is void: {error}")
                        return self.record
                    self.view = replace(self.view, inventory=claimed)
                    changes = {
                        **action.changes,
                        "generation": claimed.generation,
                    }
                    action = replace(action, changes=changes)
            if action.state or action.changes:
                self._write(action.applied(self.record))
                request = replace(request, clean=False)
            match action.verb:
                case Verb.LEAVE:
                    return self.record
                case Verb.LOOK:
                    self.host = self._look()
                case Verb.CLEAN | Verb.RENEW if self.host and self.host.task:
                    self._clean(self.host.task)
                    cleaned = self.record.state is State.CLEAN
                    self.host = replace(self.host, cleaned=cleaned)
                    renewed = action.verb is Verb.RENEW
                    release = renewed or self.settings.automatic
                    request = replace(request, release=release)
                case Verb.RELEASE:
                    self._release()
                    return self.record
        raise RuntimeError(
            f"{self.offered.address}: no end of {action.verb.name}"
        )

    def _write(self, record: Record) -> None:
        self.journal.write(record)
        self.record = record

    def _reserve(self) -> None:
        """Reserve it in Placement, so that no guest gets it.

        This is harmless and is retried.

        :raises PlacementError: if it is not known whether it was written
        """
        trouble = Conflict("it stays as it was")
        for _ in range(_TRIES):
            self.view = devices.view(self.placement, self.offered.provider)
            if self.view.reserved:
                return
            try:
                total = self.view.inventory.total
                self.placement.reserve(self.view.inventory, total)
            except Conflict as error:
                trouble = error
        raise trouble

    def _look(self) -> HostView:
        """Return its state on the host, once it is reserved."""
        usage = self._usage()
        try:
            task = plan(self.root, self.rules, self.offered.address)
        except Waits as waits:
            return HostView(usage, waits=waits)
        return HostView(usage, task)

    def _usage(self) -> usages.Usage:
        return usages.look(self.root, self.libvirt, self.offered.address)

    def _clean(self, task: Task) -> None:
        """Run its steps until one does not end clean."""
        for rule in task.steps:
            self._write(replace(self.record, running=rule.step))
            job = Job(self.root, task.device, rule.settings, rule.time_limit)
            begun = time.monotonic()
            try:
                outcome = self.run(rule.step, job)
            except Exception as error:  # noqa: BLE001 - of any runner
                text = f"could not be run: {type(error).__name__}: {error}"
                outcome = Outcome(False, text)
            done = Done(
                rule.step,
                outcome.clean is True,
                outcome.said,
                outcome.evidence,
                round(time.monotonic() - begun, 3),
            )
            LOG.info(
                "%s: step %s ended %s after %s s: %s",
                task.device.address,
                done.step,
                "clean" if done.clean else "not clean",
                done.seconds,
                clean(done.said, 300),
            )
            steps = (*self.record.steps, done)
            if not done.clean:
                failed = self.record.to(
                    State.FAILED,
                    f"{done.step} failed: {done.said}"[:500],
                    # Not the step's name: Placement has no trait for it.
                    word="FAILED",
                    reason=f"{done.step}: {done.said}"[:500],
                    steps=steps,
                )
                self._write(failed)
                LOG.error(
                    "%s stays reserved: %s",
                    failed.address,
                    clean(failed.reason, 300),
                )
                return
            self._write(replace(self.record, steps=steps, running=""))
        text = f"clean by {len(self.record.steps)} steps of {task.rules}"
        self._write(self.record.to(State.CLEAN, text))

    def _release(self) -> None:
        """Release it to the next guest if it has not changed.

        This is tried once, with the generation that was read when the
        cleaning began: an allocation that was made and deleted in between
        changes it, and voids the cleaning.

        :raises PlacementError: if it is not known whether it was written
        """
        view = devices.view(self.placement, self.offered.provider)
        usage = self._usage()
        reason = ""
        if view.consumers:
            reason = f"allocated to {', '.join(view.consumers)}"
        elif view.inventory.generation != self.record.generation:
            reason = "its provider has been changed since"
        elif usage:
            reason = str(usage)
        else:
            try:
                self.placement.reserve(view.inventory, 0)
            except Conflict:
                reason = "its provider was changed in the last moment"
        forced = self.record.forced
        if reason:
            what = "its release by force" if forced else "its cleaning"
            self._void(f"{what} is void: {reason}")
            return
        text = "released"
        if forced:
            text = f"released by force, not known to be clean: {forced}"
        log = LOG.warning if forced else LOG.info
        log("%s is %s", self.record.address, text)
        self._write(self.record.to(State.RELEASED, text, attempts=0))

    def _void(self, reason: str) -> None:
        """Mark it for cleaning: it has changed."""
        LOG.warning("%s stays reserved, %s", self.record.address, reason)
        changes = {"word": "VOID", "reason": reason[:500], "forced": ""}
        self._write(self.record.to(State.DIRTY, **changes))


def plan(root: HostRoot, rules: Callable[[], Rules], address: str) -> Task:
    """Find out what is to be done for a device.

    :raises Waits: if it cannot be done
    """
    try:
        device = pci.device(root, address)
        device_class = pci.device_class(root, address)
    except Unreadable as error:
        if error.missing:
            text = f"there is no device {address} on the host"
            raise Waits("GONE", text) from error
        text = f"the device cannot be read: {error}"
        raise Waits("UNREADABLE", text) from error
    known = rules()
    if device.kind is pci.Kind.VF:
        raise Waits("VF", "a virtual function cannot be one_time_use")
    entry = known.entry_for(device, device_class)
    if entry is None:
        text = f"no entry of {known.file} is for {device.vendor}:"
        raise Waits("NO_RULE", f"{text}{device.product}")
    return Task(device, entry.steps, known.digest)

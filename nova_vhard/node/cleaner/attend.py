# SPDX-License-Identifier: Apache-2.0
"""What is done for one device: look, keep, clean, release.

The order is what makes a crash harmless. At any moment a device is reserved
in Placement, or its journal says that every step of this use ended clean
before ``reserved`` was lowered. What the journal does not know for sure
counts as used.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from nova_vhard.common.log import get_logger
from nova_vhard.host import pci
from nova_vhard.host.libvirt import Libvirt
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.node.cleaner import (
    cleaning,
    release,
    usage,
)
from nova_vhard.node.cleaner.cleaning import (
    Runner,
    Task,
    Waits,
)
from nova_vhard.node.cleaner.journal import (
    Journal,
    Record,
    State,
)
from nova_vhard.node.cleaner.rules import Rules
from nova_vhard.node.cleaner.usage import Usage
from nova_vhard.placement.client import Placement
from nova_vhard.placement.devices import (
    Offered,
    View,
    view,
)

LOG = get_logger(__name__)


@dataclass(frozen=True)
class Ways:
    """How devices are dealt with here.

    :ivar automatic: whether a clean device is released at once
    :ivar attempts: cleanings that may be begun after one use
    """

    automatic: bool = True
    attempts: int = 3


@dataclass(frozen=True)
class OperatorRequest:
    """What an operator asks for a device.

    :ivar clean: clean it anew, whatever became of it
    :ivar release: release it, if it is clean
    :ivar force: why it is to be released without being proven clean
    """

    clean: bool = False
    release: bool = False
    force: str = ""


@dataclass
class DeviceLifecycle:
    """Deals with devices, one after the other; their locks are held.

    :ivar rules: reads the rules; raises Waits if they cannot be used
    :ivar run: runs a step
    """

    placement: Placement
    root: HostRoot
    libvirt: Libvirt
    journal: Journal
    rules: Callable[[], Rules]
    run: Runner
    ways: Ways = Ways()
    _ours: set[str] = field(default_factory=set)

    def attend(
        self, offered: Offered, wish: OperatorRequest = OperatorRequest()
    ) -> Record:
        """Do for a device what is to be done now.

        :returns: what the journal says then
        :raises PlacementError: if Placement does not help; later
        :raises OSError: if the journal cannot be read or written
        """
        record = self._known(offered)
        now = view(self.placement, offered.provider)
        if now.consumers:
            return self._used(record, now.consumers)
        if record.state is State.IN_USE:
            record = self._write(record.to(State.DIRTY, "given back"))
        record = self._noticed(record, now, wish)
        if not (record.dirty or now.reserved):
            return record
        now = release.keep(self.placement, offered.provider)
        if now.consumers:
            return self._used(record, now.consumers)
        if gone := self._gone(offered.address):
            return self._waits(record, "GONE", gone, _not_clean(record))
        holding = self._look(offered.address)
        if holding:
            return self._held(record, holding)
        if wish.force:
            return self._forced(record, offered, now, wish.force)
        return self._reserved(record, offered, now, wish)

    def _known(self, offered: Offered) -> Record:
        """Return what is known; a new provider knows nothing of a use."""
        record = self.journal.read(offered.address)
        uuid = offered.provider.uuid
        if record.provider == uuid:
            return record
        if not record.provider and not record.dirty:
            return replace(record, provider=uuid)
        text = f"its provider is a new one: {uuid}"
        if record.dirty:
            # The state stays: a failed one is not cleaned without being asked.
            same = {"word": record.word, "reason": record.reason}
            return self._write(
                record.to(record.state, text, provider=uuid, **same)
            )
        return self._write(record.to(State.DIRTY, text, provider=uuid))

    def _noticed(
        self, record: Record, now: View, wish: OperatorRequest
    ) -> Record:
        """Write down what Placement and the operator say of a device."""
        if now.reserved and record.state in (State.AVAILABLE, State.RELEASED):
            changes = {"attempts": 0, "consumers": (), "forced": ""}
            text = "used while nobody looked"
            return self._write(record.to(State.DIRTY, text, **changes))
        if wish.clean:
            text = "a cleaning is asked for"
            return self._write(record.to(State.DIRTY, text, attempts=0))
        if now.reserved or not (record.dirty or record.state is State.CLEAN):
            return record
        if record.state is State.CLEAN and _only_lowered(record, now):
            return self._write(record.to(State.RELEASED, "found released"))
        text = "not reserved in Placement and not known to be clean"
        LOG.warning("%s: %s; it is reserved again", record.address, text)
        if record.state is State.FAILED:
            return record
        return self._write(record.to(State.DIRTY, text))

    def _used(self, record: Record, consumers: tuple[str, ...]) -> Record:
        self._ours.discard(record.address)
        if record.state is State.IN_USE and record.consumers == consumers:
            return record
        if record.state is not State.IN_USE:
            record = replace(record, attempts=0, forced="")
        text = f"in use by {', '.join(consumers)}"
        return self._write(record.to(State.IN_USE, text, consumers=consumers))

    def _held(self, record: Record, holding: Usage) -> Record:
        """Leave a device alone that is, or may be, in a guest."""
        self._ours.discard(record.address)
        if not holding.held:
            state = _not_clean(record)
            return self._waits(record, "UNKNOWN", str(holding), state)
        owners = holding.guests or record.consumers
        record = replace(record, consumers=owners, attempts=0)
        return self._waits(record, "HELD", str(holding), State.DIRTY)

    def _waits(
        self,
        record: Record,
        word: str,
        reason: str,
        state: State,
    ) -> Record:
        reason = reason[:500]
        if state is State.FAILED:
            return record  # why it failed is not to be forgotten
        if (state, word) != (record.state, record.word):
            return self._write(record.to(state, word=word, reason=reason))
        if reason != record.reason:
            return self._write(replace(record, reason=reason))
        return record

    def _reserved(
        self,
        record: Record,
        offered: Offered,
        now: View,
        wish: OperatorRequest,
    ) -> Record:
        """Go on with a device that nobody has and nobody can get."""
        generation = now.inventory.generation
        if _still_clean(record, generation):
            if record.address in self._ours or wish.release:
                return self._release(record, offered)
            if not self.ways.automatic:
                return self._waits(
                    record, "CLEAN", "waits to be released", State.CLEAN
                )
        try:
            task = self._plan(record)
        except Waits as error:
            failed = record.state is State.FAILED
            state = State.FAILED if failed else State.DIRTY
            return self._waits(record, error.word, str(error), state)
        if task is None:
            return record
        record = self._clean(record, offered, task, generation)
        if record.state is not State.CLEAN:
            return record
        if not self.ways.automatic:
            return self._waits(
                record, "CLEAN", "waits to be released", State.CLEAN
            )
        self._ours.add(record.address)
        return self._release(record, offered)

    def _plan(self, record: Record) -> Task | None:
        """Return what is to be done, None for nothing.

        What failed is not tried again by itself: flash wears out, and a
        device that was caught once may lie the next time. Other rules are
        another matter.
        """
        rules = self.rules()
        if record.state is State.FAILED and record.rules == rules.digest:
            return None
        return cleaning.plan(
            self.root, rules, self.journal.folder, record.address
        )

    def _clean(
        self, record: Record, offered: Offered, task: Task, generation: int
    ) -> Record:
        attempts = record.attempts + 1
        if record.rules != task.rules:
            attempts = 1
        if attempts > self.ways.attempts:
            at = f", the last time in {record.running}" * bool(record.running)
            text = f"begun {record.attempts} times and not released{at}"
            return self._write(
                record.to(State.FAILED, word="ATTEMPTS", reason=text)
            )
        record = self._write(
            record.to(
                State.CLEANING,
                f"cleaning, attempt {attempts}",
                provider=offered.provider.uuid,
                generation=generation,
                attempts=attempts,
                rules=task.rules,
                steps=(),
                forced="",
            )
        )
        return cleaning.clean(self.root, self.journal, self.run, task, record)

    def _release(self, record: Record, offered: Offered) -> Record:
        """Release a device of which the journal says that it is clean."""
        try:
            release.lower(
                self.placement,
                offered.provider,
                record.generation,
                lambda: self._look(offered.address),
            )
        except release.Voided as error:
            self._ours.discard(record.address)
            text = f"its cleaning is void: {error}"
            LOG.warning("%s stays reserved, %s", record.address, text)
            return self._write(
                record.to(State.DIRTY, word="VOID", reason=text[:500])
            )
        self._ours.discard(record.address)
        LOG.info("%s is clean and released", record.address)
        return self._write(record.to(State.RELEASED, attempts=0))

    def _forced(
        self, record: Record, offered: Offered, now: View, reason: str
    ) -> Record:
        """Release what is not proven clean, because an operator says so."""
        generation = now.inventory.generation
        text = f"released by force, not proven clean: {reason}"
        LOG.warning("%s: %s", record.address, text)
        # Before it is done, so that a crash keeps it from being undone.
        record = self._write(
            record.to(State.CLEAN, text, forced=reason, generation=generation)
        )
        try:
            release.lower(
                self.placement,
                offered.provider,
                generation,
                lambda: self._look(offered.address),
            )
        except release.Voided as error:
            text = f"not released by force: {error}"
            return self._write(
                record.to(
                    State.DIRTY, word="VOID", reason=text[:500], forced=""
                )
            )
        return self._write(record.to(State.RELEASED, text, attempts=0))

    def _gone(self, address: str) -> str:
        """Say that a device is not there; nothing for one that is."""
        try:
            there = self.root.exists(pci.path(address))
        except Unreadable:
            return ""  # the look that follows says why
        return "" if there else f"there is no device {address} on the host"

    def _look(self, address: str) -> Usage:
        return usage.look(self.root, self.libvirt, address)

    def _write(self, record: Record) -> Record:
        self.journal.write(record)
        return record


def _still_clean(record: Record, generation: int) -> bool:
    """Tell whether nothing has happened since a device was cleaned."""
    return (
        record.state is State.CLEAN
        and not record.forced
        and record.generation == generation
    )


def _not_clean(record: Record) -> State:
    """Return a state in which a device is not given to anybody."""
    return State.DIRTY if record.state is State.CLEAN else record.state


def _only_lowered(record: Record, now: View) -> bool:
    """Tell whether our own lowering is all that has happened since.

    A process may end between that and its record.
    """
    if record.generation is None:
        return False
    return now.inventory.generation - record.generation in (0, 1)

# SPDX-License-Identifier: Apache-2.0
"""Decisions of the cleaner, as pure functions.

``decide`` returns the next action for a device; device.py carries it out and
calls it again until nothing is left to do. The order makes a crash harmless: a
device is reserved before anything is written about it, and released only after
its journal shows that every step of its last use ended clean. Anything that
the journal does not record counts as used. Devices are not watched between two
rounds, and a guest that is started without Nova leaves no trace: a device that
was cleaned in an earlier round is cleaned again before it is released.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nova_vhard.cleaner.journal import Record, State
from nova_vhard.cleaner.rules import StepRule
from nova_vhard.cleaner.usage import NOBODY, Usage
from nova_vhard.host.pci.pci import PciDevice
from nova_vhard.placement.devices import View


@dataclass(frozen=True)
class Settings:
    """Settings of the cleaner for this host's devices.

    :ivar automatic: whether a clean device is released at once
    :ivar attempts: maximum number of cleanings after one use
    :ivar trust_new: whether an offered device without a journal counts as
        clean
    """

    automatic: bool = True
    attempts: int = 3
    trust_new: bool = False


@dataclass(frozen=True)
class OperatorRequest:
    """An operator's request for a device.

    :ivar clean: clean it again, regardless of the result of the last run
    :ivar release: release it, if it is clean
    :ivar force: reason to release it although it is not proven clean
    :ivar generation: of the provider when the request was made; None for a
        request that was just made on the host
    """

    clean: bool = False
    release: bool = False
    force: str = ""
    generation: int | None = None

    def __bool__(self) -> bool:
        """Return whether anything is asked for."""
        return bool(self.clean or self.release or self.force)


#: No request at all.
NOTHING = OperatorRequest()
#: What the configuration says by default.
DEFAULTS = Settings()


class Waits(Exception):
    """Raised if a device cannot be cleaned now; a later round tries again.

    :ivar word: the reason, as the word of a trait
    """

    def __init__(self, word: str, reason: str) -> None:
        """Keep why, in a word and as a sentence."""
        super().__init__(reason)
        self.word = word


@dataclass(frozen=True)
class Task:
    """Steps that clean a device.

    :ivar rules: digest of the rules that require them
    """

    device: PciDevice
    steps: tuple[StepRule, ...]
    rules: str


@dataclass(frozen=True)
class HostView:
    """State of a device on the host, read after it was reserved.

    :ivar usage: who holds it
    :ivar task: how it is cleaned; None if it cannot be
    :ivar waits: why it cannot be cleaned now
    :ivar cleaned: whether its steps have ended clean since then
    """

    usage: Usage = NOBODY
    task: Task | None = None
    waits: Waits | None = None
    cleaned: bool = False


class Verb(enum.Enum):
    """Kind of an action, and when it changes the journal."""

    LEAVE = "write the change; nothing more in this round"
    NOTE = "write the change; decide again"
    REFUSE = "drop the request; decide again"
    RESERVE = "reserve the device, then write the change; decide again"
    LOOK = "look at the host; decide again"
    CLEAN = "claim the device, write the change, run the steps; decide again"
    RENEW = "as CLEAN, and it is to be released if they end clean"
    RELEASE = "write the change, release the device"


@dataclass(frozen=True)
class Action:
    """The next thing to do for a device.

    :ivar state: that the journal is to say; None: its state stays
    :ivar text: what happened, for the history; or why a request is refused
    :ivar changes: other fields of the record
    """

    verb: Verb
    state: State | None = None
    text: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)

    def applied(self, record: Record) -> Record:
        """Return the record with the change."""
        if self.state is None:
            return replace(record, **self.changes)
        return record.to(self.state, self.text, **self.changes)


def decide(
    record: Record,
    view: View,
    host: HostView | None,
    request: OperatorRequest = NOTHING,
    settings: Settings = DEFAULTS,
) -> Action:
    """Return what is to be done next for a device.

    ==============================  ======================================
    a request that is void          REFUSE
    a consumer has it               LEAVE, in use
    it may have been used, or was   dirty: RESERVE, or NOTE if reserved
    never cleaned here
    clean or released, on offer     LEAVE
    reserved, host not looked at    LOOK
    gone, held, or unknown          LEAVE, with the word
    forced                          RELEASE
    cleaned in this round, and      RELEASE
    nothing happened since
    clean, in an earlier round      CLEAN if releases are automatic;
                                    otherwise LEAVE until a release is
                                    requested, then RENEW
    no rule, or failed by these     LEAVE, with the word
    otherwise                       CLEAN
    ==============================  ======================================

    :param host: None until the device was inspected on the host
    """
    if refusal := _refusal(view, request):
        return Action(Verb.REFUSE, text=refusal)
    if view.consumers:
        provider = view.inventory.provider
        known = (record.state, record.consumers, record.provider)
        if known == (State.IN_USE, view.consumers, provider):
            return Action(Verb.LEAVE)
        changes: dict[str, Any] = {
            "consumers": view.consumers,
            "provider": provider,
        }
        if record.state is not State.IN_USE:
            changes |= {"attempts": 0, "forced": ""}
        return Action(
            Verb.LEAVE,
            State.IN_USE,
            f"in use by {', '.join(view.consumers)}",
            changes,
        )
    if action := _noticed(record, view, request, settings):
        return action
    if not view.reserved:
        return Action(Verb.LEAVE)
    if host is None:
        return Action(Verb.LOOK)
    waits = host.waits
    not_clean = State.DIRTY if record.state is State.CLEAN else record.state
    if waits and waits.word == "GONE":
        return _wait(record, waits.word, str(waits), not_clean)
    if host.usage:
        if not host.usage.held:
            return _wait(record, "UNKNOWN", str(host.usage), not_clean)
        owners = host.usage.guests or record.consumers
        changes = {"consumers": owners, "attempts": 0}
        return _wait(record, "HELD", str(host.usage), State.DIRTY, **changes)
    if request.force:
        # It is written down before it is done, so that a crash does not undo
        # it.
        text = f"released by force, not known to be clean: {request.force}"
        changes = {
            "forced": request.force,
            "generation": view.inventory.generation,
        }
        return Action(Verb.RELEASE, State.CLEAN, text, changes)
    # Nothing has happened since it was cleaned.
    clean = (
        record.state is State.CLEAN
        and not record.forced
        and record.generation == view.inventory.generation
    )
    if clean:
        if request.release and host.cleaned:
            return Action(Verb.RELEASE)
        if not (request.release or settings.automatic):
            return _wait(
                record,
                "CLEAN",
                "waits to be released",
                State.CLEAN,
                attempts=0,
            )
    if host.task is None:
        word, text = (waits.word, str(waits)) if waits else ("RULES", "")
        return _wait(record, word, text, State.DIRTY)
    action = _cleaning(record, view, host.task, settings)
    if clean and request.release and action.verb is Verb.CLEAN:
        return replace(action, verb=Verb.RENEW)
    return action


def _refusal(view: View, request: OperatorRequest) -> str:
    """Return why a request is not carried out; empty for one that is."""
    if not request:
        return ""
    if request.generation not in (None, view.inventory.generation):
        return "void: its provider has changed since this was asked for"
    if request.force and view.consumers:
        return (
            f"not released by force: allocated to {', '.join(view.consumers)}"
        )
    if request.force and not view.reserved:
        return "not released by force: it is not reserved"
    return ""


def _noticed(
    record: Record, view: View, request: OperatorRequest, settings: Settings
) -> Action | None:
    """Return what follows from what the journal does not know yet."""
    unused = record.state in (State.AVAILABLE, State.RELEASED)
    if request.clean:
        return _dirty(view, "a cleaning is asked for", attempts=0)
    if record.state is State.AVAILABLE and not record.provider:
        if settings.trust_new and not view.reserved:
            changes = {"provider": view.inventory.provider}
            return Action(
                Verb.LEAVE,
                State.AVAILABLE,
                "trusted as clean (trust_new)",
                changes,
            )
        return _dirty(view, "this cleaner has never cleaned it")
    if record.provider != view.inventory.provider:
        # Nova has forgotten everything with the old provider.
        uuid = view.inventory.provider
        text = f"its provider is a new one: {uuid}"
        if not record.dirty or record.state is State.IN_USE:
            return _dirty(view, text)
        # The state stays: a failed one is not cleaned without being asked.
        same = {"word": record.word, "reason": record.reason, "provider": uuid}
        return replace(_dirty(view, text, **same), state=record.state)
    if record.state is State.IN_USE:
        return _dirty(view, "given back")
    if view.reserved:
        return (
            _dirty(
                view,
                "reserved since the last round: counts as used",
                attempts=0,
                consumers=(),
                forced="",
            )
            if unused
            else None
        )
    # The only change since then is our own release: the process may have ended
    # before it could record it.
    lowered = record.generation is not None and (
        view.inventory.generation == record.generation + 1
    )
    if record.state is State.CLEAN and lowered:
        return Action(Verb.LEAVE, State.RELEASED, "released before a crash")
    if unused:
        return None
    if record.state is State.FAILED:
        return Action(Verb.RESERVE)
    return _dirty(view, "not reserved in Placement and not known to be clean")


def _dirty(view: View, text: str, **changes: Any) -> Action:
    """Return the action that makes a device count as used."""
    verb = Verb.NOTE if view.reserved else Verb.RESERVE
    changes = {"provider": view.inventory.provider, **changes}
    return Action(verb, State.DIRTY, text, changes)


def _wait(
    record: Record, word: str, reason: str, state: State, **changes: Any
) -> Action:
    """Leave a device as it is, and keep why."""
    reason = reason[:500]
    if record.state is State.FAILED:
        return Action(Verb.LEAVE)  # why it failed is not to be forgotten
    changes |= {"word": word, "reason": reason}
    if (state, word) != (record.state, record.word):
        return Action(Verb.LEAVE, state, "", changes)
    if reason != record.reason:
        return Action(Verb.LEAVE, changes=changes)
    return Action(Verb.LEAVE)


def _cleaning(
    record: Record, view: View, task: Task, settings: Settings
) -> Action:
    """Return the next cleaning, if there is to be one.

    A failed cleaning is not repeated automatically: flash memory wears out,
    and a device that failed once may report a false success the next time. It
    is tried again if the rules have changed.
    """
    same = record.rules == task.rules
    if record.state is State.FAILED and same:
        return Action(Verb.LEAVE)
    attempts = record.attempts + 1 if same else 1
    if attempts > settings.attempts:
        at = f", the last time in {record.running}" * bool(record.running)
        text = f"begun {record.attempts} times and not released{at}"
        changes: dict[str, Any] = {"word": "ATTEMPTS", "reason": text}
        return Action(Verb.LEAVE, State.FAILED, "", changes)
    changes = {
        "generation": view.inventory.generation,
        "attempts": attempts,
        "rules": task.rules,
        "steps": (),
        "forced": "",
    }
    return Action(
        Verb.CLEAN, State.CLEANING, f"cleaning, attempt {attempts}", changes
    )

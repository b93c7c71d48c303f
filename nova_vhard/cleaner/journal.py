# SPDX-License-Identifier: Apache-2.0
"""Journal of each device, on disk: state, evidence, history.

One file per device, replaced atomically and synced before the action that it
records. Files are named by address, not by provider: Nova may delete and
recreate a provider, and then forgets that the device was used.
"""

import datetime
import enum
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from nova_vhard.common import files, source, state
from nova_vhard.common.log import get_logger

LOG = get_logger(__name__)

VERSION = 1

#: Events that are kept of a device.
HISTORY = 100


def _now() -> datetime.datetime:
    """Return the time of an event, for people: nothing is decided by it."""
    return datetime.datetime.now(datetime.UTC)


class State(enum.StrEnum):
    """Where a device is on its way from guest to guest."""

    AVAILABLE = "available"  # no use of it is known
    IN_USE = "in use"
    DIRTY = "dirty"  # used, and waits to be cleaned
    CLEANING = "cleaning"
    FAILED = "failed"  # a step did not end clean; stays so until asked
    CLEAN = "clean"  # every step ended clean, not released yet
    RELEASED = "released"


@dataclass(frozen=True)
class Done:
    """A step that ended.

    :ivar evidence: in the host's own words
    :ivar seconds: that it took
    """

    step: str
    clean: bool
    said: str
    evidence: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Event:
    """Something that happened to a device."""

    when: str
    what: str


@dataclass(frozen=True)
class Record:
    """State of a device.

    :ivar provider: uuid of its provider when this was written; empty for none
    :ivar word: why it waits or failed, as part of a trait: NO_RULE, HELD,
        FAILED, …; empty if there is no reason
    :ivar reason: the same as a sentence
    :ivar generation: of the provider when the cleaning began
    :ivar attempts: cleanings begun since the last use
    :ivar rules: digest of the rules that it was cleaned by
    :ivar consumers: last consumers, as uuids of servers or migrations
    :ivar steps: steps of the last cleaning that have ended
    :ivar running: the step that has begun and not ended; empty for none
    :ivar forced: why it was released without being clean; empty if it was not
    """

    address: str
    provider: str = ""
    state: State = State.AVAILABLE
    word: str = ""
    reason: str = ""
    generation: int | None = None
    attempts: int = 0
    rules: str = ""
    consumers: tuple[str, ...] = ()
    steps: tuple[Done, ...] = ()
    running: str = ""
    forced: str = ""
    since: str = ""
    history: tuple[Event, ...] = ()

    @property
    def dirty(self) -> bool:
        """Whether it was used and not cleaned since."""
        return self.state in (
            State.IN_USE,
            State.DIRTY,
            State.CLEANING,
            State.FAILED,
        )

    def to(self, state: State, what: str = "", **changes: Any) -> "Record":
        """Return this device in a state, with an event for its history.

        :param what: happened; by default the new state
        :param changes: other fields; word, reason and running become empty
            without one
        """
        now = _now().isoformat(timespec="seconds")
        event = Event(now, what or changes.get("reason") or state.value)
        empty = {"word": "", "reason": "", "running": ""}
        return replace(
            self,
            **{
                **empty,
                "state": state,
                "since": now,
                "history": (*self.history, event)[-HISTORY:],
                **changes,
            },
        )


class Journal:
    """The records of a host's devices.

    :param folder: in which each device has a file; made when it is needed
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def path(self, address: str) -> str:
        """Return the path of a device's file."""
        return os.path.join(self.folder, f"{address}.json")

    def read(self, address: str) -> Record:
        """Return what is known of a device.

        A damaged file is set aside, and the device counts as used, since its
        state is unknown. The next write replaces the file.

        :raises OSError: if it cannot be read
        """
        path = self.path(address)
        try:
            return self.load(path, address) or Record(address)
        except ValueError as error:
            state.set_aside(path)
            LOG.error("%s is damaged, and the device counts as used", path)
            text = f"its journal was damaged: {error}"[:200]
            return Record(address).to(State.DIRTY, word="JOURNAL", reason=text)

    @staticmethod
    def load(path: str, address: str) -> Record | None:
        """Return the record in a file, or None if there is no file.

        :raises OSError: if it cannot be read
        :raises ValueError: if it is damaged, or of another address
        """
        return state.read(path, lambda data: parse(data, address))

    def write(self, record: Record) -> None:
        """Write what is known of a device.

        The evidence is left out if the file would be too large to be read
        again.

        :raises OSError: if it cannot be written; the old file is unchanged
        """
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        text = _text(record)
        if len(text) >= source.MAX_SIZE:
            evidence = ("left out: all of it together is too long to be kept",)
            steps = [replace(x, evidence=evidence) for x in record.steps]
            text = _text(replace(record, steps=tuple(steps)))
        files.replace(self.path(record.address), f"{text}\n")


def _text(record: Record) -> str:
    return json.dumps({"version": VERSION, **asdict(record)}, indent=2)


def parse(data: Any, address: str) -> Record:
    """Read a record.

    :raises ValueError, AttributeError, KeyError, TypeError: if it is not one
        that this version wrote
    """
    if not isinstance(data, Mapping) or data.get("version") != VERSION:
        raise ValueError("not of this version")
    fields = {name: data[name] for name in data if name != "version"}
    fields["state"] = State(fields["state"])
    fields["steps"] = tuple(
        Done(**{**step, "evidence": tuple(step["evidence"])})
        for step in fields["steps"]
    )
    fields["history"] = tuple(Event(**event) for event in fields["history"])
    fields["consumers"] = tuple(fields["consumers"])
    record = Record(**fields)
    # Each field must be of the type that it is used as.
    numbers = (record.attempts, record.generation or 0)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise TypeError("no numbers")
    texts = (
        *(record.address, record.provider, record.word, record.reason),
        *(record.rules, record.running, record.forced, record.since),
        *record.consumers,
        *(text for done in record.steps for text in (done.step, done.said)),
        *(text for event in record.history for text in asdict(event).values()),
    )
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("no texts")
    if record.address != address:
        raise ValueError(f"a record of {record.address!r}"[:80])
    return record

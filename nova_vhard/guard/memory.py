# SPDX-License-Identifier: Apache-2.0
"""Devices that each guest of this host last ran with, on disk.

A device that a guest had before is at most an existing violation: the policy's
``moves`` applies to it; ``on_host.mode`` applies to new devices.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from nova_vhard.common import files, state
from nova_vhard.common.log import get_logger

LOG = get_logger(__name__)

VERSION = 1
FILE = "guests.json"

#: Guests that are remembered, and choices of one.
MOST_GUESTS = 10_000
MOST_CHOICES = 512

#: Bytes of the file that are read.
_LIMIT = 64 << 20
#: Seconds after which a guest that is not seen is forgotten. Nova undefines
#: and redefines a domain at each hard reboot.
FORGOTTEN = 24 * 3600.0
# Seconds after which it is written down again that a guest is there.
_SEEN_AGAIN = 3600.0


class Choice(NamedTuple):
    """A device that a guest ran with, as violations name it.

    :ivar kind: device kind, or kind of passthrough
    :ivar value: its value; None where that is not known
    :ivar number: of devices of the host, and of what no rule is about; empty
        for others
    """

    kind: str
    value: str | None
    number: str = ""


@dataclass(frozen=True, slots=True)
class Guest:
    """Last known state of a guest.

    :ivar choices: devices that it last ran with
    :ivar seen: seconds since the epoch when libvirt last had it
    """

    choices: frozenset[Choice]
    seen: float


class Memory:
    """The guests of a host; safe to use by several threads.

    :param folder: in which it has its file; made if it is not there
    :param clock: seconds since the epoch
    :ivar adopted: whether all guests of the host have been recorded once.
        Until then, a new guest cannot be told from one that was there before.
        Also True while the file cannot be read, so that every unknown guest
        counts as new
    :ivar trouble: why the file cannot be read or written; empty if it can
    """

    def __init__(
        self, folder: str, clock: Callable[[], float] = time.time
    ) -> None:
        """Read the file; ``save`` reads it again if that fails."""
        self.adopted = False
        self.trouble = ""
        self._path = os.path.join(folder, FILE)
        self._clock = clock
        self._lock = threading.Lock()
        self._guests: dict[str, Guest] = {}
        self._changed = False
        self._unread = False
        # Of which all choices have been kept while the file was unreadable.
        self._whole: set[str] = set()
        self._load()

    def __len__(self) -> int:
        """Return the number of guests that are remembered."""
        return len(self._guests)

    def choices(self, uuid: str) -> frozenset[Choice] | None:
        """Return what a guest last ran with; None for one not known."""
        guest = self._guests.get(uuid)
        return None if guest is None else guest.choices

    def keep(
        self, uuid: str, choices: Collection[Choice], more: bool = False
    ) -> None:
        """Remember what a guest runs with.

        :param more: True to add the choices to the known ones, instead of
            replacing those
        """
        with self._lock:
            before = self._guests.pop(uuid, None)
            if more and before is not None:
                choices = {*before.choices, *choices}
            if self._unread and not more:
                self._whole.add(uuid)
            most = frozenset(sorted(choices, key=str)[:MOST_CHOICES])
            self._guests[uuid] = Guest(most, self._clock())
            # The one that was kept longest ago goes first.
            while len(self._guests) > MOST_GUESTS:
                del self._guests[next(iter(self._guests))]
            self._changed = True

    def forget_absent(self, present: Collection[str]) -> list[str]:
        """Forget who has been gone for long; return their uuids.

        :param present: uuids of all guests that libvirt has
        """
        now = self._clock()
        with self._lock:
            for uuid in self._guests.keys() & set(present):
                if abs(now - self._guests[uuid].seen) > _SEEN_AGAIN:
                    guest = replace(self._guests[uuid], seen=now)
                    self._guests[uuid] = guest
                    self._changed = True
            gone = [
                uuid
                for uuid, guest in self._guests.items()
                if now - guest.seen >= FORGOTTEN
            ]
            for uuid in gone:
                del self._guests[uuid]
                self._changed = True
        return gone

    def adopt(self) -> None:
        """Note that all guests of the host have been taken in."""
        with self._lock:
            self.adopted = True
            self._changed = True

    def save(self) -> None:
        """Write the file, if anything changed; complain if that fails."""
        with self._lock:
            if self._unread:
                self._load()
            if self._unread or not self._changed:
                return
            self._changed = False
            content = {
                "version": VERSION,
                "adopted": self.adopted,
                "guests": {
                    uuid: {
                        "seen": int(guest.seen),
                        "choices": sorted(guest.choices, key=str),
                    }
                    for uuid, guest in self._guests.items()
                },
            }
        try:
            os.makedirs(os.path.dirname(self._path), 0o700, exist_ok=True)
            files.replace(self._path, json.dumps(content))
        except OSError as error:
            self._changed = True
            self._complain("Guests are remembered until a restart", error)
        else:
            self.trouble = ""

    def _complain(self, text: str, error: OSError) -> None:
        before, self.trouble = self.trouble, f"{text}: {error}"
        if self.trouble != before:
            LOG.error("%s", self.trouble)

    def _load(self) -> None:
        try:
            # One that was there and could not be read is not missing.
            known, adopted = state.read(self._path, self._parsed, _LIMIT) or (
                {},
                self._unread,
            )
        except OSError as error:
            # Not as without a file: a guest that was refused before would
            # count as there before, and the next write would make that final.
            self._unread = self.adopted = True
            self._complain(
                "Every guest counts as new until the file can be read", error
            )
            return
        except ValueError as error:
            state.set_aside(self._path)
            known, adopted, self._changed = {}, False, True
            LOG.error(
                "The record of previous guests is lost; all running guests "
                "count as known: %s: %s",
                self._path,
                error,
            )
        # What was kept since the start comes to it, as ``keep`` does it.
        for uuid, guest in self._guests.items():
            before = known.pop(uuid, guest)
            choices = guest.choices
            if uuid not in self._whole:
                choices |= before.choices
            known[uuid] = replace(guest, choices=choices)
        self._guests, self._unread = known, False
        self.adopted = adopted
        self.trouble = ""

    def _parsed(self, content: Any) -> tuple[dict[str, Guest], bool]:
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}")
        # The daemon sees no guest while it is down: restart the time for each,
        # because Nova redefines domains when it starts a host's guests.
        now = self._clock()
        guests = {
            str(uuid): Guest(
                frozenset(
                    Choice(
                        str(kind),
                        None if value is None else str(value),
                        str(number),
                    )
                    for kind, value, number in entry["choices"]
                ),
                now,
            )
            for uuid, entry in content["guests"].items()
        }
        return guests, content["adopted"] is True

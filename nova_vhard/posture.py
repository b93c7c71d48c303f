# SPDX-License-Identifier: Apache-2.0
"""Which hosts have proven what: the fleet as Placement knows it.

Kept for a while and refreshed by one caller while the others go on with the
last answer; only the very first answer is waited for. No thread is started
and nothing is asked before the first call, so that it can be made before a
service forks.
"""

import dataclasses
import datetime
import random
import threading
import time
from collections.abc import Callable

from nova_vhard.catalogue import traits
from nova_vhard.log import get_logger
from nova_vhard.placement import Placement, PlacementError

LOG = get_logger(__name__)


class PostureUnavailable(Exception):
    """Nobody knows which hosts have proven it."""


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked of the fleet.

    :ivar checks: names of the checks that a host must have passed
    :ivar max_age: whole hours; an older status counts as none
    """

    checks: frozenset[str]
    max_age: int


@dataclasses.dataclass
class _Entry:
    """The last answer to one question.

    :ivar hosts: uuids of the compute nodes' root resource providers
    :ivar answered: when (monotonic seconds); None for never
    :ivar due: from when on it should be asked again
    """

    lock: threading.Lock
    hosts: frozenset[str] = frozenset()
    answered: float | None = None
    due: float = 0.0


@dataclasses.dataclass(frozen=True)
class Clock:
    """Time, as tests replace it."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(
        datetime.UTC
    )


class Posture:
    """The fleet's posture, one entry a question.

    :param connect: makes the Placement client, called once, on first use
    :param ttl: seconds for which an answer is kept, jittered by a tenth
    :param max_age: seconds after which an answer is not to be relied on
    """

    def __init__(
        self,
        connect: Callable[[], Placement],
        ttl: float,
        max_age: float,
        clock: Clock | None = None,
    ) -> None:
        """Ask nothing yet."""
        self._connect = connect
        self._ttl = ttl
        self._max_age = max_age
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._placement: Placement | None = None
        self._entries: dict[Question, _Entry] = {}

    def hosts(self, question: Question) -> frozenset[str]:
        """Return the hosts that have proven something.

        :returns: uuids of their root resource providers
        :raises PostureUnavailable: if there is no answer, or only one that
            is too old
        """
        entry = self._entry(question)
        now = self._clock.monotonic()
        first = entry.answered is None
        if now >= entry.due and entry.lock.acquire(blocking=first):
            try:
                # Whoever waited finds the answer of whoever asked.
                if self._clock.monotonic() >= entry.due:
                    self._refresh(question, entry)
            finally:
                entry.lock.release()
        return self._answer(entry)

    def _answer(self, entry: _Entry) -> frozenset[str]:
        answered, hosts = entry.answered, entry.hosts
        if answered is None:
            raise PostureUnavailable("Placement has not answered yet")
        age = self._clock.monotonic() - answered
        if age > self._max_age:
            text = f"Placement has not answered for {age:.0f} seconds"
            raise PostureUnavailable(text)
        return hosts

    def _entry(self, question: Question) -> _Entry:
        entry = self._entries.get(question)
        if entry is None:
            with self._lock:
                entry = self._entries.setdefault(
                    question, _Entry(threading.Lock())
                )
        return entry

    def _refresh(self, question: Question, entry: _Entry) -> None:
        started = self._clock.monotonic()
        try:
            hosts = self._ask(question)
        except PlacementError as error:
            # Nobody is kept waiting for a Placement that is down: the next
            # try is due after a tenth of the time.
            entry.due = self._clock.monotonic() + self._ttl / 10
            LOG.warning(
                "Placement does not say which hosts have passed %s: %s",
                ", ".join(sorted(question.checks)) or "anything",
                error,
            )
            return
        entry.hosts = hosts
        entry.answered = started
        jitter = random.uniform(0.9, 1.1)  # noqa: S311 - no secret
        entry.due = self._clock.monotonic() + self._ttl * jitter

    def _ask(self, question: Question) -> frozenset[str]:
        """Ask Placement: one GET for names, one for hosts."""
        placement = self._connected()
        known = placement.traits()
        required = {traits.of_check(name) for name in question.checks}
        hours = traits.fresh(self._clock.now(), question.max_age)
        reported = known.intersection(hours)
        if not required <= known or not reported:
            # No host can have a trait whose name does not exist.
            return frozenset()
        found = placement.providers(required, reported)
        return frozenset(one.uuid for one in found)

    def _connected(self) -> Placement:
        if self._placement is None:
            with self._lock:
                if self._placement is None:
                    self._placement = self._connect_now()
        return self._placement

    def _connect_now(self) -> Placement:
        try:
            return self._connect()
        except Exception as error:
            text = f"no connection: {type(error).__name__}: {error}"
            raise PlacementError(text) from error

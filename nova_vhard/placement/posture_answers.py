# SPDX-License-Identifier: Apache-2.0
"""The last answers of Placement about the fleet, and who asks for new ones.

Callers pass all times, in seconds of one monotonic clock. Nothing here reads
a clock.
"""

import dataclasses
import threading
from typing import Generic, TypeVar

Key = TypeVar("Key")

#: Seconds after which an unused answer is dropped.
UNUSED = 3600.0

#: Maximum number of cached answers. One about 10,000 hosts takes 1.3 MB.
MOST = 64

#: Maximum number of refreshes that hang beyond their deadline. Each has a
#: thread; no further refresh begins until one of them ends.
HANGING = 16


@dataclasses.dataclass(eq=False)
class Refresh:
    """One try to get an answer.

    :ivar number: counts up, so that an older one never overwrites a newer
    :ivar started: when
    :ivar deadline: from when on another may be begun in its place
    :ivar ended: set when it has come to an end, good or bad
    """

    number: int
    started: float
    deadline: float
    ended: threading.Event = dataclasses.field(default_factory=threading.Event)


@dataclasses.dataclass(eq=False)
class Answer:
    """The last answer to one question.

    :ivar hosts: uuids of the compute nodes' root resource providers
    :ivar answered: when the refresh began that got it; None for never
    :ivar due: from when on it should be asked again
    :ivar used: when somebody last wanted to know it
    :ivar number: of the refresh that got it
    :ivar refresh: the one that is under way
    """

    hosts: frozenset[str] = frozenset()
    answered: float | None = None
    due: float = 0.0
    used: float = 0.0
    number: int = 0
    refresh: Refresh | None = None


class Answers(Generic[Key]):
    """The answers to all questions, of a bounded number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Key, Answer] = {}
        self._running: set[Refresh] = set()
        self._begun = 0

    def of(self, key: Key, now: float) -> Answer:
        """Return the answer to a question, which may be none yet."""
        answer = self._answers.get(key)
        if answer is None:
            with self._lock:
                self._drop(now, room=1)
                answer = self._answers.setdefault(key, Answer())
        answer.used = now
        return answer

    def begin(
        self, answer: Answer, now: float, limit: float
    ) -> tuple[Refresh | None, bool]:
        """Return the refresh that is under way, and if it begins just now.

        One that is beyond its deadline counts as none.

        :param limit: seconds that a new one may take
        :returns: no refresh where none is due, or too many hang
        """
        with self._lock:
            self._drop(now)
            if now < answer.due:
                return None, False
            if answer.refresh is not None and now < answer.refresh.deadline:
                return answer.refresh, False
            if sum(now >= item.deadline for item in self._running) >= HANGING:
                return None, False
            self._begun += 1
            refresh = Refresh(self._begun, now, now + limit)
            answer.refresh = refresh
            self._running.add(refresh)
            return refresh, True

    def succeed(
        self,
        answer: Answer,
        refresh: Refresh,
        hosts: frozenset[str],
        due: float,
    ) -> None:
        """Keep what a refresh found, unless a later one has found more.

        :param due: from when on it should be asked again
        """
        with self._lock:
            if refresh.number > answer.number:
                answer.hosts = hosts
                answer.answered = refresh.started
                answer.number = refresh.number
                answer.due = due
        self._end(answer, refresh)

    def fail(self, answer: Answer, refresh: Refresh, due: float) -> None:
        """Keep the last answer; one that was given up changes nothing.

        :param due: from when on it should be asked again
        """
        with self._lock:
            if answer.refresh is refresh:
                answer.due = due
        self._end(answer, refresh)

    def postpone(self, answer: Answer, refresh: Refresh, due: float) -> None:
        """Set when to ask again in place of a refresh that hangs."""
        with self._lock:
            if answer.refresh is refresh and not refresh.ended.is_set():
                answer.due = due

    def _end(self, answer: Answer, refresh: Refresh) -> None:
        with self._lock:
            self._running.discard(refresh)
            if answer.refresh is refresh:
                answer.refresh = None
        refresh.ended.set()

    def _drop(self, now: float, room: int = 0) -> None:
        """Drop what nobody asked for, and what is too many, oldest first.

        :param room: number of answers that are about to come
        """
        by_use = sorted(self._answers.items(), key=lambda item: item[1].used)
        too_many = len(by_use) + room - MOST
        for index, (key, answer) in enumerate(by_use):
            if index < too_many or now - answer.used > UNUSED:
                del self._answers[key]

# SPDX-License-Identifier: Apache-2.0
"""Cache of the fleet's posture: which hosts have passed which checks.

The last answer is used as long as it counts, while a thread asks for the next
one. Only a caller without such an answer waits, and not for long. A question
is asked again after each answer, so that the first boot after a quiet time
does not get an answer from before it; a question that no request has had for
as long as an answer counts is forgotten. A refresh that hangs (in Placement,
Keystone or a resolver) is given up after its time limit, and the next caller
starts another. No thread and no request starts before the first call, so the
object can be created before a service forks.
"""

import dataclasses
import datetime
import math
import random
import threading
import time
from collections.abc import Callable, Sequence

from nova_vhard.catalogue import checks, traits
from nova_vhard.common.log import ThrottledLog, get_logger
from nova_vhard.placement import marks
from nova_vhard.placement.reader import PlacementError, PlacementReader

LOG = get_logger(__name__)

#: Seconds that a refresh may take, unless the service says otherwise.
TIMEOUT = 30.0

#: Maximum number of seconds that a caller without an answer waits for a
#: refresh. A boot that waits longer keeps a scheduler worker from others.
WAIT = 5.0


class PostureUnavailable(Exception):
    """Raised if it is unknown which hosts have passed the checks."""


@dataclasses.dataclass(frozen=True)
class Question:
    """A query about the fleet.

    :ivar checks: names of the checks that a host must have passed
    :ivar max_age: whole hours; an older status does not count
    :ivar attested: whether a host must be attested, too
    """

    checks: frozenset[str]
    max_age: int
    attested: bool = False


@dataclasses.dataclass(frozen=True)
class Clock:
    """Time, as tests replace it."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(
        datetime.UTC
    )
    sleep: Callable[[float], object] = time.sleep


@dataclasses.dataclass(eq=False)
class Answer:
    """The last answer to one question.

    :ivar last: when the refresh began that got it, and the uuids of the
        hosts' root resource providers
    :ivar asked: when somebody asked last
    :ivar due: when the next refresh may begin
    :ivar ended: set at the end of the last refresh that began
    """

    last: tuple[float, frozenset[str]] = (-math.inf, frozenset())
    asked: float = -math.inf
    due: float = -math.inf
    ended: threading.Event | None = None


class Posture:
    """The fleet's posture, one answer per question.

    :param connect: makes the Placement client, on first use; its requests
        should have a time limit too, so that a hanging one ends
    :param ttl: seconds for which an answer is kept, jittered by a tenth
    :param max_age: seconds after which an answer must not be used
    :param timeout: seconds that a refresh, with all its requests, may take
    :param attestation_max_age: returns the seconds that a mark of the
        attestor may last; called for each refresh
    :ivar keys: likewise the keys of the marks; by default none, so that no
        host counts as attested
    """

    def __init__(  # noqa: PLR0913 - the limits of an answer
        self,
        connect: Callable[[], PlacementReader],
        ttl: float,
        max_age: float,
        clock: Clock | None = None,
        timeout: float = TIMEOUT,
        *,
        attestation_max_age: Callable[[], float] = lambda: 600,
    ) -> None:
        self._connect = connect
        self._ttl = ttl
        self._max_age = max_age
        self._timeout = timeout
        self._clock = clock or Clock()
        self.keys: Callable[[], Sequence[bytes]] = lambda: ()
        self._attestation_max_age = attestation_max_age
        self._placement: PlacementReader | None = None
        self._lock = threading.Lock()
        # Bounded by the policy and the flavors, which only administrators
        # change: no user names a check.
        self._answers: dict[Question, Answer] = {}
        self._away = ThrottledLog(LOG)

    def hosts(self, question: Question, wait: bool = True) -> frozenset[str]:
        """Return the hosts that have proven something.

        :param wait: whether to wait for an answer if there is none
        :returns: uuids of their root resource providers
        :raises PostureUnavailable: if there is no answer, or only one that
            is too old
        """
        now = self._clock.monotonic()
        with self._lock:
            answer = self._answers.setdefault(question, Answer())
            answer.asked = now
        self._begin(question, answer, now)
        if wait and now - answer.last[0] > self._max_age and answer.ended:
            answer.ended.wait(min(WAIT, self._timeout))
        answered, hosts = answer.last
        age = self._clock.monotonic() - answered
        if age > self._max_age:
            raise PostureUnavailable(
                "Placement has not answered yet"
                if age == math.inf
                else f"Placement has not answered for {age:.0f} seconds"
            )
        return hosts

    def _begin(self, question: Question, answer: Answer, now: float) -> None:
        """Start the next refresh, if it is due."""
        with self._lock:
            if now < answer.due:
                return
            if answer.ended and not answer.ended.is_set():
                self._warn(
                    question, f"no answer within {self._timeout:g} seconds"
                )
            # Until then no other refresh begins, and no caller waits for
            # more than this one.
            answer.due = now + self._timeout
            answer.ended = ended = threading.Event()
        thread = threading.Thread(
            target=self._refresh,
            args=(question, answer, now, ended),
            name="vhard-posture",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError as error:
            # The process may have no more threads.
            self._failed(question, answer, ended, error)

    def _refresh(
        self,
        question: Question,
        answer: Answer,
        began: float,
        ended: threading.Event,
    ) -> None:
        """Get an answer, and later the next: what a refresh's thread does."""
        try:
            hosts = self._ask(question, began + self._timeout)
        except PlacementError as error:
            self._failed(question, answer, ended, error)
        except BaseException as error:
            LOG.exception("Placement's answer about hosts cannot be read")
            self._failed(question, answer, ended, error)
        else:
            self._away.over(
                "Placement says again which hosts have passed %s",
                ", ".join(sorted(question.checks)) or "anything",
                key=question,
            )
            jitter = random.uniform(0.9, 1.1)  # noqa: S311 - no secret
            with self._lock:
                # A late answer is better than none, unless a refresh that
                # began after it has another.
                if began > answer.last[0]:
                    answer.last = began, hosts
                    answer.due = self._clock.monotonic() + self._ttl * jitter
            ended.set()
        # Long enough for the next to be due.
        self._clock.sleep(self._ttl * 1.1)
        now = self._clock.monotonic()
        with self._lock:
            if now - answer.asked > self._max_age:
                answer.last = -math.inf, frozenset()
                return
        self._begin(question, answer, now)

    def _failed(
        self,
        question: Question,
        answer: Answer,
        ended: threading.Event,
        error: BaseException,
    ) -> None:
        self._warn(question, error)
        with self._lock:
            # One that was given up changes nothing.
            if answer.ended is ended:
                # No caller waits for a Placement that is down.
                answer.due = self._clock.monotonic() + self._ttl / 10
        ended.set()

    def _warn(self, question: Question, error: object) -> None:
        self._away.say(
            "Placement does not say which hosts have passed %s: %s",
            ", ".join(sorted(question.checks)) or "anything",
            error,
            key=question,
        )

    def _ask(self, question: Question, deadline: float) -> frozenset[str]:
        """Ask Placement which of the names exist, then for the hosts.

        One GET each. Where hosts must be attested, one more for the marks.
        """
        if not all(map(checks.is_name, question.checks)):
            # A name from a flavor that is not a check. Trait names are upper
            # case, so "ATTESTED" would ask for the attestor's trait, without
            # a mark.
            return frozenset()
        if self._placement is None:
            # Two threads may connect at the same time, which is harmless.
            try:
                self._placement = self._connect()
            except Exception as error:
                raise PlacementError(
                    f"no connection: {type(error).__name__}: {error}"
                ) from error
        placement = self._placement
        required = {traits.of_check(name) for name in question.checks}
        if question.attested:
            required.add(traits.ATTESTED)
        # If only attestation is required, no report of a host is needed.
        claims = question.checks or not question.attested
        hours = (
            traits.fresh(self._clock.now(), question.max_age) if claims else []
        )
        known = placement.known(required.union(hours))
        reported = known.intersection(hours)
        if not required <= known or (hours and not reported):
            # No host can have a trait whose name does not exist.
            return frozenset()
        attested = self._attested(placement) if question.attested else None
        if self._clock.monotonic() >= deadline:
            raise PlacementError("the time for all requests is over")
        result = placement.providers(required, reported)
        hosts = frozenset(item.uuid for item in result)
        return hosts if attested is None else hosts & attested

    def _attested(self, placement: PlacementReader) -> frozenset[str]:
        """Return the hosts that a mark of the attestor's names.

        :raises PlacementError: without an answer, or without a key
        """
        try:
            keys = self.keys()
        except marks.KeyFileError as error:
            raise PlacementError(
                f"no host counts as attested: {error}"
            ) from error
        names = placement.marks()
        return marks.attested(
            names, keys, self._clock.now(), self._attestation_max_age()
        )

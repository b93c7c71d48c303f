# SPDX-License-Identifier: Apache-2.0
"""Cache of the fleet's posture: which hosts have passed which checks.

One caller refreshes it while the others use the last answer; callers wait
only for the very first answer. A refresh has its own thread and a time limit:
its caller waits no longer than that, and then another caller may start the
next refresh, even if the first one hangs (in Placement, Keystone or a
resolver). No thread and no request starts before the first call, so the
object can be created before a service forks.
"""

import dataclasses
import datetime
import random
import threading
import time
from collections.abc import Callable, Sequence

from nova_vhard.catalogue import checks, traits
from nova_vhard.common.log import ThrottledLog, get_logger
from nova_vhard.placement import marks
from nova_vhard.placement.posture_answers import (
    Answer,
    Answers,
    Refresh,
)
from nova_vhard.placement.reader import PlacementError, PlacementReader

LOG = get_logger(__name__)

#: Seconds that a refresh may take, unless the service says otherwise.
TIMEOUT = 30.0


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
        self._answers: Answers[Question] = Answers()
        self._away = ThrottledLog(LOG)

    def hosts(self, question: Question) -> frozenset[str]:
        """Return the hosts that have proven something.

        :returns: uuids of their root resource providers
        :raises PostureUnavailable: if there is no answer, or only one that
            is too old
        """
        now = self._clock.monotonic()
        answer = self._answers.of(question, now)
        if now >= answer.due:
            self._renew(question, answer, now)
        answered, hosts = answer.answered, answer.hosts
        if answered is None:
            raise PostureUnavailable("Placement has not answered yet")
        age = self._clock.monotonic() - answered
        if age > self._max_age:
            raise PostureUnavailable(
                f"Placement has not answered for {age:.0f} seconds"
            )
        return hosts

    def _renew(self, question: Question, answer: Answer, now: float) -> None:
        """Begin a refresh, or wait for another's where there is no answer."""
        first = answer.answered is None
        refresh, begun = self._answers.begin(answer, now, self._timeout)
        if refresh is not None and begun:
            thread = threading.Thread(
                target=self._refresh,
                args=(question, answer, refresh),
                name="vhard-posture",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError as error:
                # The process may have no more threads.
                self._failed(question, answer, refresh, error)
            if not refresh.ended.wait(self._timeout):
                # Stop waiting; the thread may still be running.
                self._answers.postpone(answer, refresh, self._soon())
                self._warn(
                    question, f"no answer within {self._timeout:g} seconds"
                )
        elif refresh is not None and first:
            refresh.ended.wait(refresh.deadline - now)

    def _soon(self) -> float:
        """Return when to try again after a failure.

        Nobody is kept waiting for a Placement that is down: after a tenth of
        the time for which an answer is kept.
        """
        return self._clock.monotonic() + self._ttl / 10

    def _refresh(
        self, question: Question, answer: Answer, refresh: Refresh
    ) -> None:
        """Get an answer: what a refresh's thread does."""
        try:
            hosts = self._ask(question, refresh)
        except PlacementError as error:
            self._failed(question, answer, refresh, error)
        except BaseException as error:
            LOG.exception("Placement's answer about hosts cannot be read")
            self._failed(question, answer, refresh, error)
        else:
            self._away.over(
                "Placement says again which hosts have passed %s",
                ", ".join(sorted(question.checks)) or "anything",
                key=question,
            )
            jitter = random.uniform(0.9, 1.1)  # noqa: S311 - no secret
            due = self._clock.monotonic() + self._ttl * jitter
            self._answers.succeed(answer, refresh, hosts, due)

    def _failed(
        self,
        question: Question,
        answer: Answer,
        refresh: Refresh,
        error: BaseException,
    ) -> None:
        self._warn(question, error)
        self._answers.fail(answer, refresh, self._soon())

    def _warn(self, question: Question, error: object) -> None:
        self._away.say(
            "Placement does not say which hosts have passed %s: %s",
            ", ".join(sorted(question.checks)) or "anything",
            error,
            key=question,
        )

    def _ask(self, question: Question, refresh: Refresh) -> frozenset[str]:
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
        if self._clock.monotonic() >= refresh.deadline:
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

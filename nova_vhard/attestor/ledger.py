# SPDX-License-Identifier: Apache-2.0
"""Expiry of each host's attestation, from the verifier's verdicts.

=========================================  =================================
verdict on a host's agent                  result
=========================================  =================================
verified with success within max_age       attested until max_age is over
FAIL, regardless of the rest               not attested, at once
verified, but nothing is demanded of it    not attested, at once
never verified, or too long ago            not attested, at once
none: the verifier does not know it        not attested, at once
invalid, or a time in the future           unchanged, until max_age is over
none: the verifier did not answer          unchanged, until max_age is over
=========================================  =================================
"""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from nova_vhard.attestor.sources.base import Verdict
from nova_vhard.placement.marks import AHEAD, Mark

#: Kind of the reason for a host of which the verifier demands nothing.
UNDEMANDED = "undemanded"


class Reason(NamedTuple):
    """Why a host is not attested, or nothing new is known about it.

    :ivar kind: the same from round to round
    :ivar text: with the age and the verifier's words, which are not
    """

    kind: str
    text: str


class Ledger:
    """Keeps until when hosts count.

    :param max_age: seconds for which a verification counts
    """

    def __init__(self, max_age: float) -> None:
        self._max_age = max_age
        self._until: dict[str, float] = {}

    def begin(self, marks: Iterable[Mark]) -> None:
        """Take over what was there before this process.

        :param marks: those whose code is ours
        """
        for mark in marks:
            for provider in mark.providers:
                self._until[provider] = max(
                    mark.until, self._until.get(provider, 0.0)
                )

    def take(
        self,
        agents: Mapping[str, str],
        verdicts: Mapping[str, Verdict],
        now: float,
    ) -> dict[str, Reason]:
        """Take an answer in.

        :param agents: uuid of each provider to its agent
        :param verdicts: by agent
        :param now: seconds since the epoch
        :returns: uuid of each host that is not attested, or about whom
            nothing new is known, to why
        """
        reasons: dict[str, Reason] = {}
        for provider in self._until.keys() - agents.keys():
            del self._until[provider]
        for provider, agent in agents.items():
            reason = self._judge(provider, verdicts.get(agent), now)
            if reason:
                reasons[provider] = reason
        return reasons

    def _judge(
        self, provider: str, verdict: Verdict | None, now: float
    ) -> Reason | None:
        """Take one verdict in; return what is wrong, None for nothing."""
        last = verdict.attested_at if verdict else None
        if verdict is not None and not verdict.failed:
            doubt = _doubt(verdict, now)
            if doubt:
                return doubt
        reason = self._refusal(verdict, now)
        if reason or last is None:
            self._until.pop(provider, None)
            return reason
        self._until[provider] = min(last, now) + self._max_age
        return None

    def _refusal(self, verdict: Verdict | None, now: float) -> Reason | None:
        """Return why a verdict attests nothing, None if it does."""
        if verdict is None:
            return Reason("unknown", "the verifier does not know its agent")
        if verdict.failed:
            return Reason(
                f"failed {verdict.reason}",
                f"the verifier refuses it: {verdict.reason or 'FAIL'}",
            )
        if verdict.undemanded:
            return Reason(
                UNDEMANDED,
                "the verifier demands nothing of it: give its agent a policy "
                "that names registers, a measured boot policy or a runtime "
                "policy",
            )
        if verdict.attested_at is None:
            return Reason("never", "it was never verified with success")
        age = now - verdict.attested_at
        if age >= self._max_age:
            return Reason("old", f"it was last verified {age:.0f} seconds ago")
        return None

    def keep(self, providers: Collection[str]) -> None:
        """Forget every host but some."""
        for provider in self._until.keys() - set(providers):
            del self._until[provider]

    def attested(self, now: float) -> dict[str, float]:
        """Return the hosts that count, each with until when.

        No attestation lasts longer than if the host were verified now. A later
        end, from a clock that was ahead or from a larger max_age, is shortened
        permanently.

        :param now: seconds since the epoch
        :returns: uuid of a provider to seconds since the epoch
        """
        last = now + self._max_age
        self._until = {
            provider: min(until, last)
            for provider, until in self._until.items()
            if until > now
        }
        return dict(self._until)


def _doubt(verdict: Verdict, now: float) -> Reason | None:
    """Return why a verdict says nothing, None if it does say something."""
    if verdict.nonsense:
        return Reason(
            "nonsense",
            f"the verifier's answer makes no sense: {verdict.nonsense}",
        )
    last = verdict.attested_at
    if last is None:
        return None
    if not math.isfinite(last):
        return Reason("nonsense", f"it was last verified at {last}: no time")
    if last > now + AHEAD:
        return Reason(
            "ahead",
            f"it was last verified {last - now:.0f} seconds from now: set the "
            "clocks",
        )
    return None

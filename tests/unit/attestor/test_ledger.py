# SPDX-License-Identifier: Apache-2.0
"""Table of verdicts and their effect on attestation."""

import math

import pytest

from nova_vhard.attestor.ledger import Ledger
from nova_vhard.attestor.sources.base import Verdict
from nova_vhard.placement import marks

NOW, AGE = 1_000_000.0, 600
HOST = "00000000-0000-0000-0000-000000000001"
AGENTS = {HOST: "agent"}


def verified(ago, **more):
    return Verdict(attested_at=NOW - ago, **more)


#: No time at all, whatever a source thinks.
ODD = (math.nan, math.inf, -math.inf)

#: What is said; whether it attests; whether who was attested stays so.
TABLE = [
    (verified(0), True, True),
    (verified(599), True, True),
    (verified(600), False, False),
    (verified(86400), False, False),
    (verified(-59), True, True),
    (verified(-61), False, True),
    (verified(0, failed=True), False, False),
    (verified(-61, failed=True), False, False),
    (verified(-86400, failed=True), False, False),
    (Verdict(failed=True, nonsense="7"), False, False),
    (Verdict(failed=True), False, False),
    (verified(0, undemanded=True), False, False),
    # nothing is known of it now
    (verified(-61, undemanded=True), False, True),
    (Verdict(), False, False),
    (Verdict(nonsense="7"), False, True),
    *((Verdict(attested_at=odd), False, True) for odd in ODD),
    (None, False, False),
]


@pytest.fixture
def ledger():
    return Ledger(AGE)


def take(ledger, verdict, now=NOW):
    given = {} if verdict is None else {"agent": verdict}
    return ledger.take(AGENTS, given, now)


@pytest.mark.parametrize(("verdict", "attests", "stays"), TABLE)
def test_a_verdict_of_a_new_host_and_of_one_that_was_attested(
    ledger, verdict, attests, stays
):
    reasons = take(ledger, verdict)
    assert (HOST in ledger.attested(NOW)) is attests
    assert bool(reasons) is not attests
    take(ledger, verified(10))
    take(ledger, verdict)
    assert (HOST in ledger.attested(NOW)) is stays


def test_until_its_age_is_over(ledger):
    take(ledger, verified(10))
    assert ledger.attested(NOW) == {HOST: NOW - 10 + AGE}
    take(ledger, Verdict(nonsense="?"), NOW + 589)
    assert ledger.attested(NOW + 589)
    assert not ledger.attested(NOW + 590)
    # A time in the future does not last longer.
    take(ledger, verified(-59))
    assert ledger.attested(NOW) == {HOST: NOW + AGE}
    # A host that is not mapped any more.
    ledger.take({}, {"agent": verified(0)}, NOW)
    assert not ledger.attested(NOW)


def test_what_was_there_before_lasts_no_longer_than_it_did(ledger):
    until = int(NOW) + 100
    ledger.begin([marks.make(b"k" * 32, until, [HOST])])
    take(ledger, Verdict(nonsense="?"))
    assert ledger.attested(NOW) == {HOST: until}
    take(ledger, verified(0))
    assert ledger.attested(NOW) == {HOST: NOW + AGE}
    take(ledger, verified(0, failed=True))
    assert not ledger.attested(NOW)


def test_a_clock_that_was_ahead_lasts_no_longer(ledger):
    # given a clock of the attestor's and the verifier's that was years ahead
    years = 10 * 365 * 86400
    ledger.take(AGENTS, {"agent": verified(-years)}, NOW + years)
    ledger.begin([marks.make(b"k" * 32, int(NOW) + years, [HOST])])
    # when it is right again, and the verifier has nothing new yet
    take(ledger, verified(-years))
    # then what was there lasts no longer than a verification of now would
    assert ledger.attested(NOW) == {HOST: NOW + AGE}
    take(ledger, verified(-years), NOW + AGE)
    assert not ledger.attested(NOW + AGE)

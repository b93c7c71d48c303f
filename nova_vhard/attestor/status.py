# SPDX-License-Identifier: Apache-2.0
"""Preview of an attestor's round, one row per host; writes nothing."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from nova_vhard.attestor import writer
from nova_vhard.attestor.ledger import Ledger
from nova_vhard.attestor.sources.base import Verdict

HEADER = ("Host", "Agent", "Attested", "Verifier", "Trait", "Mark")


class Row(NamedTuple):
    """One host.

    :ivar attested: ``yes`` where the verifier's word, the trait and the mark
        agree on it
    :ivar verifier: its last success, or why that does not count
    :ivar trait: ``yes`` or ``no``
    :ivar mark: how long it lasts yet; ``none``, or none that counts
    """

    host: str
    agent: str
    attested: str
    verifier: str
    trait: str
    mark: str


def rows(
    state: writer.State,
    agents: Mapping[str, str],
    verdicts: Mapping[str, Verdict],
    max_age: float,
    now: float,
) -> Iterator[Row]:
    """Yield a row for each host that is mapped, or that has the trait."""
    ledger = Ledger(max_age)
    texts = {
        uuid: reason.text
        for uuid, reason in ledger.take(agents, verdicts, now).items()
    }
    ends: dict[str, int] = {}
    for mark in state.marks:
        if mark.name in state.held:
            continue
        for provider in mark.providers:
            ends[provider] = max(mark.until, ends.get(provider, 0))
    attested = ledger.attested(now)
    names = {**state.having, **state.nodes}
    listed = agents.keys() | state.having.keys()
    for name, uuid in sorted((names[uuid], uuid) for uuid in listed):
        agent, left = agents.get(uuid, ""), ends.get(uuid, 0) - now
        holds = uuid in attested and uuid in state.having and left > 0
        yield Row(
            name,
            agent or "none",
            _word(holds),
            texts.get(uuid) or _success(verdicts.get(agent), now),
            _word(uuid in state.having),
            f"{left:.0f} s" if left > 0 else "none",
        )


def _word(holds: bool) -> str:
    return "yes" if holds else "no"


def _success(verdict: Verdict | None, now: float) -> str:
    if verdict is None:
        return "not in the mapping"
    return f"verified {max(0.0, now - (verdict.attested_at or 0)):.0f} s ago"

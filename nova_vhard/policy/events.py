# SPDX-License-Identifier: Apache-2.0
"""Decision events: one JSON object for each judged request."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from oslo_context.context import get_current

from nova_vhard.common.log import MESSAGE_LIMIT, get_logger
from nova_vhard.common.text import clean
from nova_vhard.policy.subject import Subject
from nova_vhard.policy.top_violations import MOST, Kind, leading
from nova_vhard.policy.verdict import Verdict

#: Every event is the whole message of one record of this logger.
LOG = get_logger("nova_vhard.decisions")

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def write(
    gate: str,
    subject: Subject,
    verdict: Verdict,
    taken: float,
    service: bool = False,
) -> str:
    """Write the event of one judged request.

    :param gate: name of the gate
    :param taken: seconds that the judgement took
    :param service: whether a service made the request for a user
    :returns: the event as JSON, also where it is not logged
    """
    # oslo.context keeps it for the thread of the request. Without one the
    # event has no request id and is written all the same.
    context = get_current()
    # Bounded: an image can have hundreds of block devices, and a log record
    # that is cut in the middle is not JSON any more.
    result = leading(verdict.violations)
    who = {
        "project": subject.project,
        "domain": subject.domain,
        "image": subject.image,
        "flavor": subject.flavor,
        "server": subject.server,
    }
    # What a user chose goes through ``clean``: a newline would forge a
    # record.
    known: dict[str, Any] = {
        name: clean(value) for name, value in who.items() if value
    }
    event: dict[str, Any] = {
        "request": context.request_id if context else None,
        "gate": gate,
        "operation": subject.operation,
        "subject": known | {"roles": _names(subject.roles)},
        # All rules, also of the violations that are not shown: counts by rule
        # must stay right.
        "rules": verdict.rules,
        "violations": [
            {
                "rule": item.rule,
                "rules": item.rules,
                "source": clean(item.cause.where),
                # null is a value that cannot be known. The text "None" would
                # be a value.
                "value": None
                if item.cause.value is None
                else clean(item.cause.value),
                "mode": item.mode,
            }
            for item in result.shown
        ],
        "exemptions": _names({name for _, name in verdict.exempted}),
        "mode": verdict.mode,
        "outcome": verdict.outcome,
        "service": service,
        "policy": verdict.policy,
        "microseconds": round(taken * 1e6),
    }
    if result.more:
        event["more"] = [_kind(kind, n) for kind, n in result.more.items()]
    text = _ENCODE(event)
    # Many long names. Keep the counts and drop the list: an event without
    # violations can be counted, a cut one cannot.
    if len(text) > MESSAGE_LIMIT:
        kinds = Counter((item.rules, item.mode) for item in verdict.violations)
        more = [_kind(kind, n) for kind, n in kinds.items()]
        text = _ENCODE({**event, "violations": [], "more": more})
    # The event has the parts of the context that matter; oslo.log would
    # write all of it out again, which takes longer than the judgement.
    LOG.info(text, extra={"context": None})
    return text


def _names(names: Iterable[str]) -> list[str]:
    """Return names in order, at most as many as violations."""
    return [clean(name) for name in sorted(names)[:MOST]]


def _kind(kind: Kind, count: int) -> dict[str, Any]:
    """Return how many violations are not in the event, of one kind."""
    rules, mode = kind
    return {"rules": rules, "mode": mode, "count": count}

# SPDX-License-Identifier: Apache-2.0
"""Contents of the panel, from the report's functions, bounded in size."""

import datetime
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.catalogue.gates import SCHEDULER
from nova_vhard.common.decisions import Event
from nova_vhard.common.text import clean
from nova_vhard.osc.decision import counts, log
from nova_vhard.osc.report import exemptions as ends
from nova_vhard.osc.report import summary
from nova_vhard.placement.fleet import FRESH, SILENT, STALE, HostPosture
from nova_vhard.policy.model import HostsRule, Policy
from nova_vhard.policy.verdict import REFUSE
from nova_vhard.policy.watch import PolicyUnavailable
from nova_vhard_dashboard.policy import policy_file

#: Rows of the table of hosts, and of each other table, at most.
HOSTS, ROWS = 100, 20
#: Bytes that are read of all logs together.
BYTES = 32 << 20

#: The check that says that the guard is on its host.
GUARD = "guard_in_force"

_DAY = datetime.timedelta(days=1)
_LONG = 1024
_REPORT = {FRESH: "yes", STALE: "old", SILENT: "unknown"}


def policy() -> dict[str, Any]:
    """Return the policy, and what is wrong with its file.

    :returns: ``policy`` is None where there never was a good one; then
        ``max_age`` is the default of a policy
    """
    file = policy_file()
    try:
        current: Policy | None = file.current()
    except PolicyUnavailable:
        current = None
    rule = current.hosts if current else HostsRule()
    return {
        "file": clean(file.path, _LONG),
        "policy": current,
        "policy_error": clean(file.error, _LONG) if file.error else "",
        "max_age": rule.max_report_age,
    }


def fleet(
    postures: Sequence[HostPosture], trouble: str | None
) -> dict[str, Any]:
    """Return the hosts by check, worst first.

    :param trouble: why there are none, where they could not be read
    """
    hosts = summary.worst_first(postures)
    proven = Counter(name for host in hosts for name in host.proven)
    statuses = Counter(host.status for host in hosts)
    return {
        "trouble": trouble,
        "count": len(hosts),
        "statuses": [(name, statuses[name]) for name in _REPORT],
        "guarded": proven[GUARD],
        "attested": sum(host.attested for host in hosts),
        "lacking": summary.least_proven(hosts),
        "checks": tuple(CHECKS),
        "answers": [
            (_style(word), word, meaning)
            for word, meaning in summary.ANSWERS.items()
        ],
        "hosts": [_host(host) for host in hosts[:HOSTS]],
        "more_hosts": len(hosts[HOSTS:]),
    }


def _host(host: HostPosture) -> dict[str, Any]:
    answers = [summary.answer(host, check) for check in CHECKS]
    return {
        "name": clean(host.name),
        "report": (_REPORT[host.status], host.status),
        "attested": host.attested,
        "answers": [(_style(word), word) for word in answers],
    }


def _style(answer: str) -> str:
    """Return the class of an answer in the style sheet."""
    return answer.replace("/", "")


def decisions(now: datetime.datetime) -> dict[str, Any]:
    """Return the decisions of the last day, counted by rule and project.

    :param now: aware time; logs are taken to have UTC
    :returns: ``logs`` is empty where no log is named; ``scheduled`` has the
        last refusals by the scheduler, newest first
    """
    paths = _logs()
    since = f"{now.astimezone(datetime.UTC) - _DAY:%Y-%m-%d %H:%M:%S}"
    result, read, notes = counts.Summary(("rule", "project")), log.Read(), []
    scheduled: list[Event] = []
    for path in paths:
        last: deque[Event] = deque(maxlen=ROWS)
        try:
            for event in log.recent(path, read, BYTES // len(paths)):
                if event.time is not None and event.time >= since:
                    result.add(event)
                    data = event.data
                    if (data["gate"], data["outcome"]) == (SCHEDULER, REFUSE):
                        last.append(event)
        except OSError as error:
            notes.append(f"{clean(path, _LONG)}: {error.strerror}")
        scheduled += last
    groups = result.ordered()
    scheduled.sort(key=lambda event: event.time or "", reverse=True)
    return {
        "logs": [clean(path, _LONG) for path in paths],
        "since": since,
        "decisions": [(*key, group) for key, group in groups[:ROWS]],
        "more_decisions": len(groups[ROWS:]),
        "scheduled": [_scheduled(event) for event in scheduled[:ROWS]],
        "notes": notes + _notes(read),
    }


def _scheduled(event: Event) -> dict[str, Any]:
    """Return a refusal by the scheduler, and its reasons."""
    subject = event.data["subject"]
    reasons = [
        (
            clean(item.get("rule"), _LONG),
            clean(item.get("source"), _LONG),
            clean(item.get("value"), _LONG),
        )
        for item in event.data["violations"]
    ]
    return {
        "time": event.time,
        "server": clean(subject.get("server", "")),
        "project": clean(subject.get("project", "")),
        "reasons": reasons,
    }


def _logs() -> list[str]:
    """Return the logs that NOVA_VHARD_DECISIONS names."""
    named = getattr(settings, "NOVA_VHARD_DECISIONS", ())
    return [named] if isinstance(named, str) else list(named)


def _notes(read: log.Read) -> list[str]:
    """Return what the counts do not say."""
    notes = [clean(text, _LONG) for text in read.damaged]
    notes += [
        f"{clean(path, _LONG)}: only the end of it was read"
        for path in read.cut
    ]
    if read.unreadable:
        notes.append(f"lines that cannot be read: {read.unreadable}")
    return notes


def exemptions(policy: Policy | None, today: datetime.date) -> dict[str, Any]:
    """Return the exemptions that have ended, or will soon.

    :param today: the day (UTC)
    """
    every = policy.exemptions if policy else ()
    ending = ends.rows(ends.ending(every, today), today)
    return {
        "soon": ends.SOON,
        "exemption_count": len(every),
        "exemptions": ending[:ROWS],
        "more_exemptions": len(ending[ROWS:]),
    }

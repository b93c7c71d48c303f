# SPDX-License-Identifier: Apache-2.0
"""HostReport: every check of a host, run, and written out."""

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from nova_vhard.host.check import Check, Result, Status
from nova_vhard.host.host import Host
from nova_vhard.host.plugins import load
from nova_vhard.host.processes.check_process import Isolation, Timed
from nova_vhard.policy import release

__all__ = ("HostReport", "Runner", "inspect", "load")

# A FAIL wins over an UNKNOWN: it is certain.
_EXIT = ((Status.FAIL, 1), (Status.UNKNOWN, 2))


@dataclass(frozen=True)
class HostReport:
    """Results of all checks of a host.

    :ivar time: when the checks ran (aware, UTC)
    :ivar results: one for each check, in the order of the documentation
    :ivar seconds: check name to the seconds that it took
    :ivar host: name of the host
    :ivar policy: digest of the policy that it was compared with, if any
    """

    time: datetime.datetime
    results: tuple[Result, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)
    host: str = ""
    policy: str | None = None

    @property
    def passed(self) -> frozenset[str]:
        """Names of the checks that passed."""
        # Each becomes a trait. NOT_APPLICABLE does not: that a thing is absent
        # today does not prove what a flavor demands.
        return frozenset(
            result.check
            for result in self.results
            if result.status is Status.PASS
        )

    @property
    def exit_status(self) -> int:
        """1 for any FAIL, 2 for any UNKNOWN without a FAIL, otherwise 0."""
        result = {item.status for item in self.results}
        return next((code for status, code in _EXIT if status in result), 0)

    def as_json(self) -> str:
        """Return ``content`` as text."""
        return json.dumps(self.content(), indent=2)

    def content(self) -> dict[str, Any]:
        """Return the report as one object for programs.

        Its keys are documented (page "How do hosts report?"): none is taken
        away or changes its meaning; new ones may be added.
        """
        # The id is put in front: asdict() has it last.
        results: list[dict[str, Any]] = [
            {
                "id": result.id,
                **asdict(result),
                "seconds": self.seconds.get(result.check),
            }
            for result in self.results
        ]
        return {
            "host": self.host,
            "version": str(release.INSTALLED),
            "policy": self.policy,
            "time": self.time.isoformat(),
            "results": results,
        }


#: Runs checks on a host; a result and its seconds for each, in their order.
Runner = Callable[[Host, Sequence[Check]], Sequence[Timed]]


def inspect(
    host: Host,
    time: datetime.datetime,
    checks: Sequence[Check],
    run: Runner | None = None,
) -> HostReport:
    """Run checks on a host.

    :param time: now (aware)
    :param run: how; by default isolated, each with a limit of time
    """
    # Isolated: a check that hangs or crashes must not cost the other answers.
    answers = (run or Isolation().run)(host, checks)
    seconds = {result.check: took for result, took in answers}
    results = tuple(result for result, _ in answers)
    digest = host.expected.digest
    return HostReport(time, results, seconds, host.name, digest)

# SPDX-License-Identifier: Apache-2.0
"""The reporter: check, publish, wait, again."""

import collections
import contextlib
import datetime
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from oslo_config import cfg

from nova_vhard.common.log import get_logger
from nova_vhard.daemon.interrupts import last_resort
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.processes.check_process import Isolation
from nova_vhard.reporter import hosts, publishing
from nova_vhard.reporter.publishers.base import Publisher, Record

LOG = get_logger(__name__)

_FIRST_RETRY = 10.0


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Reporter:
    """Reports on one host.

    :param targets: where reports go
    :param runtime: what it runs in
    :param now: the clock (aware)
    :param run: how checks are run; by default isolated, each with a limit of
        time
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        targets: Sequence[Publisher],
        *,
        runtime: Runtime | None = None,
        now: Callable[[], datetime.datetime] = _now,
        run: report.Runner | None = None,
    ) -> None:
        self._conf = conf
        self._options = conf.vhard_reporter
        self._targets = targets
        self._checks = report.load()
        self._now = now
        self._runtime = runtime or Runtime()
        self._notifier = self._runtime.notifier
        self._interrupts = self._runtime.interrupts
        isolation = Isolation(
            self._options.check_timeout, self._notifier.alive
        )
        self._run = run or isolation.run
        self._late = isolation.late
        self._passed: frozenset[str] = frozenset()
        self._record = Record()
        self._failures = 0

    def round(self) -> float:
        """Report; return the seconds until the next report."""
        self._failures = 0 if self.once() else self._failures + 1
        # After a failure sooner: 10 seconds, doubled each time.
        interval = float(self._options.interval)
        if self._failures:
            interval = min(
                interval, _FIRST_RETRY * 2.0 ** min(self._failures - 1, 10)
            )
        return interval * random.uniform(0.9, 1.1)  # noqa: S311

    def once(self) -> bool:
        """Check and publish once.

        :returns: whether every publisher took the report
        """
        self._notifier.alive(now=True)
        host = hosts.of_conf(self._conf)
        with self._interrupts.breakable():
            current = report.inspect(
                host, self._now(), self._checks, self._run
            )
        # On a busy host a check may run out of time. One that passed in the
        # round before passes once more; no other UNKNOWN counts as PASS.
        kept = self._late & self._passed
        self._passed = current.passed
        current = replace(
            current,
            results=tuple(
                replace(
                    result,
                    status=Status.PASS,
                    reason=f"passed in the previous round; {result.reason}",
                    remediation=None,
                )
                if result.check in kept
                else result
                for result in current.results
            ),
        )
        failed = publishing.publish(
            current, self._targets, self._record, self._limited
        )
        counts = collections.Counter(
            result.status.value for result in current.results
        )
        text = ", ".join(
            f"{counts[count]} {count}" for count in sorted(counts)
        )
        lost = "".join(
            f"; not to {name}: {why}" for name, why in failed.items()
        )
        self._notifier.status(
            f"Report of {current.time:%Y-%m-%d %H:%M:%S} UTC: {text}{lost}"
        )
        return not failed

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """Keep one publisher within its time, which a watchdog may shorten."""
        self._notifier.alive(now=True)
        limit = float(self._options.publish_timeout)
        limit = min(limit, self._notifier.period or limit)
        with last_resort(), self._interrupts.breakable(limit=limit):
            yield

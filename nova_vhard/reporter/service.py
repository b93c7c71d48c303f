# SPDX-License-Identifier: Apache-2.0
"""The reporter: check, publish, wait, again."""

import datetime
import logging
import random
import threading
from collections.abc import Sequence

from oslo_config import cfg
from stevedore import named

from nova_vhard.host import report
from nova_vhard.host.root import HostRoot
from nova_vhard.reporter.publishers.base import Publisher, PublishError

LOG = logging.getLogger(__name__)

NAMESPACE = "nova_vhard.publishers"

_FIRST_RETRY = 10.0


def publishers(conf: cfg.ConfigOpts) -> list[Publisher]:
    """Return the configured publishers.

    :raises ValueError: where a name is not installed
    """
    manager = named.NamedExtensionManager(
        NAMESPACE,
        conf.vhard_reporter.publishers,
        invoke_on_load=True,
        invoke_args=(conf,),
        name_order=True,
        on_missing_entrypoints_callback=_missing,
    )
    return [one.obj for one in manager]


def _missing(names: set[str]) -> None:
    raise ValueError(f"[vhard_reporter] publishers: no {', '.join(names)}")


def _publish(target: Publisher, current: report.HostReport) -> str | None:
    """Publish a report; return why it did not arrive, if so."""
    try:
        target.publish(current)
    except PublishError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - one must not stop the rest
        return f"{type(error).__name__}: {error}"
    return None


class Reporter:
    """Reports on one host.

    :param targets: where reports go
    """

    def __init__(
        self, conf: cfg.ConfigOpts, targets: Sequence[Publisher]
    ) -> None:
        """Keep the configuration; nothing runs yet."""
        self._options = conf.vhard_reporter
        self._targets = targets
        self._checks = report.load()
        self._stop = threading.Event()
        self._failures = 0

    def stop(self) -> None:
        """End ``run`` at once; safe in a signal handler."""
        self._stop.set()

    def once(self) -> bool:
        """Check and publish once.

        :returns: whether every publisher took the report
        """
        root = HostRoot(self._options.root)
        now = datetime.datetime.now(datetime.UTC)
        current = report.inspect(root, now, self._checks)
        failed = [
            text
            for target in self._targets
            if (text := _publish(target, current))
        ]
        for text in failed:
            LOG.error("Not published, tried again later: %s", text)
        return not failed

    def run(self) -> None:
        """Report until ``stop``."""
        while not self._stop.is_set():
            self._failures = 0 if self.once() else self._failures + 1
            self._stop.wait(self._pause())

    def _pause(self) -> float:
        """Return seconds to the next report, jittered by a tenth.

        After a failure sooner: 10 seconds, doubled each time.
        """
        interval = float(self._options.interval)
        if self._failures:
            retry = _FIRST_RETRY * 2.0 ** min(self._failures - 1, 10)
            interval = min(interval, retry)
        return interval * random.uniform(0.9, 1.1)  # noqa: S311

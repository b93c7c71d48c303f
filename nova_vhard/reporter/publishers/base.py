# SPDX-License-Identifier: Apache-2.0
"""The contract of a publisher."""

import abc
from dataclasses import dataclass, field

from oslo_config import cfg

from nova_vhard.common.log import ThrottledLog
from nova_vhard.host.report import HostReport


class PublishError(Exception):
    """A report could not be published; nothing was lost."""


@dataclass
class Record:
    """Publishing record since the reporter was started.

    :ivar errors: publisher's name to the number of reports that it failed to
        publish, 0 included
    :ivar published: publisher's name to the time (seconds since the epoch) of
        the last report that it published
    :ivar troubles: publisher's name to its lines in the log
    :ivar days_ahead: number of days for which Placement has the traits that
        mark reports; None before the first look-up, or without an answer
    """

    errors: dict[str, int] = field(default_factory=dict)
    published: dict[str, float] = field(default_factory=dict)
    troubles: dict[str, ThrottledLog] = field(default_factory=dict)
    days_ahead: int | None = None


class Publisher(abc.ABC):
    """Takes a host report to where others read it.

    Plugged in under ``nova_vhard.publishers`` and switched on by
    ``[vhard_reporter] publishers``.

    :cvar last: whether it goes after the others, because it tells of them
    :ivar name: under which it is plugged in
    :ivar record: how publishing went so far, its own and that of the others
    """

    last = False
    name = "?"

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Keep the configuration; connect on the first report."""
        self.conf = conf
        self.record = Record()

    @abc.abstractmethod
    def publish(self, report: HostReport) -> None:
        """Publish a report.

        When the service stops or publishing takes too long, an exception that
        is not an ``Exception`` may interrupt any step: let it through, and
        leave nothing half-written.

        :raises PublishError: if it did not arrive; it is retried
        """

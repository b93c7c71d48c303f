# SPDX-License-Identifier: Apache-2.0
"""The contract of a publisher."""

import abc
from dataclasses import dataclass, field

from oslo_config import cfg

from nova_vhard.common.log import Seldom
from nova_vhard.host.report import HostReport


class PublishError(Exception):
    """A report could not be published; nothing was lost."""


@dataclass
class Record:
    """How publishing went since the reporter was started.

    :ivar errors: publisher's name to the number of reports that it could not
        publish; 0 for one that has not failed
    :ivar published: publisher's name to the time (seconds since the epoch)
        of the last report that it did publish
    :ivar troubles: publisher's name to its lines in the log
    :ivar days_ahead: for how many days Placement has names for the marks of
        reports; None before anybody has looked, or without an answer
    """

    errors: dict[str, int] = field(default_factory=dict)
    published: dict[str, float] = field(default_factory=dict)
    troubles: dict[str, Seldom] = field(default_factory=dict)
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

        It may be broken off at any step by an exception that is no
        ``Exception``, when the service stops or it takes too long: let it
        through, and leave nothing half-written.

        :raises PublishError: if it did not arrive; it is tried again
        """

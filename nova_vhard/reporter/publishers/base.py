# SPDX-License-Identifier: Apache-2.0
"""The contract of a publisher."""

import abc

from oslo_config import cfg

from nova_vhard.host.report import HostReport


class PublishError(Exception):
    """A report could not be published; nothing was lost."""


class Publisher(abc.ABC):
    """Takes a host report to where others read it.

    Plugged in under ``nova_vhard.publishers`` and switched on by
    ``[vhard_reporter] publishers``.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Keep the configuration; connect on the first report."""
        self.conf = conf

    @abc.abstractmethod
    def publish(self, report: HostReport) -> None:
        """Publish a report.

        :raises PublishError: if it did not arrive; it is tried again
        """

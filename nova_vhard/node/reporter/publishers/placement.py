# SPDX-License-Identifier: Apache-2.0
"""Publisher ``placement``: traits of the compute node's root provider."""

from oslo_config import cfg

from nova_vhard.catalogue import traits
from nova_vhard.common.log import get_logger
from nova_vhard.host.report import HostReport
from nova_vhard.node import identity
from nova_vhard.node.reporter.publishers.base import Publisher, PublishError
from nova_vhard.node.reporter.rivals import Rivals
from nova_vhard.placement.client import (
    Placement,
    PlacementError,
    Provider,
    ProviderNotFound,
)
from nova_vhard.placement.connect import connect

LOG = get_logger(__name__)


class PlacementPublisher(Publisher):
    """One trait for each passed check, one for the report's hour.

    A check that does not pass any more loses its trait with the same write.
    Nothing is written while nothing changes and the hour does not turn. What
    another reporter of the same host takes away is not written again.
    """

    name = "placement"

    def __init__(
        self, conf: cfg.ConfigOpts, placement: Placement | None = None
    ) -> None:
        """Connect on the first report.

        :param placement: in place of the configured one
        """
        super().__init__(conf)
        self._placement = placement
        self._rivals: Rivals | None = None

    def publish(self, report: HostReport) -> None:
        """Make the traits of this host what the report says.

        :raises PublishError: if Placement did not take them
        """
        wanted = {traits.of_check(name) for name in report.passed}
        wanted.add(traits.of_hour(report.time))
        try:
            if self._placement is None:
                self._placement = connect(self.conf)
            provider = identity.provider(self._placement, self.conf)
            rivals = self._others(provider)
            rivals.begin()
            change = self._placement.update(
                provider.uuid, lambda ours: rivals.agreed(ours, wanted)
            )
            rivals.done(wanted)
        except ProviderNotFound as error:
            text = f"nova-compute has not made this host known yet: {error}"
            raise PublishError(text) from error
        except PlacementError as error:
            raise PublishError(str(error)) from error
        if change:
            LOG.info(
                "%s: added %s; removed %s",
                provider.name,
                ", ".join(sorted(change.added)) or "nothing",
                ", ".join(sorted(change.removed)) or "nothing",
            )

    def _others(self, provider: Provider) -> Rivals:
        """Return what is known of other reporters of this provider."""
        if self._rivals is None or self._rivals.provider != provider:
            self._rivals = Rivals(provider)
        return self._rivals

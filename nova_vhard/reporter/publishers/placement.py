# SPDX-License-Identifier: Apache-2.0
"""Publisher ``placement``: traits of the compute node's root provider."""

import contextlib
import datetime
import uuid

from oslo_config import cfg

from nova_vhard.catalogue import results, traits
from nova_vhard.common.log import get_logger
from nova_vhard.daemon import identity
from nova_vhard.host.report import HostReport
from nova_vhard.placement import names
from nova_vhard.placement.client import (
    HOST,
    Change,
    Placement,
    PlacementError,
    Provider,
    ProviderNotFound,
)
from nova_vhard.placement.connect import connect
from nova_vhard.reporter.publishers.base import Publisher, PublishError

LOG = get_logger(__name__)

_UNAUTHORIZED = 401
_REFUSED = (
    " (if the login is of openstack vhard host enroll: it is for the provider "
    "that this host had then; nova-vhard-status upgrade check says whether "
    "Placement takes such logins)"
)
_HOUR = datetime.timedelta(hours=1)
#: Between two counts of names: less than a day, so that a mark that is written
#: a little earlier the next day is not missed.
_BETWEEN_LOOKS = 23 * _HOUR
#: Reports before the end of an hour in which its mark may be written.
_TRIES = 3


class PlacementPublisher(Publisher):
    """One trait for each passed check, one for the report's hour, and a few
    that tell the other checks apart.

    A check that does not pass any more loses its trait with the same write.
    Nothing is written while nothing changes and the mark of the hour need not
    be. What has no name is left out; without the name of its hour a report has
    failed.
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
        self._known: tuple[tuple[identity.Key, ...], Provider] | None = None
        self._missing: frozenset[str] = frozenset()
        self._looked = datetime.datetime.min.replace(tzinfo=datetime.UTC)

    def publish(self, report: HostReport) -> None:
        """Make the traits of this host what the report says.

        :raises PublishError: if Placement did not take them
        """
        try:
            provider, change = self._write(report)
        except ProviderNotFound as error:
            raise PublishError(
                "nova-compute has not created this host's resource "
                f"provider yet: {error}"
            ) from error
        except PlacementError as error:
            hint = _REFUSED if error.status == _UNAUTHORIZED else ""
            raise PublishError(f"{error}{hint}") from error
        if change:
            LOG.info(
                "%s: added %s; removed %s",
                provider.name,
                ", ".join(sorted(change.added)) or "nothing",
                ", ".join(sorted(change.removed)) or "nothing",
            )

    def _write(self, report: HostReport) -> tuple[Provider, Change]:
        """Write the traits; look for the provider only where it is unknown.

        :raises ProviderNotFound: if there is none, or none any more
        """
        if self._placement is None:
            self._placement = connect(self.conf)
        keys = identity.keys(self.conf.vhard_reporter)
        if self._known is not None and self._known[0] == keys:
            provider = self._known[1]
            # A reinstalled nova-compute may have recreated the provider.
            with contextlib.suppress(ProviderNotFound):
                # Early enough to try twice again before the hour is over.
                spread = (
                    _HOUR.seconds - _TRIES * self.conf.vhard_reporter.interval
                )
                return provider, self._update(
                    self._placement,
                    provider,
                    report,
                    (
                        uuid.UUID(provider.uuid).int % spread
                        if spread > 0
                        else 0
                    ),
                )
        provider = identity.first(self._placement, keys)
        # A program that reports once may not be called again in time, so the
        # mark of the hour is written at once.
        change = self._update(self._placement, provider, report, 0)
        # Of several names another may be the right one by the next time.
        self._known = (keys, provider) if len(keys) == 1 else None
        return provider, change

    def _update(
        self,
        placement: Placement,
        provider: Provider,
        report: HostReport,
        offset: int,
    ) -> Change:
        """Make our traits of a provider what a report says.

        :param offset: second of the hour from which on its mark is written
        """
        answers = results.encode(
            {result.check: result.status for result in report.results}
        ) | frozenset(map(traits.of_check, report.passed))

        change = placement.update(
            provider.uuid,
            lambda ours: answers | {_mark(ours, report.time, offset)},
            HOST,
            partly=True,
        )
        if any(map(traits.hour_of, change.added | change.missing)) and (
            (self.record.days_ahead or 0) < names.FEW_DAYS
            or report.time - self._looked >= _BETWEEN_LOOKS
        ):
            self._look_ahead(placement, report.time)
        if change.missing - self._missing:
            LOG.warning(
                "Not reported, because these traits do not exist and this "
                "login may not create them: %s. Run nova-vhard-reporter "
                "sweep, which creates them.",
                ", ".join(sorted(change.missing)),
            )
        self._missing = change.missing
        if any(map(traits.hour_of, change.missing)):
            raise PublishError("there is no name for the hour of this report")
        return change

    def _look_ahead(
        self, placement: Placement, now: datetime.datetime
    ) -> None:
        """See that there are names for the reports to come, once a day.

        This report is written already, and has not failed without an answer.
        If there are few, or without an answer, the next hour's asks again.
        """
        self._looked, self.record.days_ahead = now, None
        try:
            days = names.days_ahead(placement, now)
        except PlacementError as error:
            LOG.warning("Names of reports to come are not counted: %s", error)
            return
        if days < names.DAYS - 1:
            # Most logins of hosts may not, and rely on the sweep.
            with contextlib.suppress(PlacementError):
                names.make(placement, now)
                days = names.DAYS
        self.record.days_ahead = days
        if days < names.FEW_DAYS:
            LOG.warning(
                "Placement has trait names for the reports of only %d more "
                "days. After that, this host cannot report. Make sure that "
                "nova-vhard-reporter sweep runs.",
                days,
            )


def _mark(ours: frozenset[str], moment: datetime.datetime, offset: int) -> str:
    """Return the mark of the hour that a host is to have.

    The mark of the hour before counts throughout this one: max_report_age of
    a policy is two hours at least. So each host has a second of the hour of
    its own for the new one, and they do not all write when the hour turns.

    :param ours: our traits of the provider as they are
    :param offset: second of the hour
    """
    current, before = (
        traits.of_hour(moment - _HOUR * back) for back in (0, 1)
    )
    second = moment.minute * 60 + moment.second
    if before in ours and current not in ours and second < offset:
        return before
    return current

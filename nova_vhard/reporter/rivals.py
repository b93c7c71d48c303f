# SPDX-License-Identifier: Apache-2.0
"""Two reporters for one host: what they do not agree on is not claimed.

Placement does not say who wrote a trait. But when a check's trait that this
reporter wrote is gone, while the mark of an hour is there, another reporter
took it: a sweep and ``withdraw`` take the mark as well. Were it written again
the two would take turns, and the host would count as proven half of the time.
Likewise the traits that tell the other results apart
(``nova_vhard.catalogue.results``): in dispute they are left out.

An administrator's slip looks the same. So what is in dispute is written again
when no other writer was seen for two hours.
"""

import datetime

from nova_vhard.catalogue import traits
from nova_vhard.common.log import get_logger
from nova_vhard.placement.client import Provider

LOG = get_logger(__name__)

_ONE = "There must be one reporter for a host."
#: After which nobody else seems to write.
_QUIET = datetime.timedelta(hours=2)


class Rivals:
    """Detection of another reporter for the same host.

    :param provider: the host's resource provider
    """

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        # What this reporter wrote last; None when it may not have arrived.
        self._written: frozenset[str] | None = None
        self._before: frozenset[str] | None = None
        self._wanted: frozenset[str] = frozenset()
        self._seen: datetime.datetime | None = None
        self._given: frozenset[str] = frozenset()
        self._taken: frozenset[str] = frozenset()
        self._said: frozenset[str] = frozenset()

    def begin(self) -> None:
        """Begin a write, of which it is not known whether it will arrive."""
        self._before, self._written = self._written, None

    def agreed(
        self,
        ours: frozenset[str],
        want: frozenset[str],
        now: datetime.datetime,
    ) -> frozenset[str]:
        """Return what to write: all that is wanted and not in dispute.

        :param ours: our traits of the provider as they are
        :param want: what this reporter has found
        :param now: aware time of the report
        """
        known = _checks(ours)
        # A clock that was ahead may have been put right since.
        if self._seen and abs(now - self._seen) > _QUIET:
            self._taken = frozenset()
        if self._before is not None:
            self._given = known - self._before - want
            marked = known != ours
            taken = _checks(self._before) - known if marked else frozenset()
            self._taken |= taken
            if self._given or taken:
                self._seen = now
        self._taken = self._taken & want - known
        self._wanted = want - self._taken
        return self._wanted

    def done(self, missing: frozenset[str]) -> None:
        """End a write that has arrived; say what is new of another.

        :param missing: what has no name, so that nobody has taken it away
        """
        self._written = self._wanted - missing
        if self._given:
            LOG.warning(
                "%s: another reporter has found %s, and this one has not: "
                "taken away. %s",
                self.provider.name,
                ", ".join(sorted(self._given)),
                _ONE,
            )
        if self._taken - self._said:
            LOG.warning(
                "%s: another reporter has taken away %s, which this one has "
                "found: left out until the other finds it too, or no other "
                "has written for two hours. %s",
                self.provider.name,
                ", ".join(sorted(self._taken)),
                _ONE,
            )
        self._said = self._taken


def _checks(names: frozenset[str]) -> frozenset[str]:
    """Return the traits of checks' results, without the marks of hours."""
    return frozenset(
        name for name in names if not name.startswith(traits.REPORTED)
    )

# SPDX-License-Identifier: Apache-2.0
"""Read the hosts from Placement, for the report and Horizon's panel."""

import datetime

from nova_vhard.common.text import clean
from nova_vhard.osc.rights import why
from nova_vhard.placement.client import Placement, PlacementError
from nova_vhard.placement.fleet import HostPosture, fleet

#: Characters of the reason why something could not be read.
TEXT = 200


def read(
    placement: Placement, now: datetime.datetime, age: int
) -> tuple[tuple[HostPosture, ...], str | None]:
    """Return every compute node, or why they cannot be read.

    :param now: aware time
    :param age: whole hours; an older report is stale
    :returns: the hosts and None, or no hosts and the error of Placement
    """
    try:
        return tuple(fleet(placement, now, age, results=True)), None
    except PlacementError as error:
        return (), f"Placement: {clean(why(error), TEXT)}"

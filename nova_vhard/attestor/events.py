# SPDX-License-Identifier: Apache-2.0
"""Attestation events: one JSON object for each host that comes or goes."""

import json

from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean

#: Every event is the whole message of one record of this logger.
LOG = get_logger("nova_vhard.attestations")

ATTESTED, WITHDRAWN = "attested", "withdrawn"


def write(
    event: str,
    provider: str,
    host: str,
    until: float | None = None,
    reason: str = "",
) -> None:
    """Write an event.

    :param event: ATTESTED or WITHDRAWN
    :param provider: uuid of the host's root provider
    :param host: its name in Placement
    :param until: when the attestation ends if nothing renews it, in seconds
        since the epoch; None for a host that has lost it
    :param reason: why it has lost it, in words; empty if unknown
    """
    content = {
        "event": event,
        "host": clean(host, 255),
        "provider": provider,
        "until": None if until is None else int(until),
        "reason": clean(reason, 300) or None,
    }
    LOG.info(json.dumps(content, separators=(",", ":")))

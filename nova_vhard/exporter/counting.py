# SPDX-License-Identifier: Apache-2.0
"""Notifications of one bus, counted as they come."""

from typing import Any

import oslo_messaging

from nova_vhard.common.log import Seldom, get_logger
from nova_vhard.common.text import clean, line
from nova_vhard.exporter import payloads
from nova_vhard.exporter.metrics import Metrics
from nova_vhard.policy import notify

LOG = get_logger(__name__)

#: Seconds between two lines of the log about the same.
_LOG_INTERVAL = 60.0

_TEXT_LIMIT = 1024


class Counting:
    """An endpoint of a notification listener.

    :param bus: name of the bus
    """

    #: Nothing of others' on the same topic.
    filter_rule = oslo_messaging.NotificationFilter(event_type=r"vhard\.")

    def __init__(self, bus: str, metrics: Metrics) -> None:
        self._bus = bus
        self._metrics = metrics
        self._unreadable = Seldom(LOG, interval=_LOG_INTERVAL)
        self._unusable = Seldom(LOG, interval=_LOG_INTERVAL)

    def info(
        self,
        context: Any,
        publisher_id: Any,
        event_type: Any,
        payload: Any,
        metadata: Any,
    ) -> None:
        """Count a notification of priority INFO; raise nothing."""
        self._metrics.came(self._bus)
        if event_type == notify.HEARTBEAT:
            return
        try:
            publisher = str(publisher_id)
            service = publisher.partition(":")[0]
            dropped = payloads.dropped(payload)
            self._metrics.notified(self._bus, service, dropped)
            if event_type == notify.DECISION:
                self._metrics.decided(payloads.decision(payload))
            elif event_type == notify.POLICY:
                runs = payloads.runs(payload)
                self._metrics.runs(publisher, runs)
                if runs.refused is not None:
                    self._unusable.say(
                        "The policy of %s cannot be used as it is: %s",
                        clean(publisher),
                        line(runs.refused, _TEXT_LIMIT),
                    )
        except payloads.Unreadable as error:
            self._metrics.unreadable(self._bus)
            self._unreadable.say(
                "What %s sends to %s is not counted: %s",
                clean(publisher_id),
                self._bus,
                line(error, _TEXT_LIMIT),
            )

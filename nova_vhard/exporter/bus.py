# SPDX-License-Identifier: Apache-2.0
"""One message bus that the exporter listens to, and counts what comes."""

import importlib.metadata
import threading
from typing import Any

import oslo_messaging
from oslo_config import cfg

from nova_vhard.common.log import CapturedErrors, ThrottledLog, get_logger
from nova_vhard.common.text import clean, line
from nova_vhard.exporter import payloads
from nova_vhard.exporter.metrics import Metrics
from nova_vhard.policy import notify

LOG = get_logger(__name__)

#: Publisher id of the heartbeats.
OWN = "nova-vhard-exporter"

#: Notifications that RabbitMQ hands over before the first is counted, unless
#: the URL says otherwise. Without a limit it would be all that there are.
_LIMIT = "rabbit_qos_prefetch_count"
_PREFETCH = "100"

#: Seconds between two heartbeats, until a bus that cannot be listened to is
#: tried again, and to let go of one.
_BEAT = 10.0
_RETRY = 10.0
_STOP = 3.0

_NAME_LIMIT = 256

#: Seconds between two lines of the log about the same.
_LOG_INTERVAL = 60.0

_TEXT_LIMIT = 1024


def parse(conf: cfg.ConfigOpts, text: str) -> Any:
    """Return the URL of a bus, as oslo.messaging's own type.

    :raises ValueError: if it is invalid; omits the URL with its password
    """
    try:
        url = oslo_messaging.TransportURL.parse(conf, text or ":")
        driver = url.transport
    except Exception:  # noqa: BLE001 - their texts may have the password
        raise ValueError("it is not the URL of a message bus") from None
    if driver == "rabbit":
        url.query.setdefault(_LIMIT, _PREFETCH)
    return url


def name_of(url: Any) -> str:
    """Return what a bus is called in metrics: no user and no password."""
    hosts = [f"{host.hostname}:{host.port}" for host in url.hosts]
    name = ",".join(hosts) or url.transport
    if url.virtual_host:
        name += f"/{url.virtual_host}"
    return clean(name, _NAME_LIMIT)


def _transport(conf: cfg.ConfigOpts, url: Any) -> Any:
    """Return the transport of a bus; it connects when it is used.

    :raises ValueError: if there is no driver for it, or for an option of the
        driver in the URL
    :raises oslo_config.cfg.Error: for one in the configuration file
    """
    group = "oslo.messaging.drivers"
    if not importlib.metadata.entry_points(group=group, name=url.transport):
        raise ValueError(f"there is no driver for {clean(url.transport)}://")
    try:
        transport = oslo_messaging.get_notification_transport(conf, url=url)
        # Read the options of the drivers now, which they themselves do later.
        for name in [*conf]:
            if name.startswith("oslo_messaging_"):
                for option in conf[name]:
                    conf[name][option]
        return transport
    except (cfg.Error, ValueError) as error:
        if set(url.query) <= {_LIMIT}:
            raise
        raise ValueError("an option behind the ? cannot be used") from error


class Counting:
    """An endpoint of a notification listener.

    :param bus: name of the bus
    """

    #: Ignore other events on the topic.
    filter_rule = oslo_messaging.NotificationFilter(event_type=r"vhard\.")

    def __init__(self, bus: str, metrics: Metrics) -> None:
        self._bus = bus
        self._metrics = metrics
        self._unreadable = ThrottledLog(LOG, interval=_LOG_INTERVAL)
        self._unusable = ThrottledLog(LOG, interval=_LOG_INTERVAL)

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


class Bus:
    """Listens to a bus, and sends heartbeats through it.

    :param conf: with the options of oslo.messaging's drivers
    :param url: of the bus
    :param topic: of the notifications
    :param exchanges: that the services send to
    """

    def __init__(
        self, conf: cfg.ConfigOpts, url: Any, topic: str, exchanges: list[str]
    ) -> None:
        """Connect to nothing yet.

        :raises ValueError: if there is no driver for it, or for an option of
            the driver that makes no sense
        :raises oslo_config.cfg.Error: likewise, in the configuration file
        """
        self.name = name_of(url)
        self._topic = topic
        self._listener: Any = None
        self._stopped = threading.Event()
        self._transport = _transport(conf, url)
        # The last one is that of the heartbeats.
        self._exchanges = dict.fromkeys((*exchanges, conf.control_exchange))

    def start(self, counting: Counting) -> None:
        """Begin to listen and to send, each in a thread that never ends.

        :param counting: called with each notification
        """
        for work, arguments in ((self._listen, (counting,)), (self._beat, ())):
            threading.Thread(target=work, args=arguments, daemon=True).start()

    def _listen(self, counting: Counting) -> None:
        """Begin to listen; from then on oslo.messaging connects again."""
        away = ThrottledLog(LOG)
        while not self._stopped.is_set():
            listener = oslo_messaging.get_notification_listener(
                self._transport,
                [
                    oslo_messaging.Target(topic=self._topic, exchange=exchange)
                    for exchange in self._exchanges
                ],
                [counting],
                "threading",
            )
            try:
                listener.start(override_pool_size=1)
            except Exception as error:  # noqa: BLE001 - it may work later
                away.say(
                    "Cannot listen to %s, trying again: %s", self.name, error
                )
                self._stopped.wait(_RETRY)
            else:
                away.over("Listening to %s", self.name)
                self._listener = listener
                return

    def _beat(self) -> None:
        """Send heartbeats: what a bus that is quiet is known by."""
        notifier = oslo_messaging.Notifier(
            self._transport,
            publisher_id=OWN,
            driver="messagingv2",
            topics=[self._topic],
            retry=-1,
        )
        failures, away = CapturedErrors(notify.LOGGERS), ThrottledLog(LOG)
        while not self._stopped.is_set():
            notifier.info(
                {},
                notify.HEARTBEAT,
                {"version": notify.VERSION, "dropped": 0},
            )
            error = failures.take()
            if error is not None:
                away.say("Cannot send to %s: %s", self.name, error)
            else:
                away.over("Sending to %s again", self.name)
            self._stopped.wait(_BEAT)

    def stop(self) -> None:
        """Let go of the bus; wait for one that is down for seconds only."""
        self._stopped.set()
        thread = threading.Thread(target=self._close, daemon=True)
        thread.start()
        thread.join(_STOP)

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.stop()
            self._listener.wait()

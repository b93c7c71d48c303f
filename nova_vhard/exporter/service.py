# SPDX-License-Identifier: Apache-2.0
"""The exporter: serve what the message buses bring, as metrics."""

import threading
from collections.abc import Sequence

from oslo_config import cfg
from prometheus_client import start_http_server

from nova_vhard.common.log import get_logger
from nova_vhard.exporter.bus import Bus, Counting, parse
from nova_vhard.exporter.metrics import Metrics

LOG = get_logger(__name__)

_OPTION = "[vhard_exporter] transport_urls"


def buses(conf: cfg.ConfigOpts) -> list[Bus]:
    """Return the buses that the options name.

    :raises ValueError: if there is none, or a URL cannot be used
    :raises oslo_config.cfg.Error: for an option of oslo.messaging's
    """
    options = conf.vhard_exporter
    if not options.transport_urls:
        raise ValueError(f"no message bus to listen to: name it in {_OPTION}")
    result: dict[str, Bus] = {}
    for number, text in enumerate(options.transport_urls, 1):
        try:
            url = parse(conf, text)
            bus = Bus(conf, url, options.topic, options.exchanges)
        except cfg.Error:
            # Of another option, which it names.
            raise
        except ValueError as error:
            raise ValueError(
                f"{_OPTION}, number {number}: {error}; rabbit://USER:PASSWORD"
                "@HOST:PORT/VHOST is what is expected"
            ) from None
        if bus.name in result:
            raise ValueError(f"{_OPTION}: {bus.name} is there twice")
        result[bus.name] = bus
    return list(result.values())


class Exporter:
    """Counts the decisions that come through message buses.

    :param buses: to listen to
    """

    def __init__(self, buses: Sequence[Bus]) -> None:
        self._buses = buses
        self._stop = threading.Event()
        self.metrics = Metrics(bus.name for bus in buses)

    def stop(self) -> None:
        """End ``run`` soon."""
        self._stop.set()

    def run(self, host: str, port: int) -> None:
        """Serve the metrics, and count, until stopped.

        :raises OSError: if it cannot listen there
        """
        server, thread = start_http_server(port, host, self.metrics.registry)
        LOG.info("Serving metrics on %s, port %s", host, port)
        self.start()
        try:
            self._stop.wait()
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
            self.close()

    def start(self) -> None:
        """Begin to listen to the buses."""
        for bus in self._buses:
            bus.start(Counting(bus.name, self.metrics))

    def close(self) -> None:
        """Let go of the buses."""
        for bus in self._buses:
            bus.stop()

# SPDX-License-Identifier: Apache-2.0
"""The exporter: read what is new in the logs, count it, wait, again."""

import threading
from collections.abc import Iterable

from prometheus_client import start_http_server

from nova_vhard.cmd.exporter import lines
from nova_vhard.cmd.exporter.follow import Follower
from nova_vhard.cmd.exporter.metrics import Metrics
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean

LOG = get_logger(__name__)


class Exporter:
    """Counts the decision events of some logs.

    :param files: paths of the logs
    :param interval: seconds between two looks at them
    """

    def __init__(self, files: Iterable[str], interval: float) -> None:
        """Open nothing yet."""
        # A file that is named twice is counted once.
        self._followers = [Follower(file) for file in dict.fromkeys(files)]
        self._interval = interval
        self._stop = threading.Event()
        self._errors: dict[str, str] = {}
        self.metrics = Metrics(follower.path for follower in self._followers)

    def stop(self) -> None:
        """End ``run`` soon."""
        self._stop.set()

    def run(self, host: str, port: int) -> None:
        """Serve the metrics, and keep them up to date until stopped.

        :raises OSError: if it cannot listen there
        """
        # First look, then listen: the first answer is about every file.
        self.once()
        registry = self.metrics.registry
        server, thread = start_http_server(port, host, registry)
        LOG.info("Serving metrics on %s, port %s", host, port)
        try:
            while not self._stop.wait(self._interval):
                self.once()
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
            self.close()

    def close(self) -> None:
        """Let go of the logs."""
        for follower in self._followers:
            follower.close()

    def once(self) -> None:
        """Read and count what is new in each log."""
        for follower in self._followers:
            try:
                for line in follower.lines():
                    self._take(follower.path, line)
                    if self._stop.is_set():
                        return
            except OSError as error:
                self._failed(follower.path, error)
            else:
                self._errors.pop(follower.path, None)
                self.metrics.followed(follower.path, well=True)

    def _take(self, path: str, line: bytes) -> None:
        try:
            stated = lines.read(line)
        except lines.Unreadable as error:
            LOG.debug("%s: %s", path, clean(error))
            self.metrics.unreadable(path)
            return
        if isinstance(stated, lines.Decision):
            self.metrics.decided(stated)
        elif stated is not None:
            self.metrics.unusable(path)

    def _failed(self, path: str, error: OSError) -> None:
        """Count it, and log it if it is something new."""
        self.metrics.followed(path, well=False)
        text = error.strerror or str(error)
        if self._errors.get(path) != text:
            self._errors[path] = text
            LOG.warning("%s cannot be read, trying again: %s", path, text)

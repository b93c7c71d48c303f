# SPDX-License-Identifier: Apache-2.0
"""Notifications to the service manager: ready, alive, reloading, stopping.

The protocol of sd_notify(3): datagrams of ``NAME=value`` lines to the socket
that ``NOTIFY_SOCKET`` names. The libraries for it are unmaintained, written
in C, or depend on eventlet.
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping

from nova_vhard.common.log import get_logger

LOG = get_logger(__name__)

# Seconds that the manager may take to make room for a message.
_PATIENCE = 0.5
# File descriptor of the first socket that the manager hands over.
_FIRST_SOCKET = 3


class Notifier:
    """Client of the service manager, if there is one.

    :param address: path of its socket, or ``@`` and a name in the abstract
        namespace; None without a manager
    :param watchdog: seconds without a keep-alive message after which the
        manager restarts this service; None if it does not watch
    """

    def __init__(
        self,
        address: str | None = None,
        watchdog: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the address; each message opens a socket."""
        self._address = address
        self._watchdog = watchdog if address else None
        self._clock = clock
        self._last = float("-inf")

    @property
    def period(self) -> float | None:
        """Seconds between keep-alive messages; None if none are needed."""
        return self._watchdog / 2 if self._watchdog else None

    def ready(self) -> None:
        """Notify the manager that the start, or a reload, is complete."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Notify the manager that the configuration is being reloaded."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Notify the manager that the service is stopping."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Send a one-line status to the manager."""
        self._send("STATUS=" + " ".join(text.split()))

    def alive(self, now: bool = False) -> None:
        """Give a sign of life, if one is due.

        :param now: give it anyhow: the next may be a whole period away
        """
        if self.period is None:
            return
        if now or self._clock() - self._last >= self.period:
            self._last = self._clock()
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        try:
            with socket.socket(socket.AF_UNIX, kind) as out:
                out.settimeout(_PATIENCE)
                out.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            # A manager that does not listen is no reason to report less.
            LOG.warning("%s not told %s: %s", self._address, lines[0], error)


def of_environment(environment: MutableMapping[str, str]) -> Notifier:
    """Return a Notifier for the service manager that started this process.

    Takes the variables away, so that no child takes itself for the service.
    """
    address = environment.pop("NOTIFY_SOCKET", "")
    period = environment.pop("WATCHDOG_USEC", "")
    process = environment.pop("WATCHDOG_PID", "")
    if not address.startswith(("/", "@")):
        return Notifier()
    mine = process in ("", str(os.getpid()))
    watched = mine and period.isdecimal() and int(period) > 0
    return Notifier(address, int(period) / 1e6 if watched else None)


def listeners(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """Return the sockets that the service manager holds for this process.

    The protocol of sd_listen_fds(3). Takes the variables away, as above.
    """
    process = environment.pop("LISTEN_PID", "")
    count = environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or not count.isdecimal():
        return []
    numbers = range(_FIRST_SOCKET, _FIRST_SOCKET + int(count))
    for number in numbers:
        os.set_inheritable(number, False)
    return [socket.socket(fileno=number) for number in numbers]

# SPDX-License-Identifier: Apache-2.0
"""Main loop of every daemon: ready, a round, a wait, again, end.

SIGTERM and SIGINT end it; SIGHUP rebuilds the service from the current
configuration. The service manager is notified of each, and gets keep-alive
messages (systemd.py).
"""

import contextlib
import time
from collections.abc import Callable
from typing import Protocol

from nova_vhard.common.log import get_logger
from nova_vhard.daemon.interrupts import Interrupted, Interrupts
from nova_vhard.daemon.systemd import Notifier

LOG = get_logger(__name__)


class Service(Protocol):
    """The work of a daemon in each round."""

    def round(self) -> float:
        """Do what is due.

        :returns: seconds until the next round
        :raises Interrupted: if it was broken off by a signal
        """


class Runtime:
    """Runs a service until it is to stop.

    :ivar notifier: of the service manager
    :ivar interrupts: the signals that have come, and what they break off
    """

    def __init__(self, notifier: Notifier | None = None) -> None:
        self.notifier = notifier or Notifier()
        self.interrupts = Interrupts()

    def stop(self) -> None:
        """End ``run`` before its next round."""
        self.interrupts.stopping = True

    def stopping(self) -> bool:
        """Return whether it is to stop."""
        return self.interrupts.stopping

    def run(
        self, service: Service, again: Callable[[], Service] | None = None
    ) -> None:
        """Run a service until it is to stop.

        :param again: rebuilds the service; by default it is kept
        """
        with self.interrupts.installed():
            self.notifier.ready()
            while not self.stopping():
                with contextlib.suppress(Interrupted):
                    self.notifier.alive(now=True)
                    until = time.monotonic() + service.round()
                    with self.interrupts.breakable(reload=True):
                        while (left := until - time.monotonic()) > 0:
                            self.notifier.alive()
                            time.sleep(min(left, self.notifier.period or left))
                if self.interrupts.reloading:
                    service = self._made_anew(service, again)
            self.notifier.stopping()

    def _made_anew(
        self, service: Service, again: Callable[[], Service] | None
    ) -> Service:
        """Return a service by a changed configuration.

        A broken one changes nothing.
        """
        self.interrupts.reloading = False
        self.notifier.reloading()
        try:
            service = again() if again else service
        except Exception as error:  # noqa: BLE001 - the old one still holds
            LOG.error(
                "Not reloaded, the previous configuration stays in use: %s",
                error,
            )
        else:
            LOG.info("Reloaded")
        self.notifier.ready()
        return service

# SPDX-License-Identifier: Apache-2.0
"""The loop of the service: a round, a wait, a round."""

import random
import time
from collections.abc import Callable

from nova_vhard.common.log import get_logger
from nova_vhard.node.cleaner.service import Cleaner
from nova_vhard.node.interrupts import Interrupted, Interrupts
from nova_vhard.node.systemd import Notifier
from nova_vhard.placement.client import PlacementError

LOG = get_logger(__name__)


class Loop:
    """Cleans until it is told to stop.

    A stop waits for the device that is being cleaned: none is left half
    flashed because this service is started again.

    :param make: makes a cleaner, by the configuration as it is then
    :param interval: seconds between two rounds
    """

    def __init__(
        self,
        make: Callable[[Callable[[], None]], Cleaner],
        interval: float,
        notifier: Notifier | None = None,
    ) -> None:
        """Keep what it works with; nothing runs yet."""
        self._notifier = notifier or Notifier()
        self._cleaner = make(self._alive)
        self._make = make
        self._interval = interval
        self._interrupts = Interrupts()

    def _alive(self) -> None:
        """Give a sign of life; hear of a stop while a step is waited for."""
        self._notifier.alive()
        self._cleaner.stopping = self._interrupts.stopping

    def run(self) -> None:
        """Clean until it is told to stop."""
        with self._interrupts.installed():
            self._notifier.ready()
            while not self._interrupts.stopping:
                self._notifier.alive(now=True)
                self._notifier.status(self._round())
                try:
                    with self._interrupts.breakable(reload=True):
                        self._wait()
                except Interrupted:
                    if self._interrupts.reloading:
                        self._read_again()
            self._notifier.stopping()

    def _round(self) -> str:
        """Go once round; return what came of it in one line."""
        try:
            done = self._cleaner.once()
        except PlacementError as error:
            LOG.error("Devices are left as they are: %s", error)
            return f"Placement: {error}"
        except Exception:
            LOG.exception("A round failed; devices are left as they are")
            return "A round failed: see the log"
        waiting = [
            f"{one.address} {one.word or one.state}"
            for one in done.records.values()
            if one.dirty or one.word
        ]
        told = ", ".join(waiting) or "nothing waits"
        return f"{len(done.records)} devices, {told}"

    def _wait(self) -> None:
        pause = self._interval * random.uniform(0.9, 1.1)  # noqa: S311
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0:
            self._notifier.alive()
            time.sleep(min(left, self._notifier.period or left))

    def _read_again(self) -> None:
        """Take up a changed configuration; a broken one changes nothing."""
        self._interrupts.reloading = False
        self._notifier.reloading()
        try:
            self._cleaner = self._make(self._alive)
        except Exception as error:  # noqa: BLE001 - the old one still holds
            LOG.error("Not reloaded, what was read before holds: %s", error)
        self._notifier.ready()

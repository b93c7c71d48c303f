# SPDX-License-Identifier: Apache-2.0
"""The cleaner as a service: a round, in one line for its manager."""

import logging
import random

from nova_vhard.cleaner.service import Cleaner
from nova_vhard.common.log import Seldom, get_logger
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.placement.client import PlacementError

LOG = get_logger(__name__)


class CleanerService:
    """Cleans, round after round.

    A stop waits for the device that is being cleaned: none is left half
    flashed because this service is started again.

    :param interval: seconds between two rounds
    """

    def __init__(
        self, cleaner: Cleaner, interval: float, runtime: Runtime
    ) -> None:
        self._cleaner = cleaner
        self._interval = interval
        self._runtime = runtime
        self._away = Seldom(LOG, logging.ERROR)

    def round(self) -> float:
        """Look at every device; return the seconds until the next round."""
        self._runtime.notifier.status(self._once())
        return self._interval * random.uniform(0.9, 1.1)  # noqa: S311

    def _once(self) -> str:
        """Go once round; return what came of it in one line."""
        try:
            done = self._cleaner.once()
        except PlacementError as error:
            self._away.say("Devices are left as they are: %s", error)
            return f"Placement: {error}"
        except Exception:
            LOG.exception("A round failed; devices are left as they are")
            return "A round failed: see the log"
        self._away.over("Placement lists the devices again")
        waiting = [
            f"{record.address} {record.word or record.state}"
            for record in done.records.values()
            if record.dirty or record.word
        ]
        text = ", ".join(waiting) or "nothing waits"
        return f"{len(done.records)} devices, {text}"

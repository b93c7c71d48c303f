# SPDX-License-Identifier: Apache-2.0
"""The gates' decision events, as an operator finds them in the logs."""

import json

_LOGGER = " nova_vhard.decisions "


class Events:
    """Reads the events that were written since it was last asked.

    :param place: cloud.place.Place
    """

    def __init__(self, place):
        self._place = place
        self._read = {}

    def new(self):
        """Return the new decision events, as dicts, oldest first a log."""
        events = []
        for log in self._place.log_files():
            with open(log, encoding="utf-8", errors="replace") as lines:
                lines.seek(self._read.get(log, 0))
                text = lines.read()
                self._read[log] = lines.tell()
            events += [
                json.loads(line[line.index("{") :])
                for line in text.splitlines()
                if _LOGGER in line and "{" in line
            ]
        return events

# SPDX-License-Identifier: Apache-2.0
"""Results that are kept from round to round, by what they were made from.

What a binary was built with, or which devices it offers, stays as it is as
long as the file does. A second round then opens no binary and starts none.
"""

import contextlib
import json
import os
from typing import Any

from nova_vhard.common import files, state
from nova_vhard.common.log import get_logger

LOG = get_logger(__name__)

# Longer than any file of ours.
_LIMIT = 8 << 20

# What this process has found already, by file, for hosts without a folder
# and for the checks of one round. Replaced whole, never changed.
_MEMORY: dict[str, dict[str, Any]] = {}
_WARNED: set[str] = set()


def identity(stat_result: os.stat_result) -> str:
    """Return what changes whenever a file's content or mode may have.

    The time of the last change of status cannot be set by its owner, as
    that of the last modification can.
    """
    s = stat_result
    values = (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
    return ":".join(map(str, values))


class Cache:
    """The results of one kind: loaded, asked, and saved at the end.

    Only what was asked for or put is kept, so that results of files that
    are gone go too. A file that cannot be read, is no JSON or of another
    format counts as empty.

    :param folder: where its file is; None keeps results in memory only
    :param name: what the results are, ``elf``; with one file for each, two
        checks that run at once do not take each other's results away
    :param version: number of the results' format, to be raised by whoever
        changes their meaning
    """

    def __init__(self, folder: str | None, name: str, version: int) -> None:
        """Load what was kept."""
        file = f"{name}-cache.json"
        self._folder = folder
        self._path = os.path.join(folder, file) if folder else file
        self._version = version
        before = _MEMORY.get(self._path)
        if before is None:
            before = self._load() if folder else {}
        self._before = before
        self._now: dict[str, Any] = {}
        self._new = False

    def get(self, key: str) -> Any | None:
        """Return what is kept, as JSON has it; None for nothing."""
        result = self._before.get(key)
        if result is not None:
            self._now[key] = result
        return result

    def put(self, key: str, value: Any) -> None:
        """Keep a result that JSON can hold."""
        self._now[key] = value
        self._new = True

    def save(self) -> None:
        """Write what was asked for or put, if that is not there already."""
        _MEMORY[self._path] = self._now
        changed = self._new or self._now.keys() != self._before.keys()
        if self._folder is None or not changed:
            return
        try:
            content = {"version": self._version, "results": self._now}
            files.replace(self._path, json.dumps(content))
        except OSError as error:
            # Once a process: the next round would say it again.
            if self._path not in _WARNED:
                _WARNED.add(self._path)
                LOG.warning("Results cannot be kept: %s", error)

    def _load(self) -> dict[str, Any]:
        # A file that is missing, unreadable or damaged is made anew.
        with contextlib.suppress(OSError, ValueError):
            return (
                state.read(
                    self._path,
                    lambda content: (
                        dict(content["results"])
                        if content["version"] == self._version
                        else None
                    ),
                    _LIMIT,
                )
                or {}
            )
        return {}

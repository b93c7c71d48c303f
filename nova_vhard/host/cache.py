# SPDX-License-Identifier: Apache-2.0
"""Cache of results across rounds, by the identity of the examined file.

The build properties of a binary, and the devices that it offers, cannot change
while the file does not change. Later rounds do not open or start it again.
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


def identity(file: os.stat_result) -> str:
    """Return what changes whenever a file's content or mode may have.

    The time of the last change of status cannot be set by its owner, as
    that of the last modification can.
    """
    return (
        f"{file.st_dev}:{file.st_ino}:{file.st_size}:"
        f"{file.st_mtime_ns}:{file.st_ctime_ns}"
    )


class Cache:
    """Results of one kind, loaded at the start and saved at the end.

    Only results that were read or added are kept, so results of deleted files
    disappear. A file that is unreadable, not JSON or of another format counts
    as empty.

    :param folder: folder of the cache file; None keeps results in memory only
    :param name: kind of result, such as ``elf``. Each kind has its own file,
        so that two checks can run at once without losing results
    :param version: format version of the results; increase it when their
        meaning changes
    """

    def __init__(self, folder: str | None, name: str, version: int) -> None:
        """Load what was kept."""
        file = f"{name}-cache.json"
        self._folder = folder
        self._path = os.path.join(folder, file) if folder else file
        self._version = version
        # Memory first: where the folder is full or read-only, the checks of
        # one round still open each binary once.
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
        # Before the file is written, which may fail.
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
        # A result only saves time, so damage counts as absence here. For a
        # daemon's state that would be wrong: see common/state.py.
        # Ignore a missing, unreadable or damaged file; save() replaces it.
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

# SPDX-License-Identifier: Apache-2.0
"""The policy that holds now: re-read on change, the last good one kept.

The file is looked at on each call (one ``stat`` a file) and read again only
when it changed. One caller reads it, without holding a lock; the others go on
with the last good policy meanwhile. So a change takes hold when it has been
read, and a file that takes long to read holds nobody up but its reader. Only
where there is no policy yet do the others wait.
"""

import contextlib
import dataclasses
import datetime
import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from nova_vhard.common import files, mounts, source
from nova_vhard.common.log import get_logger
from nova_vhard.common.problems import PolicyError
from nova_vhard.common.text import clean
from nova_vhard.policy import assemble, document
from nova_vhard.policy.model import Policy

LOG = get_logger(__name__)

#: What follows the policy file's name in that of the file that disables it.
DISABLED = ".disabled"

#: Days before its end from which an exemption is named in a warning.
NOTICE = datetime.timedelta(days=14)

_FileStamp = tuple[int, int, int, int]
_Stamp = tuple[_FileStamp | None, ...]


class PolicyUnavailable(Exception):
    """There is no policy, and there never was a good one."""


def today() -> datetime.date:
    """Return the day by which exemptions are judged (UTC)."""
    return datetime.datetime.now(datetime.UTC).date()


def ending(policy: Policy, day: datetime.date) -> Iterator[tuple[int, str]]:
    """Yield exemptions that are void or soon will be, with what to say.

    :param day: the day (UTC) by which it is told
    :returns: pairs of the exemption's index in the policy, and a sentence
    """
    for index, exemption in enumerate(policy.exemptions):
        name = clean(exemption.id)
        if exemption.until < day:
            yield (
                index,
                f"Exemption {name} ended on {exemption.until} and is void.",
            )
        elif exemption.until - day <= NOTICE:
            text = f"Exemption {name} ends on {exemption.until}."
            yield index, f"{text} Renew or remove it."


def disabled(path: str) -> bool:
    """Return whether a file beside the policy file disables it.

    It has the policy file's name and ``.disabled`` behind it. What it holds
    is not read. One that cannot be seen is none: the policy holds.
    """
    return os.path.exists(path + DISABLED)


class PolicyFile:
    """A policy file that is watched.

    :param path: path of the file
    :param state: path of the last good copy; None keeps none
    :param limit: bytes that the file, and each that it extends, may have
    :param failed: called with each new reason why the file cannot be used,
        after it was logged; raises nothing
    """

    def __init__(
        self,
        path: str,
        state: str | None = None,
        limit: int = source.MAX_SIZE,
        failed: Callable[[PolicyError], None] | None = None,
    ) -> None:
        """Read nothing yet: processes are forked after this."""
        self.path = path
        self._failed = failed
        self._state = state
        self._copy: _FileStamp | None = None
        self._limit = limit
        self._loaded = threading.Condition()
        self._loading = False
        self._watched: list[str] = [os.path.abspath(path)]
        self._stamp: _Stamp = ()
        self._policy: Policy | None = None
        self._error: PolicyError | None = None
        self._noticed: datetime.date | None = None
        self._unkept = False
        self._mounts: list[str] = []
        self._disabled: Policy | None = None

    @property
    def error(self) -> PolicyError | None:
        """Why the file as it is now cannot be used; None if it can."""
        return self._error

    def current(self) -> Policy:
        """Return the policy that holds now.

        While it is disabled (see ``disabled``) that is the same with
        ``enabled: false``, also where there is no policy at all.

        :raises PolicyUnavailable: if there never was a good one
        """
        if disabled(self.path):
            return self._without_effect()
        if self._disabled is not None:
            self._disabled = None
            LOG.warning("%s%s is gone.", self.path, DISABLED)
        return self._latest()

    def _without_effect(self) -> Policy:
        """Return the policy as it is while a file disables it."""
        try:
            policy = self._latest()
        except PolicyUnavailable:
            policy = assemble.policy({}, [])
        # Another caller may see the file go meanwhile.
        without = self._disabled
        if without is None:
            LOG.warning(
                "%s%s is there. Nothing is refused.", self.path, DISABLED
            )
        if without is None or without.digest != policy.digest:
            without = dataclasses.replace(policy, enabled=False)
            self._disabled = without
        return without

    def _latest(self) -> Policy:
        """Return the last good policy, of the file as it is now if it is."""
        if self._look() != self._stamp and self._may_load():
            try:
                self._reload(self._look())
            finally:
                with self._loaded:
                    self._loading = False
                    self._loaded.notify_all()
        policy = self._policy
        if policy is None:
            raise PolicyUnavailable(str(self._error))
        if policy.exemptions and self._noticed != today():
            self._notice(policy)
        return policy

    def _may_load(self) -> bool:
        """Return whether this caller is the one that reads the file.

        Where another reads it and there is a policy to go on with, False at
        once; where there is none, after that other is done.
        """
        with self._loaded:
            while self._loading:
                if self._policy is not None:
                    return False
                self._loaded.wait()
            if self._look() == self._stamp:
                return False
            self._loading = True
            return True

    def _look(self) -> _Stamp:
        return tuple(_stat(path) for path in self._watched)

    def _reload(self, stamp: _Stamp) -> None:
        """Read the file; on a fault keep what there was.

        :param stamp: what the files looked like before: a change from then
            on is seen by the next call
        """
        reading = document.Reading(self.path, self._limit)
        if reading.policy is None:
            self._fail(PolicyError(reading.problems), reading.cause)
        else:
            self._accept(reading.policy, reading.data)
        watched = list(reading.stamps)
        self._notice_mounts(watched)
        if watched == self._watched:
            self._stamp = stamp
        else:
            # Other files than were looked at: the next call reads again, so
            # that no change between that look and this reading is missed.
            self._watched = watched

    def _accept(self, policy: Policy, data: dict[str, Any]) -> None:
        self._error = None
        before = self._policy.digest if self._policy else None
        if policy.digest != before:
            if policy.enabled:
                LOG.info("Policy %s of %s holds.", policy.digest, self.path)
            else:
                LOG.warning(
                    "%s says enabled: false. Nothing is refused.", self.path
                )
        if policy.digest != before or self._unkept or self._is_outdated():
            self._keep(data)
        self._policy = policy
        self._noticed = None

    def _fail(self, error: PolicyError, cause: Exception | None) -> None:
        known = str(self._error) == str(error)
        self._error = error
        if self._policy is None or self._is_outdated():
            self._policy = self._restore() or self._policy
        kept = (
            f"the last good policy, {self._policy.digest}, still holds"
            if self._policy
            else "there is no last good policy"
        )
        if not known:
            # Our own fault has a traceback, for a report.
            LOG.error(
                "Policy cannot be used, %s: %s", kept, error, exc_info=cause
            )
            if self._failed is not None:
                self._failed(error)

    def _is_outdated(self) -> bool:
        """Return whether another process has written the copy since.

        Workers of a service share it. One without a request for some time
        has not seen what was good meanwhile.
        """
        return self._state is not None and _stat(self._state) != self._copy

    def _notice(self, policy: Policy) -> None:
        day = self._noticed = today()
        for _, text in ending(policy, day):
            LOG.warning("%s", text)

    def _notice_mounts(self, paths: list[str]) -> None:
        """Warn once of files whose successors would not be seen."""
        warnings = [text for path in paths if (text := mounts.warning(path))]
        for text in warnings:
            if text not in self._mounts:
                LOG.warning("%s", text)
        self._mounts = warnings

    def _keep(self, data: dict[str, Any]) -> None:
        """Write the last good copy, so that a restart has it too.

        Where that fails an older copy goes: after a restart it would let
        pass what the last good policy refuses. On a disk that is full that
        makes the room for the new one.
        """
        if self._state is None:
            return
        content = {"path": self.path, "data": data}
        try:
            _write(self._state, content)
            self._unkept = False
        except Exception:  # noqa: BLE001 - no fault here may cost a policy
            try:
                _write_anew(self._state, content)
                self._unkept = False
            except Exception as error:  # noqa: BLE001 - likewise
                self._not_kept(error)
        # One that could not be replaced is older than what holds.
        self._copy = _stat(self._state)

    def _not_kept(self, error: Exception) -> None:
        if not self._unkept:
            LOG.warning(
                "The last good policy is kept in memory only: %s", error
            )
        self._unkept = True

    def _restore(self) -> Policy | None:
        if self._state is None or not os.path.exists(self._state):
            return None
        # A copy is of several files, and JSON takes more room than YAML.
        limit = 16 * self._limit
        self._copy = _stat(self._state)
        try:
            kept = json.loads(source.read_text(self._state, limit))
            if kept["path"] != self.path:
                return None
            return document.restore(kept["data"], self._state)
        except PolicyError as error:
            LOG.warning("The last good policy is not valid now: %s", error)
        except Exception as error:  # noqa: BLE001 - a bad copy is none
            LOG.warning(
                "The last good policy cannot be read: %s: %s",
                type(error).__name__,
                clean(error, 200),
            )
        return None


def _stat(path: str) -> _FileStamp | None:
    try:
        result = os.stat(path)
    except (OSError, ValueError):
        # ValueError: no path at all, with a NUL in it.
        return None
    return (
        result.st_mtime_ns,
        result.st_ctime_ns,
        result.st_size,
        result.st_ino,
    )


def _write(path: str, content: object) -> None:
    """Replace a file of mode 0600 in one step."""
    os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
    files.replace(path, json.dumps(content))


def _write_anew(path: str, content: object) -> None:
    """Write a file after the old one of its name was removed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    _write(path, content)

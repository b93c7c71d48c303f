# SPDX-License-Identifier: Apache-2.0
"""Policy file, reloaded on change.

Each call runs ``stat`` on the files and reloads them if one has changed. One
caller reads; the others keep using the last valid policy, and wait only if
there is none. If the new file is invalid, the last valid policy stays in
force.
"""

import contextlib
import dataclasses
import datetime
import json
import os
import threading
from collections.abc import Iterator
from typing import Any

from nova_vhard.common import files, source, state
from nova_vhard.common.log import get_logger
from nova_vhard.common.problems import MESSAGE_LIMIT, PolicyError, Problem
from nova_vhard.common.text import clean
from nova_vhard.policy import assemble, document, release
from nova_vhard.policy.model import Policy

LOG = get_logger(__name__)

#: Suffix of the file that disables the policy.
DISABLED = ".disabled"

#: Suffix of the file next to the copy that says what a service runs.
RUNS = ".runs"

#: Warn about an exemption this long before it ends.
NOTICE = datetime.timedelta(days=14)


class PolicyUnavailable(Exception):
    """Raised if no valid policy has ever been loaded."""


def today() -> datetime.date:
    """Return the current day in UTC, which exemptions are compared with."""
    # UTC: the services of a cloud may run in several time zones, and an
    # exemption must end on all of them at once.
    return datetime.datetime.now(datetime.UTC).date()


def ending(policy: Policy, day: datetime.date) -> Iterator[tuple[int, str]]:
    """Yield a warning for each exemption that has ended or ends soon.

    :param day: the current day (UTC)
    :returns: pairs of the exemption's index in the policy, and the warning
    """
    for index, exemption in enumerate(policy.exemptions):
        name = clean(exemption.id)
        if exemption.until < day:
            yield (
                index,
                f"Exemption {name} ended on {exemption.until} and no longer "
                "applies.",
            )
        elif exemption.until - day <= NOTICE:
            text = f"Exemption {name} ends on {exemption.until}."
            yield index, f"{text} Renew or remove it."


def disabled(path: str) -> bool:
    """Return True if a file next to the policy file disables it.

    Its name is the policy file's name plus ``.disabled``. Its content is not
    read. If the file cannot be accessed, the policy stays in force.
    """
    # A file and not an option: it needs no valid YAML, no restart and no
    # message bus.
    return os.path.exists(path + DISABLED)


def _write(path: str, content: dict[str, Any]) -> Exception | None:
    """Replace a state file; return the error if it cannot be written."""
    failure: Exception | None = None
    for _ in range(2):
        try:
            os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
            # In one step: workers of a service write the same file, and
            # another reads it.
            files.replace(path, json.dumps(content))
            return None
        except (OSError, ValueError) as error:
            failure = error
        # Delete the old file: after a restart an old copy could allow
        # requests that this policy refuses. This can also free space on a
        # full disk for the new file.
        with contextlib.suppress(OSError, ValueError):
            os.unlink(path)
    return failure


class PolicyFile:
    """A policy file that is reloaded on change.

    :param path: path of the file
    :param state: path of the copy of the last valid policy; None for no copy
    :ivar error: the error in the current file; None if the file is valid
    """

    def __init__(self, path: str, state: str | None = None) -> None:
        # Do not read anything yet: the service forks after this.
        self.path = path
        self.error: PolicyError | None = None
        self._state = state
        self._reading = threading.Lock()
        # An empty stamp equals no real one, so that the first call reads.
        self._stamps: dict[str, document.Stamp] = {os.path.abspath(path): ()}
        self._policy: Policy | None = None
        self._disabled = False
        self._kept = True
        self._noticed: datetime.date | None = None
        self._runs: dict[str, Any] = {}

    def current(self) -> Policy:
        """Return the policy in force.

        If it is disabled (see ``disabled``), return the policy, or an empty
        one if there is none, with ``enabled: false``.

        :raises PolicyUnavailable: if no valid policy has ever been loaded
        """
        # At each call: an operator who breaks the glass cannot wait.
        off = disabled(self.path)
        before, self._disabled = self._disabled, off
        if off != before:
            what = "exists. Nothing is refused" if off else "is gone"
            LOG.warning("%s%s %s.", self.path, DISABLED, what)
        # Without a policy, wait until another thread has read the file. With
        # one, a slow disk must not block all threads of the service.
        wait = self._policy is None
        if self._has_changed() and self._reading.acquire(blocking=wait):
            try:
                # Again, with the lock: another thread may have read it while
                # this one waited.
                if self._has_changed():
                    reading = document.Reading(self.path)
                    if reading.policy is None:
                        self._fail(reading)
                    else:
                        self._accept(reading)
                        self._keep(reading.data)
                    self._tell()
                    # Set this last: callers with current stamps do not wait.
                    self._stamps = reading.stamps
            finally:
                self._reading.release()
        # Read once: another thread may replace it between two uses.
        policy = self._policy
        # Once a day and after each reload. A day that two threads both notice
        # is logged twice, which does no harm.
        if policy is not None and self._noticed != today():
            self._noticed = today()
            for _, text in ending(policy, self._noticed):
                LOG.warning("%s", text)
        if off:
            # Break glass also works where there never was a valid policy.
            empty = policy or assemble.policy({}, [])
            return dataclasses.replace(empty, enabled=False)
        if policy is None:
            raise PolicyUnavailable(str(self.error))
        return policy

    def runs(self) -> dict[str, Any]:
        """Reload the file if it changed; return what this process runs.

        :returns: path of the ``file``, ``release`` of the package, digest of
            the ``policy`` (None without one), why the file is ``refused``
            (None if it is not), and the time ``since`` which all of this
            applies; empty before the first reading
        """
        with contextlib.suppress(PolicyUnavailable):
            self.current()
        return self._runs

    def _has_changed(self) -> bool:
        # A local name: a reload replaces the dictionary, and does not change
        # it.
        stamps = self._stamps
        return any(document.stamp(path) != stamps[path] for path in stamps)

    def _accept(self, reading: document.Reading) -> None:
        before, self._policy = self._policy, reading.good()
        policy = self._policy
        self.error = self._noticed = None
        # Log nothing for a file that was only touched, or whose comments
        # changed.
        if before is not None and before.digest == policy.digest:
            return
        if reading.warnings:
            LOG.warning("%s", PolicyError(reading.warnings))
        if policy.enabled:
            LOG.info("Policy %s of %s is in force.", policy.digest, self.path)
        else:
            LOG.warning(
                "%s says enabled: false. Nothing is refused.", self.path
            )

    def _fail(self, reading: document.Reading) -> None:
        error = PolicyError(reading.problems)
        # One record for one error, not one for each worker's call or each
        # touch.
        known = str(self.error) == str(error)
        self.error = error
        kept = "there is no last valid policy"
        outdated: list[Problem] = []
        try:
            # A copy that this process could not write is older than what it
            # holds.
            if self._kept:
                # The workers of a service share the copy. Another worker may
                # have saved a newer valid policy.
                restored = self._restore() or (self._policy, [])
                self._policy, outdated = restored
        except OSError as failure:
            kept = f"the last valid policy cannot be read: {failure}"
            # Read both again at the next call, as if the file had changed.
            if self._policy is None:
                reading.stamps = dict.fromkeys(reading.stamps, ())
        if known:
            return
        if self._policy:
            kept = (
                f"the last valid policy, {self._policy.digest}, stays in force"
            )
        # Log a traceback if the cause is a bug in nova-vhard.
        LOG.error(
            "Policy cannot be used, %s: %s",
            kept,
            error,
            exc_info=reading.cause,
        )
        if outdated:
            LOG.error(
                "The last valid policy stays in force. As a file, this "
                "version rejects it: %s",
                PolicyError(outdated),
            )

    def _keep(self, data: dict[str, Any]) -> None:
        """Save a copy of the last valid policy, for a restart."""
        if self._state is None:
            return
        before = self._kept
        # ``restore`` asks whether the copy is of a newer version.
        version = str(release.RUNNING or 0)
        content = {"path": self.path, "data": data, "version": version}
        failure = _write(self._state, content)
        self._kept = failure is None
        if before and failure:
            LOG.warning(
                "The last valid policy is kept in memory only: %s", failure
            )

    def _tell(self) -> None:
        """Write what this process runs next to the copy, if it is new."""
        policy, error = self._policy, self.error
        runs = {
            "file": self.path,
            "release": str(release.INSTALLED),
            "policy": policy and policy.digest,
            "refused": error and str(error),
        }
        # A proper subset: ``since`` is the one key more, and must not change
        # if nothing else has.
        if runs.items() < self._runs.items():
            return
        now = datetime.datetime.now(datetime.UTC)
        self._runs = {**runs, "since": now.isoformat(timespec="seconds")}
        if self._state is None:
            return
        path = self._state + RUNS
        with contextlib.suppress(OSError, ValueError):
            before = state.read(path, dict) or {}
            if runs.items() < before.items():
                # Another worker, or this one before a restart, was earlier.
                self._runs = before
                return
        # An error does not matter here: this file tells an operator what runs,
        # and nothing is decided by it.
        _write(path, self._runs)

    def _restore(self) -> tuple[Policy, list[Problem]] | None:
        """Return the policy in the saved copy, or None if it is unusable.

        :returns: with the errors that this version finds in it
        :raises OSError: if there is a copy and it cannot be read
        """
        if self._state is None:
            return None
        try:
            # A copy contains several files, and JSON is larger than YAML.
            return state.read(
                self._state,
                lambda kept: (
                    document.restore(
                        kept["data"],
                        str(self._state),
                        # the first copies have no version
                        kept.get("version", "0"),
                    )
                    # Of another policy file, if policy_file was changed since.
                    if kept["path"] == self.path
                    else None
                ),
                16 * source.MAX_LIMIT,
            )
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - a copy without a use
            # Keep it for the operator: it is the only trace of the policy that
            # was in force.
            state.set_aside(self._state)
            self._kept = False
            LOG.error(
                "The copy of the last valid policy cannot be used: %s: %s",
                type(error).__name__,
                clean(error, MESSAGE_LIMIT),
            )
            return None

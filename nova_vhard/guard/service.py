# SPDX-License-Identifier: Apache-2.0
"""The guard's daemon: answers the hook, watches the guests that run."""

import contextlib
import datetime
import fcntl
import os
import pwd
import socket
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nova_vhard.catalogue.domain_devices import FILES
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.guard import posture, server
from nova_vhard.guard.answers import SHOWN, Answers
from nova_vhard.guard.judge import Judge, mode_on_host
from nova_vhard.guard.memory import Memory
from nova_vhard.guard.metrics import Metrics
from nova_vhard.guard.watcher import Watcher
from nova_vhard.host.libvirt import guard_proof
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable

if TYPE_CHECKING:
    from nova_vhard.policy.notify import Sender

LOG = get_logger(__name__)

SOCKET = "guard.sock"
#: The last valid policy, in the state folder.
POLICY = "policy.json"
# Maximum seconds until a changed policy applies and the devices of guests are
# written to disk.
_LOOK = 1.0


def socket_path(options: Any) -> str:
    """Return where the hook asks."""
    return os.path.join(options.run_dir, SOCKET)


class Guard:
    """The daemon of one host.

    :param options: group ``vhard_guard``
    :param listeners: sockets that the service manager holds; without any it
        makes its own
    :param sender: of notifications; None where they are off
    :raises ValueError: for a user that this host does not know, if there
        can be no socket or state, or if another daemon has these
    """

    def __init__(
        self,
        options: Any,
        runtime: Runtime | None = None,
        listeners: Sequence[socket.socket] = (),
        sender: "Sender | None" = None,
    ) -> None:
        """Read what is remembered; nobody is answered yet."""
        self._options = options
        self._runtime = runtime or Runtime()
        self._due = 0.0
        with _place(options, "state_path"):
            os.makedirs(options.state_path, 0o700, exist_ok=True)
        with _place(options, "run_dir"):
            os.makedirs(options.run_dir, 0o755, exist_ok=True)
        self._file = PolicyFile(
            options.policy_file, os.path.join(options.state_path, POLICY)
        )
        if sender:
            sender.runs = self._file.runs
        self.metrics = Metrics()
        self.memory = Memory(options.state_path)
        judge = Judge(
            self.memory,
            lambda hours: posture.passed(
                options.report_file,
                hours,
                datetime.datetime.now(datetime.UTC),
            ),
            sender.decided if sender else None,
            {option: getattr(options, option) for option in FILES},
        )
        self.answers = Answers(
            self._file, judge, self.metrics, options.state_path, self._status
        )
        self.watcher = Watcher(
            options, self.answers.policy, judge, self.metrics
        )
        try:
            user = pwd.getpwnam(options.libvirt_user).pw_uid
        except KeyError:
            raise ValueError(
                "[vhard_guard] libvirt_user: there is no user "
                f"{options.libvirt_user}"
            ) from None
        users = frozenset((0, user, os.geteuid()))
        with contextlib.ExitStack() as held, _place(options, "run_dir"):
            # The folders are locked themselves: that leaves nothing behind,
            # and works where one is full or cannot be written. A second daemon
            # would take the socket away, and forget the guests of the first.
            names = {
                os.path.realpath(getattr(options, name)): name
                for name in ("state_path", "run_dir")
            }
            for path, name in names.items():
                try:
                    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
                    held.callback(os.close, handle)
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    where = f"[vhard_guard] {name}: {path}"
                    text = "another nova-vhard-guard uses it: stop that one"
                    raise ValueError(f"{where}: {text}") from error
                except OSError as error:
                    LOG.warning("%s cannot be locked: %s", path, error)
            listener = next(iter(listeners), None)
            listener = listener or server.listen(socket_path(options))
            self._held = held.pop_all()
        self._server = server.Server(
            listener, self.answers, users, options.threads
        )

    def stop(self) -> None:
        """End ``run`` before its next round."""
        self._runtime.stop()

    def run(self) -> None:
        """Guard until it is told to stop."""
        # A signal ends neither the start nor the end halfway.
        with self._runtime.interrupts.installed():
            self.answers.refresh()
            self._server.start()
            self.watcher.start()
            self._runtime.run(self, self.again)
            self._server.stop()
            self.watcher.stop()
            self.memory.save()
            with contextlib.suppress(OSError):
                os.unlink(
                    os.path.join(self._options.run_dir, guard_proof.FILE)
                )
            self._held.close()

    def again(self) -> "Guard":
        """Make a round due, which is what SIGHUP is for."""
        self._due = 0.0
        return self

    def round(self) -> float:
        """Look at the policy, save the memory; once an interval write metrics.

        :returns: seconds until the next look
        """
        self.answers.refresh()
        self.memory.save()
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._options.interval
            self._runtime.notifier.status(self._summary())
        return _LOOK

    def _summary(self) -> str:
        """Write metrics; return the guard's state in one line."""
        try:
            policy = self.answers.policy()
            text = f"policy {policy.digest}, mode {mode_on_host(policy)}"
        except PolicyUnavailable as error:
            text = f"no policy: {error}"
        self.metrics.usable = self._file.error is None
        self.metrics.guests = len(self.memory)
        self.metrics.rejected = self._server.rejected
        if self._options.textfile_directory:
            try:
                self.metrics.write(self._options.textfile_directory)
            except OSError as error:
                LOG.error("Metrics are not written: %s", error)
        return f"{text}, {len(self.memory)} guests known"

    def _status(self) -> dict[str, Any]:
        return {
            "adopted": self.memory.adopted,
            "not_kept": clean(
                self.memory.trouble or self.answers.trouble, SHOWN
            ),
            "libvirt": self.metrics.connected,
        }


@contextlib.contextmanager
def _place(options: Any, name: str) -> Iterator[None]:
    """Name the option whose folder cannot be used.

    :raises ValueError: in place of an OSError
    """
    try:
        yield
    except OSError as error:
        where = f"[vhard_guard] {name}: {getattr(options, name)}"
        fix = "specify a folder that this user can create or write to"
        raise ValueError(
            f"{where}: {error.strerror or error}: {fix}"
        ) from error

# SPDX-License-Identifier: Apache-2.0
"""The guard's socket: many questions at once, by a few threads.

Each thread takes a connection from the listening socket, answers and takes
the next. What the threads cannot take yet waits in the kernel's queue, also
while the daemon is started again where systemd holds the socket.
"""

import contextlib
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable

from nova_vhard.common.log import get_logger
from nova_vhard.guard import wire
from nova_vhard.guard.wire import Answer, Request

LOG = get_logger(__name__)

#: Connections that wait in the kernel.
BACKLOG = 1024

#: Seconds for a request to arrive, and for its answer to be taken.
_RECEIVE, _SEND = 1.2, 0.5
# Seconds that a stop waits for an answer that is being made, and a thread
# after a connection that could not be taken.
_STOP, _PAUSE = 3.0, 0.2

_CREDENTIALS = struct.Struct("3i")


def listen(path: str) -> socket.socket:
    """Return a listening socket in place of what an earlier daemon left.

    :raises OSError: if there can be none
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        mask = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(mask)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


class Server:
    """Answers who may ask; closes on everybody else.

    :param listener: a listening UNIX socket; closed by ``stop``
    :param answer: makes the answer to a request; called by several threads
    :param users: user ids that may ask
    :param threads: how many requests are answered at once
    :ivar rejected: number of connections that were closed unanswered
    """

    def __init__(
        self,
        listener: socket.socket,
        answer: Callable[[Request], Answer],
        users: frozenset[int],
        threads: int = 8,
    ) -> None:
        self.rejected = 0
        self._listener = listener
        self._answer = answer
        self._users = users
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC)
        self._threads = [
            threading.Thread(target=self._serve, name=f"answers-{i}")
            for i in range(threads)
        ]

    def start(self) -> None:
        """Answer from now on."""
        self._listener.setblocking(False)
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def stop(self) -> None:
        """End what is being answered, and take nothing more."""
        os.close(self._wake)
        for thread in self._threads:
            thread.join(_STOP)
        self._listener.close()
        os.close(self._woken)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self._listener, selectors.EVENT_READ)
            ready.register(self._woken, selectors.EVENT_READ)
            while True:
                files = {key.fileobj for key, _ in ready.select()}
                if self._woken in files:
                    return
                self._take()

    def _take(self) -> None:
        """Answer one connection, if no other thread has taken it."""
        try:
            peer, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            LOG.error("Cannot accept a connection: %s", error)
            time.sleep(_PAUSE)
            return
        try:
            with peer:
                # The kernel says who asks.
                data = peer.getsockopt(
                    socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
                )
                user = int(_CREDENTIALS.unpack(data)[1])
                if user not in self._users:
                    raise PermissionError(f"user {user} may not ask")
                answer = self._answer(wire.receive(peer, _RECEIVE))
                peer.settimeout(_SEND)
                peer.sendall(answer.encoded())
        except (OSError, wire.BadRequest) as error:
            self.rejected += 1
            LOG.warning("A client got no answer: %s", error)
        except Exception:
            self.rejected += 1
            LOG.exception("A client got no answer")

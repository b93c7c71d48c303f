# SPDX-License-Identifier: Apache-2.0
"""Notifications of decisions on the message bus, sent by a thread.

Loaded only if ``notifications`` is on. A request puts its event into a
bounded queue and does not wait; a thread of its process sends it to the bus.
The thread starts with the first event, so after every fork. While the bus is
down the thread waits, the queue fills, and events that do not fit are dropped
and counted. Nothing waits for the thread when the service stops.

oslo.messaging is imported with this module, not by the thread: it may import
eventlet, which for a while replaces ``threading``, ``socket`` and others with
its own modules, and any other thread would import those.
"""

import json
import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import oslo_messaging

from nova_vhard.common.log import CapturedErrors, ThrottledLog, get_logger
from nova_vhard.common.text import line

LOG = get_logger(__name__)

#: Event types.
DECISION = "vhard.decision"
POLICY = "vhard.policy"
#: What nova-vhard-exporter sends to itself.
HEARTBEAT = "vhard.heartbeat"

#: Version of the payloads. The first number changes if a reader of the older
#: version would misread them; additions change the second.
VERSION = "1.0"

#: Events that wait in a process. Each is smaller than a record of a log.
QUEUE_SIZE = 1000

#: Seconds after a failure until the next try, at first and at most.
_PAUSE = 1.0
_LONGEST_PAUSE = 30.0

#: Seconds between two notifications of what a process runs. The file is read
#: again for each, so that an idle service is not the last to know.
BEAT = 20.0

_FAULT_LIMIT = 1024

#: Where oslo.messaging logs what it does not raise: for each notification, and
#: with all of it inside.
LOGGERS = (
    "oslo_messaging.notify.messaging",
    "oslo_messaging.notify.notifier",
)


def sender(
    conf: Any,
    service: str,
    topic: str,
    runs: Callable[[], dict[str, Any]] = dict,
) -> "Sender":
    """Return the sender of a service, the same one for all of its gates.

    A thread and a connection never end: some gates are made again and again.

    :param conf: as a Sender takes it
    """
    # A sender keeps its conf, so that nothing else gets its id.
    key = (id(conf), service, topic)
    # setdefault is atomic: of two threads one Sender is thrown away, and it
    # has begun neither a thread nor a connection.
    return _SENDERS.get(key) or _SENDERS.setdefault(
        key, Sender(conf, service, topic, runs=runs)
    )


class Sender:
    """Sends notifications of one service, from any of its processes.

    :param conf: the service's configuration (oslo.config); the bus is that
        of its own notifications
    :param service: first part of the publisher id
    :param topic: of the notifications
    :param size: number of events that may wait in a process
    :ivar runs: returns what the process runs (``PolicyFile.runs``)
    """

    def __init__(
        self,
        conf: Any,
        service: str,
        topic: str,
        size: int = QUEUE_SIZE,
        runs: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """Begin nothing yet: processes are forked after this."""
        self._conf = conf
        self._service = service
        self._topic = topic
        self._size = size
        self.runs = runs
        self._workers: dict[int, _Worker] = {}

    def decided(self, event: str) -> None:
        """Send a decision event.

        :param event: a JSON object
        """
        # Hand it to the thread of this process; never wait.
        # By pid: uwsgi and oslo.service fork after the gate is made. A child
        # has the parent's queue and lock, but not its thread.
        pid = os.getpid()
        worker = self._workers.get(pid) or self._fresh(pid)
        worker.put((DECISION, event))

    def _fresh(self, pid: int) -> "_Worker":
        """Return the worker of a process that has sent nothing yet.

        It takes no lock, because another thread may have held the lock at the
        fork. Threads that call this at the same time get the same worker.
        """
        # The parent's worker in a child: drop it with the events in it, which
        # the parent sends itself.
        for other in [*self._workers]:
            if other != pid:
                self._workers.pop(other, None)
        fresh = _Worker(self._connect, self._size, self.runs)
        return self._workers.setdefault(pid, fresh)

    def _connect(self) -> oslo_messaging.Notifier:
        """Return a notifier on the bus of the service's notifications.

        :raises Exception: of oslo.messaging's, for a wrong configuration
        """
        host = getattr(self._conf, "host", None) or socket.gethostname()
        transport = oslo_messaging.get_notification_transport(self._conf)
        return oslo_messaging.Notifier(
            transport,
            publisher_id=f"{self._service}:{host}",
            driver="messagingv2",
            topics=[self._topic],
            # Without end: a notification that waits blocks this thread alone,
            # and the queue in front of it is bounded.
            retry=-1,
        )


_SENDERS: dict[tuple[int, str, str], Sender] = {}


class _Worker:
    """The queue and the thread of one process.

    :param connect: returns a notifier; called by the thread
    :param size: of the queue
    :param runs: returns what the process runs; empty if that is not known
    """

    def __init__(
        self,
        connect: Callable[[], oslo_messaging.Notifier],
        size: int,
        runs: Callable[[], dict[str, Any]],
    ) -> None:
        self._connect = connect
        self._runs = runs
        self._queue: queue.Queue[tuple[str, str]] = queue.Queue(size)
        self._lock = threading.Lock()
        self._begun = False
        #: Since the last notification that was sent, and ever.
        self._dropped = 0
        self._total = 0
        self._away = ThrottledLog(LOG)

    def put(self, item: tuple[str, str]) -> None:
        """Take an item, or drop it; raise nothing."""
        try:
            # Never ``put``: a request must not wait for the bus.
            self._queue.put_nowait(item)
            with self._lock:
                # Not in __init__, which may run before a fork.
                if not self._begun:
                    # If there can be no thread, the next item tries again.
                    threading.Thread(
                        target=self._run,
                        name="vhard-notifications",
                        # The service must be able to stop while the bus is
                        # away.
                        daemon=True,
                    ).start()
                    self._begun = True
        except queue.Full:
            with self._lock:
                self._dropped += 1
                self._total += 1
            self._complain(f"{self._queue.maxsize} wait for it")
        except Exception as error:  # noqa: BLE001 - no request fails by this
            self._complain(error)

    def _complain(self, reason: object) -> None:
        self._away.say(
            "Notifications cannot be sent to the message bus; this process "
            "has dropped %d so far (the log has all decisions): %s",
            self._total,
            line(reason, _FAULT_LIMIT),
        )

    def _run(self) -> None:
        """Send what is in the queue; without end, and in order."""
        failures = CapturedErrors(LOGGERS)
        notifier: oslo_messaging.Notifier | None = None
        beat = 0.0
        while True:
            try:
                wait = max(0.0, beat - time.monotonic())
                event_type, payload = self._queue.get(timeout=wait)
            except queue.Empty:
                # From now, not from the last beat: after a long outage there
                # must not be one beat for each that was missed.
                beat = time.monotonic() + BEAT
                runs = self._runs()
                if not runs:
                    continue
                refused = runs["refused"] and line(
                    runs["refused"], _FAULT_LIMIT
                )
                own = {"refused": refused, "process": os.getpid()}
                event_type, payload = POLICY, json.dumps(runs | own)
            with self._lock:
                # How many were dropped since the last one was taken.
                # Under the lock, so that each lost event is counted in exactly
                # one payload.
                dropped, self._dropped = self._dropped, 0
            about = {"version": VERSION, "dropped": dropped}
            pause = _PAUSE
            # The same item until it is sent: events of one process stay in
            # order.
            while True:
                try:
                    notifier = notifier or self._connect()
                    # If the bus has gone, this waits for it.
                    # An empty context: that of the request holds a token,
                    # which belongs on no bus.
                    notifier.info({}, event_type, json.loads(payload) | about)
                    # It was not sent, as where the bus was never there.
                    if error := failures.take():
                        raise error
                    # Under load it may be too slow again at once.
                    if self._queue.empty():
                        self._away.over(
                            "Notifications are sent to the message bus "
                            "again; this process has dropped %d so far "
                            "(the log has all decisions)",
                            self._total,
                        )
                    break
                except Exception as error:  # noqa: BLE001 - it may work later
                    self._complain(f"{type(error).__name__}: {error}")
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)

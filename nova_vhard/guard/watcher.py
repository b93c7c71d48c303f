# SPDX-License-Identifier: Apache-2.0
"""The guard beside libvirt: running guests, deleted guests, proofs.

libvirt calls no hook when a running guest changes, and some changes cause no
event: external snapshots, changed media. So every running guest is read again
every few seconds. After an event, only the guest that caused it is read at
once, so that a guest with many events does not cause reads of the others.

The watcher has its own thread, because libvirt may not answer for a long time,
for example while it starts its guests. Answers to the hook do not need it.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from nova_vhard.common.log import ThrottledLog, get_logger
from nova_vhard.guard import probe
from nova_vhard.guard.hot_plug import HotPlug
from nova_vhard.guard.judge import Judge, mode_on_host
from nova_vhard.guard.libvirtd import (
    Connection,
    GuestGone,
    LibvirtError,
)
from nova_vhard.guard.metrics import Metrics
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import ATTACH
from nova_vhard.policy.watch import PolicyUnavailable

LOG = get_logger(__name__)

# Seconds between two tries to reach libvirt, and for a thread to end.
_RETRY, _STOP = 5.0, 2.0
# Seconds between two rounds of all guests, and of every round at least.
_ROUND, _PAUSE = 5.0, 0.2
_DISABLED = "disabled"
_POLICY = "policy"


class Watcher:
    """Watches the guests that run.

    :param options: group ``vhard_guard``
    :param policy: returns the policy that holds, or raises PolicyUnavailable
    :param connect: connects to libvirt
    """

    def __init__(
        self,
        options: Any,
        policy: Callable[[], Policy],
        judge: Judge,
        metrics: Metrics,
        connect: Callable[[str], Connection] = Connection,
    ) -> None:
        self._options = options
        self._policy = policy
        self._judge = judge
        self._metrics = metrics
        self._connect = connect
        self._hot_plug = HotPlug(judge, metrics)
        # Uuids of guests that had events.
        self._told: set[str] = set()
        self._wake = threading.Event()
        # Guests of which libvirt does not say what they have.
        self._unread: set[str] = set()
        self._proven_mode = ""
        self._stopping = threading.Event()
        self._troubles = ThrottledLog(LOG, logging.ERROR)
        self._thread = threading.Thread(
            target=self._run, name="watcher", daemon=True
        )

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End, unless libvirt does not let go."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(_STOP)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._watch()
            except Exception as error:  # noqa: BLE001 - it tries again
                self._troubles.say(
                    "Running guests are not watched: %s",
                    error,
                    exc_info=not isinstance(error, LibvirtError),
                )
            self._metrics.connected = False
            self._stopping.wait(_RETRY)

    def _watch(self) -> None:
        """Watch until the connection is lost.

        :raises LibvirtError: when it is
        """
        opened = self._connect(self._options.libvirt_uri)
        with contextlib.closing(opened) as connection:
            connection.on_change(self._tell)
            self._metrics.connected = True
            proof_due = round_due = 0.0
            while not self._stopping.is_set() and connection.alive:
                self._wake.clear()
                # libvirt's thread goes on adding to it.
                told = {self._told.pop() for _ in range(len(self._told))}
                if time.monotonic() < round_due:
                    self.look_at_all(connection, told)
                else:
                    self.look_at_all(connection)
                    round_due = time.monotonic() + _ROUND
                now = time.monotonic()
                if now >= proof_due or self._mode() != self._proven_mode:
                    guarded = self.prove(connection).guarded
                    # Soon, while there is none.
                    proof_due = now + float(
                        self._options.probe_interval
                        if guarded
                        else self._options.interval
                    )
                self._troubles.over("Running guests are watched")
                self._wake.wait(max(0.0, round_due - now))
                # Events come in bursts: one round is for all of them.
                self._stopping.wait(_PAUSE)

    def _tell(self, uuid: str) -> None:
        self._told.add(uuid)
        self._wake.set()

    def look_at_all(
        self, connection: Connection, told: Collection[str] | None = None
    ) -> None:
        """Judge every guest that runs and has changed since the last round.

        All guests are adopted if need be.

        :param told: uuids of the guests to read; by default all
        :raises LibvirtError: if libvirt does not answer
        """
        guests = connection.guests()
        self._judge.forget_absent(guests)
        self._unread &= guests.keys()
        try:
            policy = self._policy()
        except PolicyUnavailable as error:
            self._troubles.say(
                "Running guests are not judged, no policy: %s",
                error,
                key=_POLICY,
            )
            return
        self._troubles.over("Running guests are judged", key=_POLICY)
        memory = self._judge.memory
        for uuid, runs in guests.items():
            wanted = told is None or uuid in told
            if wanted and (runs or not memory.adopted):
                self._look_at(connection, policy, uuid)
        # Until each has been read nobody knows who is new.
        if told is None and not (memory.adopted or self._unread):
            memory.adopt()
            LOG.warning(
                "%d guests count as started before the guard", len(memory)
            )

    def _look_at(
        self, connection: Connection, policy: Policy, uuid: str
    ) -> None:
        """Judge a guest if it has changed, or note that it cannot be done.

        :raises LibvirtError: if the connection is lost
        """
        self._unread.discard(uuid)
        try:
            self._judge_change(connection, policy, uuid)
        except GuestGone:
            return
        except LibvirtError as error:
            if not connection.alive:
                raise
            self._unread.add(uuid)
            self._troubles.say(
                "Guest %s is not judged yet: %s", uuid, error, key=uuid
            )
        except Exception:  # noqa: BLE001 - the others are looked at
            # Not waited for: a guest that makes the judge fail would keep a
            # new guard from ever refusing anything.
            self._troubles.say(
                "Guest %s could not be judged", uuid, key=uuid, exc_info=True
            )
            self._metrics.decided(ATTACH, "error")
        else:
            self._troubles.over("Guest %s can be judged", uuid, key=uuid)

    def _judge_change(
        self, connection: Connection, policy: Policy, uuid: str
    ) -> None:
        xml = connection.xml(uuid)
        before, memory = self._judge.before(uuid), self._judge.memory
        if xml == before and (
            memory.adopted or memory.choices(uuid) is not None
        ):
            return
        judgement = self._judge.judge(policy, xml, ATTACH)
        self._judge.keep(uuid, xml)
        if judgement.written:
            self._metrics.decided(ATTACH, judgement.verdict.outcome)
        if before is not None:
            self._hot_plug.changed(connection, policy, before, xml, judgement)

    def prove(self, connection: Connection) -> probe.Proof:
        """Probe the guard and leave what comes of it.

        :raises LibvirtError: if libvirt does not answer
        """
        proof = probe.prove(connection.capabilities(), connection.start)
        if proof.guarded != self._metrics.guarded:
            level = logging.INFO if proof.guarded else logging.ERROR
            word = "in force" if proof.guarded else "not in force"
            LOG.log(level, "The guard is %s: %s", word, proof.reason)
        self._metrics.guarded = proof.guarded
        self._metrics.proven = time.time()
        self._proven_mode = mode = self._mode()
        valid = 3.0 * self._options.probe_interval
        try:
            probe.leave(self._options.run_dir, proof, mode, valid)
        except OSError as error:
            LOG.error(
                "The check guard_in_force finds no probe result: %s", error
            )
        return proof

    def _mode(self) -> str:
        """Return what the guard does, in a word.

        Until all guests have been taken in, each counts as there before.
        """
        try:
            policy = self._policy()
        except PolicyUnavailable:
            return _DISABLED
        refuses = policy.enabled and self._judge.memory.adopted
        return str(mode_on_host(policy)) if refuses else _DISABLED

# SPDX-License-Identifier: Apache-2.0
"""The guard beside libvirt: hot plugs, deleted guests, proofs.

One thread of its own, since libvirt may not answer for long, as while it
starts its guests. The hook is answered without it.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from nova_vhard.common.log import get_logger
from nova_vhard.node.guard import probe
from nova_vhard.node.guard.hot_plug import HotPlug
from nova_vhard.node.guard.judge import Judge
from nova_vhard.node.guard.libvirtd import (
    Connection,
    GuestGone,
    LibvirtError,
)
from nova_vhard.node.guard.metrics import Metrics
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import ATTACH
from nova_vhard.policy.watch import PolicyUnavailable

LOG = get_logger(__name__)

#: Devices of which libvirt has told and that are not judged yet.
MOST = 4096

# Seconds between two tries to reach libvirt, and for a thread to end.
_RETRY, _STOP = 5.0, 2.0
_DISABLED = "disabled"


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
        self._added: queue.Queue[tuple[str, str] | None] = queue.Queue(MOST)
        self._overrun = False
        # Whether guests wait for a policy to be judged by.
        self._unjudged = False
        # Guests of which libvirt does not say what they have.
        self._unread: set[str] = set()
        self._proven_mode = ""
        self._stopping = threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(
            target=self._run, name="watcher", daemon=True
        )

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End, unless libvirt does not let go."""
        self._stopping.set()
        self.heard(None)
        self._thread.join(_STOP)

    def heard(self, device: tuple[str, str] | None) -> None:
        """Take note of a device; called by libvirt's own thread.

        :param device: a guest's uuid and the device's alias
        """
        try:
            self._added.put_nowait(device)
        except queue.Full:
            self._overrun = True

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._watch()
            except LibvirtError as error:
                if str(error) != self._trouble:
                    LOG.error("Running guests are not watched: %s", error)
                self._trouble = str(error)
            except Exception:
                LOG.exception("Running guests are not watched")
            self._metrics.connected = False
            self._stopping.wait(_RETRY)

    def _watch(self) -> None:
        """Watch until the connection is lost.

        :raises LibvirtError: when it is
        """
        connection = self._connect(self._options.libvirt_uri)
        try:
            connection.on_device(lambda *device: self.heard(device))
            self._metrics.connected = True
            self._trouble = ""
            self.look_at_all(connection)
            due = proof_due = 0.0
            while not self._stopping.is_set() and connection.alive:
                now = time.monotonic()
                if self._unjudged and self._has_policy():
                    self.look_at_all(connection)
                if now >= proof_due or self._mode() != self._proven_mode:
                    proof = self.prove(connection)
                    proof_due = now + self._until_proof(proof.guarded)
                if now >= due:
                    due = now + self._options.interval
                    self._judge.memory.look_over(connection.guests())
                    self._look_again(connection)
                self._next(connection, min(due, proof_due) - now)
        finally:
            connection.close()

    def _until_proof(self, guarded: bool) -> float:
        """Return seconds to the next proof: soon, while there is none."""
        options = self._options
        return float(options.probe_interval if guarded else options.interval)

    def _next(self, connection: Connection, seconds: float) -> None:
        """Judge the next device, if one comes in time."""
        try:
            device = self._added.get(timeout=max(0.0, min(seconds, _RETRY)))
        except queue.Empty:
            device = None
        if self._overrun:
            self._overrun = False
            self.look_at_all(connection)
        if device is None:
            return
        try:
            policy = self._policy()
        except PolicyUnavailable as error:
            LOG.error("A hot plug is not judged, no policy: %s", error)
            return
        try:
            self._hot_plug.added(connection, policy, *device)
        except LibvirtError as error:
            if not connection.alive:
                # It is judged by the next connection.
                self.heard(device)
                raise
            self._note_unread(device[0], error)

    def look_at_all(self, connection: Connection) -> None:
        """Judge every guest that runs, and adopt all guests if need be.

        Nothing is taken from a guest here: it may have had it at its start.

        :raises LibvirtError: if libvirt does not answer
        """
        try:
            policy = self._policy()
        except PolicyUnavailable as error:
            LOG.error("Running guests are not judged, no policy: %s", error)
            self._unjudged = True
            return
        self._unjudged = False
        for uuid, runs in connection.guests().items():
            if runs or not self._judge.memory.adopted:
                self._look_at(connection, policy, uuid)
        self._adopt()

    def _adopt(self) -> None:
        """Note that all guests have been taken in, once they have been."""
        if not self._judge.memory.adopted and not self._unread:
            self._judge.memory.adopt()
            count = len(self._judge.memory)
            LOG.warning("%d guests count as there before the guard", count)

    def _look_again(self, connection: Connection) -> None:
        """Judge the guests of which libvirt did not say what they have.

        :raises LibvirtError: if libvirt does not answer at all
        """
        if self._unread and self._has_policy():
            for uuid in sorted(self._unread):
                self._look_at(connection, self._policy(), uuid)
            self._adopt()

    def _note_unread(self, uuid: str, error: LibvirtError) -> None:
        """Keep that a guest is to be judged later: others do not wait."""
        if uuid not in self._unread:
            LOG.error("Guest %s is not judged yet: %s", uuid, error)
        self._unread.add(uuid)

    def _look_at(
        self, connection: Connection, policy: Policy, uuid: str
    ) -> None:
        """Judge a guest, or note that it could not be read.

        :raises LibvirtError: if the connection is lost
        """
        try:
            xml = connection.xml(uuid)
        except GuestGone:
            self._unread.discard(uuid)
            return
        except LibvirtError as error:
            if not connection.alive:
                raise
            self._note_unread(uuid, error)
            return
        self._unread.discard(uuid)
        judgement = self._judge.judge(policy, xml, ATTACH)
        self._metrics.decided(ATTACH, judgement.verdict.outcome)

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
            LOG.error("The check guard_in_force sees no proof: %s", error)
        return proof

    def _has_policy(self) -> bool:
        try:
            self._policy()
        except PolicyUnavailable:
            return False
        return True

    def _mode(self) -> str:
        """Return what the guard does, in a word.

        Until all guests have been taken in, each counts as there before.
        """
        try:
            policy = self._policy()
        except PolicyUnavailable:
            return _DISABLED
        refuses = policy.enabled and self._judge.memory.adopted
        return str(policy.mode_on_host) if refuses else _DISABLED

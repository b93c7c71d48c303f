# SPDX-License-Identifier: Apache-2.0
"""Answers of the daemon at its socket, from local data only."""

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from nova_vhard.common import files
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean
from nova_vhard.guard import probe, wire
from nova_vhard.guard.judge import Judge, mode_on_host
from nova_vhard.guard.metrics import Metrics
from nova_vhard.guard.wire import Answer, Request, Word
from nova_vhard.policy.model import Mode, Policy, Unanswered
from nova_vhard.policy.subject import MOVE, START
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable

LOG = get_logger(__name__)

#: In the state folder while the policy says ``unanswered: refuse``: the hook
#: looks for it when no daemon answers.
REFUSE_FILE = "refuse-unanswered"

#: Characters of a text in what an operator is shown: two of them, of four
#: bytes each, fit into an answer.
SHOWN = 192

_ALLOW = Answer(Word.ALLOW)
_OPERATIONS = {wire.MIGRATE: MOVE, wire.PREPARE: START, wire.START: START}


class Answers:
    """Answers to requests; called by several threads.

    :param file: the policy, watched
    :param state_path: folder for what the hook does without an answer
    :param status: returns what an operator is shown, beside the policy
    :ivar trouble: why the file that tells the hook what to do without an
        answer could not be updated; empty if it is up to date
    """

    def __init__(
        self,
        file: PolicyFile,
        judge: Judge,
        metrics: Metrics,
        state_path: str,
        status: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._file = file
        self._judge = judge
        self._metrics = metrics
        self._refuse_file = os.path.join(state_path, REFUSE_FILE)
        self.trouble = ""
        self._unanswered: Unanswered | None = None
        self._policy: Policy | None = None
        self._reason = "it has not been read yet"
        self._status = status

    def refresh(self) -> None:
        """Read the policy again if it changed; let the hook know of it.

        To read a large one takes longer than a hook waits: it is done beside
        the answers.
        """
        try:
            policy = self._file.current()
        except PolicyUnavailable as error:
            self._reason = str(error)
            return
        wanted = policy.on_host.unanswered
        if not policy.enabled:
            wanted = Unanswered.ALLOW
        if wanted != self._unanswered:
            try:
                if wanted is Unanswered.REFUSE:
                    files.replace(self._refuse_file, "", 0o644)
                else:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self._refuse_file)
            except OSError as error:
                if str(error) != self.trouble:
                    LOG.error(
                        "The hook cannot be told on_host.unanswered: %s", error
                    )
                self.trouble = str(error)
            else:
                self._unanswered = wanted
                self.trouble = ""
        # Last: who is shown this policy may rely on what the hook is told.
        self._policy = policy

    def policy(self) -> Policy:
        """Return the policy that holds.

        :raises PolicyUnavailable: if there never was a good one
        """
        if self._policy is None:
            raise PolicyUnavailable(self._reason)
        return self._policy

    def __call__(self, request: Request) -> Answer:
        """Return the answer to a request."""
        if request.operation == wire.STATUS:
            shown = json.dumps(self._shown(), ensure_ascii=False)
            return Answer(Word.ALLOW, shown)
        if request.operation == wire.RESTORE:
            # It is judged at prepare and start, which follow: refused here,
            # libvirt would delete what was saved of the guest.
            self._metrics.decided(wire.RESTORE, "allow")
            return _ALLOW
        try:
            policy = self.policy()
        except PolicyUnavailable as error:
            return Answer(Word.UNANSWERED, f"there is no policy: {error}")
        if probe.is_probe(request.name):
            return Answer(Word.REFUSE, probe.answer(request.name))
        operation = _OPERATIONS[request.operation]
        early = request.operation == wire.PREPARE
        try:
            judgement = self._judge.judge(
                policy, request.xml, operation, early
            )
        except Exception:
            LOG.exception("A guest could not be judged: %s", request.name)
            self._metrics.decided(operation, "error")
            if policy.enabled and mode_on_host(policy) is Mode.ENFORCE:
                return Answer(
                    Word.REFUSE, "nova-vhard-guard failed; its log says why"
                )
            return _ALLOW
        if judgement.written:
            self._metrics.decided(operation, judgement.verdict.outcome)
        if not judgement.refused:
            return _ALLOW
        return Answer(
            Word.REFUSE,
            f"nova-vhard-guard: {judgement.text(wire.TEXT_LIMIT - 64)}",
        )

    def _shown(self) -> dict[str, Any]:
        """Return what the daemon works with."""
        shown: dict[str, Any] = {"policy": None}
        with contextlib.suppress(PolicyUnavailable):
            policy = self.policy()
            shown = {
                "policy": policy.digest,
                "enabled": policy.enabled,
                "mode": mode_on_host(policy),
                "hot_plug": policy.on_host.hot_plug,
                "unanswered": policy.on_host.unanswered,
            }
        error = self._file.error
        shown["fault"] = None if error is None else clean(error, SHOWN)
        return shown | {"guests": len(self._judge.memory)} | self._status()

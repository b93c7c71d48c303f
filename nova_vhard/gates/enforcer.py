# SPDX-License-Identifier: Apache-2.0
"""What every gate does alike: policy in, verdict out, event written."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oslo_config import cfg

from nova_vhard import conf as vhard_conf
from nova_vhard.common.log import get_logger
from nova_vhard.explain import messages
from nova_vhard.policy import events
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.policy.subject import Subject
from nova_vhard.policy.verdict import (
    Verdict,
    ViolationKey,
    evaluate,
    introduced_violations,
    soften,
    violated,
)
from nova_vhard.policy.watch import PolicyFile, today

if TYPE_CHECKING:
    from nova_vhard.policy import notify

LOG = get_logger(__name__)


@dataclass
class Event:
    """A judgement in the making."""

    verdict: Verdict = field(default_factory=Verdict)


def _done(verdict: Verdict, service: bool) -> str:
    if verdict.refusals:
        return "refuses"
    why = "a service makes it" if service else "mode warn"
    return f"lets pass ({why})"


def _sender(conf: cfg.ConfigOpts, service: str) -> "notify.Sender | None":
    """Return what sends notifications; None if they are switched off."""
    if not conf.vhard.notifications:
        return None
    from nova_vhard.policy import notify

    return notify.sender(conf, service, conf.vhard.notification_topic)


class PolicyEnforcer:
    """Applies the policy that holds to the requests of one gate.

    :param gate: name of the gate in events and logs
    :param service: name of the service, for the last good policy's file and
        for notifications
    :param conf: the service's configuration, parsed already
    """

    def __init__(
        self, gate: str, service: str, conf: cfg.ConfigOpts = cfg.CONF
    ) -> None:
        """Read no file yet: the first call to ``policy`` does."""
        vhard_conf.register(conf)
        self.gate = gate
        self._help_url = conf.vhard.help_url
        state = os.path.join(conf.vhard.state_path, f"policy-{service}.json")
        sender = _sender(conf, service)
        self._send = sender.decided if sender else None
        self._file = PolicyFile(
            conf.vhard.policy_file,
            state,
            conf.vhard.policy_max_size,
            sender.unusable if sender else None,
        )

    def policy(self) -> Policy:
        """Return the policy that holds now.

        :raises PolicyUnavailable: if there never was a good one
        """
        return self._file.current()

    def explanation(self, verdict: Verdict, subject: Subject) -> str:
        """Return the text of a refusal, for an answer of an API.

        :param verdict: one that refuses
        """
        return messages.api_message(verdict.refusals, subject, self._help_url)

    def judge(
        self,
        policy: Policy,
        request: HardwareRequest,
        subject: Subject,
        already: frozenset[ViolationKey] = frozenset(),
        service: bool = False,
    ) -> Verdict:
        """Judge a request and write its event.

        :param already: violations that the server had before
        :param service: whether a service makes it for a user: then it
            passes, and is marked in the log and in the event
        """
        with self.event(subject, service) as event:
            event.verdict = evaluate(
                policy, request, subject, today(), already
            )
            if service:
                event.verdict = soften(event.verdict, Mode.WARN)
        return event.verdict

    def judge_change(
        self,
        policy: Policy,
        before: HardwareRequest,
        after: HardwareRequest,
        touched: frozenset[str],
        subject: Subject,
    ) -> Verdict:
        """Judge what a change brings in, or keeps in what it touches."""
        with self.event(subject) as event:
            event.verdict = self.introduced(
                policy, before, after, touched, subject
            )
        return event.verdict

    def introduced(
        self,
        policy: Policy,
        before: HardwareRequest,
        after: HardwareRequest,
        touched: frozenset[str],
        subject: Subject,
    ) -> Verdict:
        """Return what ``judge_change`` does, and write no event."""
        day = today()
        return introduced_violations(
            evaluate(policy, after, subject, day),
            evaluate(policy, before, subject, day),
            touched,
        )

    def violated(
        self, policy: Policy, request: HardwareRequest, subject: Subject
    ) -> frozenset[ViolationKey]:
        """Return what a server that exists violates, without an event."""
        return violated(policy, [request], subject, today())

    @contextlib.contextmanager
    def event(
        self, subject: Subject, service: bool = False
    ) -> Iterator[Event]:
        """Time a judgement; at its end write its one event, and log it."""
        event = Event()
        start = time.perf_counter()
        yield event
        taken = time.perf_counter() - start
        verdict = event.verdict
        written = events.write(self.gate, subject, verdict, taken, service)
        if self._send is not None:
            self._send(written)
        stated = verdict.refusals or verdict.warnings
        if stated:
            LOG.log(
                logging.INFO if verdict.refusals else logging.WARNING,
                "%s %s %s: %s",
                self.gate,
                _done(verdict, service),
                subject.operation,
                messages.describe(stated, subject),
            )

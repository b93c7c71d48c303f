# SPDX-License-Identifier: Apache-2.0
"""What every gate does alike: policy in, verdict out, event written."""

import logging
import os
import time

from oslo_config import cfg

from nova_vhard import conf as vhard_conf
from nova_vhard.gates import events
from nova_vhard.policy import explain
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import Subject
from nova_vhard.policy.verdict import Key, Verdict, charged, evaluate
from nova_vhard.policy.watch import PolicyFile, today

LOG = logging.getLogger(__name__)


class Judge:
    """The judge of one gate.

    :param gate: name of the gate in events and logs
    :param service: name of the service, for the last good policy's file
    :param conf: the service's configuration, parsed already
    """

    def __init__(
        self, gate: str, service: str, conf: cfg.ConfigOpts = cfg.CONF
    ) -> None:
        """Read no file yet: the first call to ``policy`` does."""
        vhard_conf.register(conf)
        self.gate = gate
        state = os.path.join(conf.vhard.state_path, f"policy-{service}.json")
        self._file = PolicyFile(conf.vhard.policy_file, state)

    def policy(self) -> Policy:
        """Return the policy that holds now.

        :raises PolicyUnavailable: if there never was a good one
        """
        return self._file.current()

    def judge(
        self,
        policy: Policy,
        request: HardwareRequest,
        subject: Subject,
        already: frozenset[Key] = frozenset(),
    ) -> Verdict:
        """Judge a request and write its event.

        :param already: violations that the server had before
        """
        start = time.perf_counter()
        verdict = evaluate(policy, request, subject, today(), already)
        self._record(subject, verdict, verdict.outcome, start)
        return verdict

    def judge_change(
        self,
        policy: Policy,
        before: HardwareRequest,
        after: HardwareRequest,
        touched: frozenset[str],
        subject: Subject,
    ) -> Verdict:
        """Judge what a change brings in, or keeps in what it touches."""
        start = time.perf_counter()
        day = today()
        verdict = charged(
            evaluate(policy, after, subject, day),
            evaluate(policy, before, subject, day),
            touched,
        )
        self._record(subject, verdict, verdict.outcome, start)
        return verdict

    def violated(
        self, policy: Policy, request: HardwareRequest, subject: Subject
    ) -> frozenset[Key]:
        """Return what a server that exists violates, without an event."""
        verdict = evaluate(policy, request, subject, today())
        return frozenset(one.key for one in verdict.violations)

    def _record(
        self, subject: Subject, verdict: Verdict, outcome: str, start: float
    ) -> None:
        taken = time.perf_counter() - start
        events.write(self.gate, subject, verdict, outcome, taken)
        if verdict.refusals:
            LOG.info(
                "%s refuses %s: %s",
                self.gate,
                subject.operation,
                explain.describe(verdict.refusals),
            )
        elif verdict.warnings:
            LOG.warning(
                "%s lets %s pass (mode warn): %s",
                self.gate,
                subject.operation,
                explain.describe(verdict.warnings),
            )

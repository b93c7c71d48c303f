# SPDX-License-Identifier: Apache-2.0
"""Common code of all gates: read the policy, return a verdict, log events."""

import contextlib
import datetime
import functools
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oslo_config import cfg

from nova_vhard.common.log import get_logger
from nova_vhard.conf import vhard as vhard_conf
from nova_vhard.policy import events
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.policy.subject import Subject
from nova_vhard.policy.verdict import Verdict, soften
from nova_vhard.policy.watch import PolicyFile, today
from nova_vhard.request.server_request import ServerRequest

if TYPE_CHECKING:
    from nova_vhard.explain.search import Read

LOG = get_logger(__name__)


# Not frozen like other dataclasses: the caller fills in the verdict inside
# ``with event()``, whose end writes it.
@dataclass
class Event:
    """A decision event that has not been written yet."""

    verdict: Verdict = field(default_factory=Verdict)


@functools.cache
def _policy_file(path: str, state: str) -> PolicyFile:
    """Return a policy file, the same one for all gates of this process.

    nova-api makes a gate for each pipeline, and Glance one for each import.
    Each would read the file again, and log again that it cannot be used.
    """
    return PolicyFile(path, state)


class PolicyEnforcer:
    """Applies the policy that holds to the requests of one gate.

    :param gate: name of the gate in events and logs
    :param service: name of the service, for the last valid policy's file and
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
        # A copy for each service: they may run as different users, and reload
        # the file at different times. The copy must be what this service has
        # judged by.
        state = os.path.join(conf.vhard.state_path, f"policy-{service}.json")
        self._file = _policy_file(conf.vhard.policy_file, state)
        self._send: Callable[[str], None] | None = None
        if conf.vhard.notifications:
            # Without the option, oslo.messaging is not imported.
            from nova_vhard.policy import notify

            self._send = notify.sender(
                conf,
                service,
                conf.vhard.notification_topic,
                self._file.runs,
            ).decided

    def policy(self) -> Policy:
        """Return the policy that holds now.

        :raises PolicyUnavailable: if there never was a good one
        """
        return self._file.current()

    def refusal(
        self, policy: Policy, request: ServerRequest, service: bool = False
    ) -> str | None:
        """Judge a request and write its event.

        :param service: whether a service makes the request for a user. Such
            a request passes, and is marked in the log and in the event
        :returns: see ``explanation``
        """
        # Read the date once. If an exemption ends at midnight, the verdict and
        # the search for a fix must not disagree.
        day = today()
        with self.event(request.subject, service) as event:
            event.verdict = request.verdict(policy, day)
            # Soften before the event is written, so that it says warn. The
            # explanation then finds no refusal. Do not skip the judgement: an
            # operator has to see which snapshots a service has brought in.
            if service:
                event.verdict = soften(event.verdict, Mode.WARN)
        return self.explanation(policy, event.verdict, request, day)

    def explanation(
        self,
        policy: Policy,
        verdict: Verdict,
        request: ServerRequest,
        day: datetime.date,
        read: "Read | None" = None,
    ) -> str | None:
        """Return the refusal text for an API: the reason and the fix.

        :param day: date of the verdict, also used to check the fix
        :param read: reads the request again during the search for a fix
        :returns: None if the verdict does not refuse the request
        """
        refusals = verdict.refusals
        if not refusals:
            return None
        # Imported late: a service that refuses nothing does not need these.
        from nova_vhard.explain import fixes, messages, search

        fix = search.fix(policy, refusals, request, day, read)
        return messages.api_message(refusals, fixes.words(fix), self._help_url)

    def unjudged(self) -> None:
        """Write the event of a request that could not be judged."""
        # The answer is 503 already. A full disk under the log, or a broken
        # message bus, must not turn it into an error 500 of the service.
        with (
            contextlib.suppress(Exception),
            self.event(Subject("unknown")) as event,
        ):
            event.verdict = Verdict(judged=False)

    @contextlib.contextmanager
    def event(
        self, subject: Subject, service: bool = False
    ) -> Iterator[Event]:
        """Time a judgement; at its end write its one event, and log it."""
        event = Event()
        start = time.perf_counter()
        # No try/finally: a judgement that fails has no verdict. The API gates
        # then write ``unjudged``, so that each request has one event, not two.
        yield event
        # Without the search for a fix, which only a refusal needs and which
        # runs after this block: so the times of allowed and refused requests
        # can be compared.
        taken = time.perf_counter() - start
        verdict = event.verdict
        written = events.write(self.gate, subject, verdict, taken, service)
        if self._send is not None:
            self._send(written)
        stated = verdict.refusals or verdict.warnings
        if stated:
            from nova_vhard.explain import messages

            why = "a service makes it" if service else "mode warn"
            # INFO for a refusal, since its user is told. WARNING for what
            # passes: no user sees what mode enforce would refuse.
            LOG.log(
                logging.INFO if verdict.refusals else logging.WARNING,
                "%s %s %s: %s",
                self.gate,
                "refuses" if verdict.refusals else f"lets pass ({why})",
                subject.operation,
                messages.describe(stated),
            )

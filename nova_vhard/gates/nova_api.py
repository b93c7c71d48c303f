# SPDX-License-Identifier: Apache-2.0
"""The Nova API's gate: a paste filter behind ``keystonecontext``.

::

    [filter:vhard]
    paste.filter_factory = nova_vhard.gates.nova_api:filter_factory

It must stand in both pipelines, v2.1 and v2. What it judges is in ``ROUTES``;
everything else is passed on untouched.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import webob.exc
from nova import context as nova_context
from nova import exception
from nova.api.openstack import wsgi
from oslo_config import cfg
from oslo_serialization import jsonutils

from nova_vhard.gates import http, nova_flavor, nova_off
from nova_vhard.gates.http import Application, Environ, StartResponse
from nova_vhard.gates.judge import Judge
from nova_vhard.gates.nova_actions import Actions
from nova_vhard.gates.nova_boot import Boot
from nova_vhard.gates.nova_case import Case
from nova_vhard.gates.nova_changes import Changes
from nova_vhard.gates.nova_lookup import LookupFailed, Lookups
from nova_vhard.gates.proven import ProvenHosts
from nova_vhard.log import get_logger
from nova_vhard.policy import explain
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.hosts import demands
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import Subject
from nova_vhard.policy.verdict import (
    PASSTHROUGH_REQUIRE,
    Verdict,
    ViolationKey,
    evaluate,
    with_more,
)
from nova_vhard.policy.watch import PolicyUnavailable, today
from nova_vhard.request.passthrough import owned

LOG = get_logger(__name__)

_PROJECT = "(?:/[^/]+)?"
_SERVERS = f"{_PROJECT}/(?:servers|os-volumes_boot)"

_LOOKUP_TEXT = (
    "What this request refers to cannot be looked up at the moment, so that "
    "the hardening policy of this cloud cannot judge it. Try again later."
)

_METHODS = frozenset(("POST", "PUT", "DELETE"))

#: Methods, path behind the version, and what is asked for there.
ROUTES = tuple(
    (frozenset(methods.split()), re.compile(f"{path}$"), name)
    for methods, path, name in (
        ("POST", _SERVERS, "create"),
        ("POST", f"{_SERVERS}/([^/]+)/action", "action"),
        ("POST", f"{_PROJECT}/servers/([^/]+)/os-interface", "interface"),
        (
            "POST",
            f"{_PROJECT}/servers/([^/]+)/os-volume_attachments",
            "volume",
        ),
        ("POST PUT", f"{_PROJECT}/images/([^/]+)/metadata", "image"),
        ("PUT", f"{_PROJECT}/images/([^/]+)/metadata/[^/]+", "image"),
        ("POST", f"{_PROJECT}/flavors/([^/]+)/os-extra_specs", "flavor"),
        (
            "PUT DELETE",
            f"{_PROJECT}/flavors/([^/]+)/os-extra_specs/([^/]+)",
            "flavor",
        ),
    )
)


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[Application], "NovaGate"]:
    """Return the paste filter."""
    return NovaGate


class NovaGate:
    """Refuse requests for hardware that the policy does not allow."""

    def __init__(self, application: Application) -> None:
        """Stand in front of the rest of Nova's pipeline."""
        self._application = application
        self._judge = Judge("nova-api", "nova-api")
        self._lookups = Lookups()
        self._boot = Boot(self._lookups)
        self._actions = Actions(self._lookups)
        self._changes = Changes(self._lookups)
        self._hosts = ProvenHosts(cfg.CONF.vhard)

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Judge the request, or pass it on."""
        answer: webob.exc.HTTPException | None = None
        if http.overrides_method(environ):
            answer = webob.exc.HTTPBadRequest(explanation=http.OVERRIDE_TEXT)
        elif environ["REQUEST_METHOD"] in _METHODS:
            answer = self._answer(environ)
        if answer is None:
            return self._application(environ, start_response)
        return _fault(answer, environ)(environ, start_response)  # type: ignore[no-any-return]

    def _answer(self, environ: Environ) -> webob.exc.HTTPException | None:
        """Return a refusal, or None to pass the request on."""
        found = _route(environ["REQUEST_METHOD"], http.path_of(environ))
        if found is None:
            return None
        name, parts = found
        try:
            body = _body(environ)
            if not self._judged(name, body):
                return None
            policy = self._judge.policy()
            context = environ["nova.context"]
            if not policy.enabled:
                # Break glass: nothing is looked up, nothing can fail.
                asked = nova_off.subject(name, context, body)
                self._judge.judge(policy, HardwareRequest(), asked)
                return None
            if name == "flavor":
                return self._flavor(policy, context, environ, parts, body)
            case = self._case(name, context, environ, parts, body)
            return case and self._refusal(policy, case)
        except PolicyUnavailable:
            return webob.exc.HTTPServiceUnavailable(
                explanation=http.NO_POLICY_TEXT
            )
        except LookupFailed as error:
            LOG.error("Cannot be judged: %s", error)
            return webob.exc.HTTPServiceUnavailable(explanation=_LOOKUP_TEXT)
        except (OSError, RecursionError):
            # cut off by the client, or nested without end
            return webob.exc.HTTPBadRequest(explanation=http.MALFORMED_TEXT)

    def _judged(self, name: str, body: Any) -> bool:
        """Tell whether the policy has a say in it, by the body alone."""
        if name == "flavor":
            return True
        if not isinstance(body, dict):
            return False
        return name != "action" or any(
            action in self._actions.judged for action in body
        )

    def _case(
        self,
        name: str,
        context: Any,
        environ: Environ,
        parts: tuple[str, ...],
        body: Any,
    ) -> Case | None:
        if name == "create":
            return self._boot.case(context, body)
        if name == "action":
            return self._actions.case(context, parts[0], body)
        if name == "interface":
            return self._changes.attach_interface(context, parts[0], body)
        if name == "volume":
            return self._changes.attach_volume(context, parts[0], body)
        method = environ["REQUEST_METHOD"]
        return self._changes.image_metadata(context, parts[0], method, body)

    def _refusal(
        self, policy: Policy, case: Case
    ) -> webob.exc.HTTPException | None:
        if case.before is not None:
            verdict = self._judge.judge_change(
                policy, case.before, case.request, case.touched, case.subject
            )
            return _forbidden(verdict, case.subject)
        already = self._already(policy, case)
        with self._judge.event(case.subject) as event:
            event.verdict = evaluate(
                policy, case.request, case.subject, today(), already
            )
            if case.server is not None and not event.verdict.refusals:
                event.verdict = self._on_its_host(policy, case, event.verdict)
        return _forbidden(event.verdict, case.subject)

    def _already(self, policy: Policy, case: Case) -> frozenset[ViolationKey]:
        """Return the violations that are judged as a move's."""
        had, scheduled = (
            frozenset()
            if one is None
            else self._judge.violated(policy, owned(one), case.subject)
            for one in (case.had, case.scheduled)
        )
        return had - scheduled

    def _on_its_host(
        self, policy: Policy, case: Case, verdict: Verdict
    ) -> Verdict:
        """Judge passthrough that no scheduler sees by the server's host."""
        demanded = [
            one
            for one in demands(policy, case.request, case.subject, today())
            if one.rules == (PASSTHROUGH_REQUIRE,)
        ]
        if not demanded:
            return verdict
        context = nova_context.get_admin_context()
        host = self._lookups.host(context, case.server)
        hosts = [] if host is None else [host]
        _, failed = self._hosts.narrow(policy, demanded, hosts)
        return with_more(verdict, failed)

    def _flavor(
        self,
        policy: Policy,
        context: Any,
        environ: Environ,
        parts: tuple[str, ...],
        body: Any,
    ) -> webob.exc.HTTPException | None:
        """Judge what a write makes of a flavor's extra specs."""
        flavor = self._lookups.flavor(context, parts[0])
        if flavor is None:
            return None
        before = dict(flavor.extra_specs or {})
        after = nova_flavor.changed(
            before, environ["REQUEST_METHOD"], parts[1:], body
        )
        subject = nova_flavor.subject(context, flavor)
        with self._judge.event(subject) as event:
            failed = nova_flavor.lacking(policy, before, after, subject)
            event.verdict = with_more(Verdict(policy=policy.digest), failed)
        return _forbidden(event.verdict, subject)


def _route(method: str, path: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the name of what is asked for, and the ids in the path."""
    for methods, pattern, name in ROUTES:
        match = pattern.match(path) if method in methods else None
        if match:
            return name, match.groups()
    return None


def _body(environ: Environ) -> Any:
    """Read the body as Nova will; None where Nova reads or takes none."""
    if environ["REQUEST_METHOD"] == "DELETE":
        return None
    request = wsgi.Request(environ)
    length = request.content_length
    if length and length > 0 and not request.is_body_seekable:
        raw = http.read_body(environ, length)
    else:
        raw = request.body
    if not request.content_length:
        return None
    try:
        return jsonutils.loads(raw)
    except ValueError:
        return None


def _forbidden(
    verdict: Verdict, subject: Subject
) -> webob.exc.HTTPException | None:
    if not verdict.refusals:
        return None
    explanation = explain.long(verdict.refusals, subject)
    return webob.exc.HTTPForbidden(explanation=explanation)


def _fault(answer: webob.exc.HTTPException, environ: Environ) -> wsgi.Fault:
    """Answer in Nova's own shape, with its microversion headers."""
    request = wsgi.Request(environ)
    try:
        request.set_api_version_request()
    except exception.NovaException as error:
        LOG.debug("No microversion in the answer: %s", error)
    return wsgi.Fault(answer)

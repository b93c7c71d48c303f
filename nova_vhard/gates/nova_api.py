# SPDX-License-Identifier: Apache-2.0
"""The Nova API's gate: a paste filter around Nova's application.

::

    [app:osapi_compute_app_v21]
    filter-with = vhard
    paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory

    [filter:vhard]
    paste.filter_factory = nova_vhard.gates.nova_api:filter_factory

So it runs after ``keystonecontext``, and on ``/v2`` after
``legacy_v2_compatible``, in every pipeline, directly before Nova's router. It
checks the requests in ``nova_routes.ROUTES`` and passes on all others.
"""

import datetime
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import webob.exc
from nova import exception
from nova.api.openstack import wsgi
from nova.policies import flavor_extra_specs
from oslo_config import cfg

from nova_vhard.catalogue.gates import NOVA_API
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import line
from nova_vhard.gates import (
    http,
    nova_flavor,
    nova_routes,
    routing,
)
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.gates.http import Application, Environ, StartResponse
from nova_vhard.gates.nova_lookup import NovaLookups, Services
from nova_vhard.gates.nova_router import Call, Router
from nova_vhard.gates.nova_schemas import NotAccepted
from nova_vhard.gates.posture_filter import PostureFilter
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.hosts import ITS_HOST, host_requirements
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import (
    BOOT,
    FLAVOR,
    REBUILD,
    UPDATE,
    subject_of,
)
from nova_vhard.policy.verdict import (
    PASSTHROUGH_REQUIRE,
    Verdict,
    with_more,
)
from nova_vhard.policy.watch import PolicyUnavailable, today
from nova_vhard.request.lookups import LookupFailed, NotFound, NotShown
from nova_vhard.request.server_request import ServerRequest

LOG = get_logger(__name__)


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[Application], "NovaGate"]:
    """Return the paste filter."""
    return NovaGate


class NovaGate:
    """Refuse requests for hardware that the policy does not allow.

    :param application: Nova's router, or middleware around it
    :raises nova_vhard.gates.routing.NoRouter: if Nova's router is not in it
    """

    def __init__(self, application: Application) -> None:
        """Find the router; nothing is asked before the first request."""
        self._application = application
        self._router = Router(application, nova_routes.ROUTES)
        self._enforcer = PolicyEnforcer(NOVA_API, "nova-api")
        self._services = Services()
        self._hosts = PostureFilter(cfg.CONF.vhard, ITS_HOST)

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Judge the request, or pass it on."""
        answer: webob.exc.HTTPException | None = None
        # Before the method is looked at, as at Glance (bypass 27).
        if http.overrides_method(environ):
            answer = webob.exc.HTTPBadRequest(explanation=http.OVERRIDE_TEXT)
        elif environ["REQUEST_METHOD"] in ("POST", "PUT", "DELETE"):
            # No route in ROUTES is reached by another method; reads cost
            # nothing.
            answer = self._guarded(environ)
        if answer is None:
            return self._application(environ, start_response)
        if answer.code == webob.exc.HTTPServiceUnavailable.code:
            self._enforcer.unjudged()
        # Answer in Nova's own shape, with its microversion headers.
        try:
            wsgi.Request(environ).set_api_version_request()
        except exception.NovaException as error:
            LOG.debug("No microversion in the answer: %s", error)
        return wsgi.Fault(answer)(environ, start_response)  # type: ignore[no-any-return]

    def _guarded(self, environ: Environ) -> webob.exc.HTTPException | None:
        """Return a refusal or an error, or None to pass the request on."""
        try:
            return self._answer(environ)
        except (NotAccepted, NotFound):
            # Nova looks at the same thing, and gives the reason better.
            return None
        except webob.exc.HTTPException as error:
            # such as a body that is longer than Nova takes
            return error
        except routing.Malformed:
            return webob.exc.HTTPBadRequest(explanation=http.MALFORMED_TEXT)
        except PolicyUnavailable:
            text = http.NO_POLICY_TEXT
        except LookupFailed as error:
            # A boot that the filter judges does not get here
            # (``ServerReader.boot``). For the rest no gate comes later, and
            # Nova may get an answer a moment later, so that the request is
            # refused.
            LOG.error("Not judged, answered with 503: %s", error)
            text = http.LOOKUP_TEXT
        except Exception:  # noqa: BLE001 - report_fault logs it
            context = environ.get("nova.context")
            text = http.report_fault(LOG, context)
        return webob.exc.HTTPServiceUnavailable(explanation=text)

    def _answer(self, environ: Environ) -> webob.exc.HTTPException | None:
        call = self._router.call(environ)
        if call is None:
            return None
        # The router has compared only the controller and its method. The
        # action that the body names is compared here.
        route = nova_routes.ROUTES.get(call.method)
        if route is None:
            # such as a reboot, an action beside those that are judged
            return None
        policy = self._enforcer.policy()
        context = environ["nova.context"]
        if not policy.enabled:
            # Break glass: nothing is looked up, nothing can fail.
            subject = subject_of(route.operation, context, None)
            nothing = ServerRequest(HardwareRequest(), subject)
            self._enforcer.refusal(policy, nothing)
            return None
        if route.reader is None:
            find = NovaLookups(self._services, context)
            return self._flavor(policy, find, context, call)
        reader, body = route.reader, call.body()
        find = NovaLookups(self._services, context)
        # Once: at midnight, an exemption must not end within a verdict.
        day = today()
        try:
            request = reader(find, context, call.ids, body)
        except NotShown as error:
            # Nova looks again, and may see the image then. Pass on only what
            # a later gate judges: the filter a boot, Glance's gate the
            # metadata of an image.
            if route.operation in (BOOT, UPDATE):
                return None
            text = (
                # Nova answers a rebuild so.
                "Cannot find image for rebuild"
                if route.operation == REBUILD
                else line(error)
            )
            return webob.exc.HTTPBadRequest(explanation=text)
        # Nothing in it to judge, such as a snapshot without metadata.
        if request is None:
            return None
        # After the request is known: only the subject tells whether an
        # exemption by image is possible, and only then is Cinder asked.
        request = replace(
            request, subject=find.with_image(policy, request.subject)
        )

        def read(draft: Any) -> ServerRequest | None:
            """Read the request again with the edited documents."""
            # Without new look-ups: ``find`` answers from what it has read, so
            # that the search for a fix costs the services nothing. A fix that
            # needs an exemption by the image of a root volume is not found.
            again = draft.lookups(find)
            return reader(again, context, call.ids, again.body(body))

        with self._enforcer.event(request.subject) as event:
            event.verdict = request.verdict(policy, day)
            # After the devices: a port that the policy refuses needs no
            # posture. Inside the event: the verdict in the log must be the one
            # that is answered.
            if request.attached_to and not event.verdict.refusals:
                event.verdict = self._on_its_host(
                    policy, find, request, event.verdict, day
                )
        refusal = self._enforcer.explanation(
            policy, event.verdict, request, day, read
        )
        return (
            webob.exc.HTTPForbidden(explanation=refusal) if refusal else None
        )

    def _on_its_host(
        self,
        policy: Policy,
        find: NovaLookups,
        request: ServerRequest,
        verdict: Verdict,
        day: datetime.date,
    ) -> Verdict:
        """Check the server's host for a device that no scheduler filter sees.

        :returns: the verdict, with a violation if the host has not passed
        """
        result = host_requirements(
            policy, request.hardware, request.subject, day
        )
        # Not hosts.require: the server runs on this host already, and a new
        # network card changes nothing about it.
        requirements = [
            requirement
            for requirement in result
            if requirement.rules == (PASSTHROUGH_REQUIRE,)
        ]
        if not requirements:
            return verdict
        try:
            hosts = [find.host(str(request.attached_to))]
        except NotFound:
            # No host is on record. The empty list fails every requirement, so
            # that the device is refused; do not return the verdict here.
            hosts = []
        _, failed = self._hosts.filter_hosts(policy, requirements, hosts)
        return with_more(verdict, failed)

    def _flavor(
        self, policy: Policy, find: NovaLookups, context: Any, call: Call
    ) -> webob.exc.HTTPException | None:
        """Judge the extra specs that a flavor has after a write.

        If the user may not write them, the gate passes the request on and
        Nova refuses it, so the user learns nothing about the policy.
        """
        rule = flavor_extra_specs.POLICY_ROOT % call.method[1]
        if not context.can(rule, target={}, fatal=False):
            return None
        flavor = find.flavor(call.ids["flavor_id"])
        before = dict(flavor.extra_specs)
        after = nova_flavor.changed(before, call)
        subject = subject_of(FLAVOR, context, None, flavor=flavor)
        with self._enforcer.event(subject) as event:
            failed = nova_flavor.introduced_violations(
                policy, before, after, subject
            )
            event.verdict = with_more(Verdict(policy=policy.digest), failed)
        request = ServerRequest(HardwareRequest(), subject)
        text = self._enforcer.explanation(
            policy, event.verdict, request, today()
        )
        return webob.exc.HTTPForbidden(explanation=text) if text else None

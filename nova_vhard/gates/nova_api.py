# SPDX-License-Identifier: Apache-2.0
"""The Nova API's gate: a paste filter behind ``keystonecontext``.

::

    [filter:vhard]
    paste.filter_factory = nova_vhard.gates.nova_api:filter_factory

It judges POST /servers and the action rebuild by the properties of the
image. It must stand in both pipelines, v2.1 and v2.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import webob.exc
from nova import exception, objects
from nova.api.openstack import common, wsgi
from nova.compute import api as compute
from nova.image import glance
from nova.objects import image_meta
from oslo_serialization import jsonutils
from oslo_utils import uuidutils

from nova_vhard.gates import http
from nova_vhard.gates.http import Application, Environ, StartResponse
from nova_vhard.gates.judge import Judge
from nova_vhard.policy import explain
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.subject import BOOT, MOVE, REBUILD, Subject
from nova_vhard.policy.verdict import Verdict
from nova_vhard.policy.watch import PolicyUnavailable
from nova_vhard.request import image as image_reader
from nova_vhard.request import request_spec

LOG = logging.getLogger(__name__)

_CREATE = re.compile("(?:/[^/]+)?/(?:servers|os-volumes_boot)$")
_ACTION = re.compile("(?:/[^/]+)?/servers/([^/]+)/action$")

_LOOKUP_TEXT = (
    "What this request refers to cannot be looked up at the moment, so that "
    "the hardening policy of this cloud cannot judge it. Try again later."
)


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[Application], "NovaGate"]:
    """Return the paste filter."""
    return NovaGate


class LookupFailed(Exception):
    """A look-up got no answer, or one that makes no sense."""


class NovaGate:
    """Refuse servers whose image the policy does not allow."""

    def __init__(self, application: Application) -> None:
        """Stand in front of the rest of Nova's pipeline."""
        self._application = application
        self._judge = Judge("nova-api", "nova-api")
        self._images = glance.API()
        self._servers = compute.API()

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Judge the request, or pass it on."""
        answer: webob.exc.HTTPException | None = None
        if http.overrides_method(environ):
            answer = webob.exc.HTTPBadRequest(explanation=http.OVERRIDE_TEXT)
        elif environ["REQUEST_METHOD"] == "POST":
            answer = self._answer(environ)
        if answer is None:
            return self._application(environ, start_response)
        return _fault(answer, environ)(environ, start_response)  # type: ignore[no-any-return]

    def _answer(self, environ: Environ) -> webob.exc.HTTPException | None:
        """Return a refusal, or None to pass the request on."""
        path = http.path_of(environ)
        action = _ACTION.match(path)
        if not action and not _CREATE.match(path):
            return None
        try:
            body = _body(environ)
            context = environ["nova.context"]
            return (
                self._action(context, action[1], body)
                if action
                else self._create(context, body)
            )
        except PolicyUnavailable:
            return webob.exc.HTTPServiceUnavailable(
                explanation=http.NO_POLICY_TEXT
            )
        except LookupFailed:
            return webob.exc.HTTPServiceUnavailable(explanation=_LOOKUP_TEXT)
        except RecursionError:
            return webob.exc.HTTPBadRequest(explanation=http.MALFORMED_TEXT)

    def _create(
        self, context: Any, body: Any
    ) -> webob.exc.HTTPException | None:
        policy = self._judge.policy()
        server = _section(body, "server")
        try:
            image = self._image(context, server)
            flavor = _flavor(context, server) if image else None
        except LookupFailed as error:
            LOG.warning("A boot goes on to the scheduler's gate: %s", error)
            return None
        if image is None:
            return None
        project = context.project_id
        subject = _subject(BOOT, context, project, image, flavor)
        verdict = self._judge.judge(policy, _read(image), subject)
        return _refusal(verdict, subject)

    def _action(
        self, context: Any, server_id: str, body: Any
    ) -> webob.exc.HTTPException | None:
        wanted = _section(body, "rebuild")
        if not wanted:
            return None
        policy = self._judge.policy()
        image = self._image(context, wanted)
        if image is None:
            return None
        server = self._server(context, server_id)
        if server is None:
            return None
        subject = _subject(
            REBUILD, context, server.project_id, image, server.flavor
        )
        had = request_spec.read_image(
            image_meta.ImageMeta.from_instance(server)
        )
        moved = replace(subject, operation=MOVE)
        already = self._judge.violated(policy, had, moved)
        verdict = self._judge.judge(policy, _read(image), subject, already)
        return _refusal(verdict, subject)

    def _image(
        self, context: Any, wanted: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Return the image, None where Nova itself has something to say."""
        image_id = wanted.get("imageRef")
        if not uuidutils.is_uuid_like(image_id):
            return None
        found = _look_up(lambda: self._images.get(context, image_id))
        if found is not None and not isinstance(found, dict):
            raise LookupFailed(f"image {image_id} is no image")
        return found

    def _server(self, context: Any, server_id: str) -> Any:
        if not uuidutils.is_uuid_like(server_id):
            return None
        return _look_up(
            lambda: self._servers.get(
                context,
                server_id,
                expected_attrs=["flavor", "system_metadata"],
            )
        )


def _look_up(call: Callable[[], Any]) -> Any:
    """Return what a look-up finds; None where it is answered 4xx.

    :raises LookupFailed: on anything else
    """
    try:
        return call()
    except exception.ImageNotAuthorized:
        return None
    except exception.NovaException as error:
        if 400 <= error.code < 500:  # noqa: PLR2004 - HTTP
            return None
        raise LookupFailed(str(error)) from error
    except Exception as error:
        raise LookupFailed(f"{type(error).__name__}: {error}") from error


def _body(environ: Environ) -> Any:
    """Read the body as Nova will; None where Nova will refuse it."""
    request = wsgi.Request(environ)
    raw = request.body
    if not request.content_length:
        return None
    try:
        return jsonutils.loads(raw)
    except ValueError:
        return None


def _flavor(context: Any, server: dict[str, Any]) -> Any:
    """Return the flavor, by which a request may be exempted."""
    flavor_id = common.get_id_from_href(server.get("flavorRef", ""))
    return _look_up(
        lambda: objects.Flavor.get_by_flavor_id(
            context, flavor_id, read_deleted="no"
        )
    )


def _section(body: Any, name: str) -> dict[str, Any]:
    section = body.get(name) if isinstance(body, dict) else None
    return section if isinstance(section, dict) else {}


def _read(image: dict[str, Any]) -> HardwareRequest:
    return image_reader.read(
        image.get("properties") or {}, image.get("disk_format")
    )


def _subject(
    operation: str,
    context: Any,
    project: str,
    image: dict[str, Any],
    flavor: Any,
) -> Subject:
    own = context.project_id == project
    return Subject(
        operation=operation,
        project=project,
        domain=context.project_domain_id if own else None,
        roles=frozenset(role.lower() for role in context.roles)
        if own
        else frozenset(),
        image=image.get("id"),
        flavor=flavor.name if flavor else None,
        flavor_id=flavor.flavorid if flavor else None,
    )


def _refusal(
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

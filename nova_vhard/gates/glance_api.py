# SPDX-License-Identifier: Apache-2.0
"""The Glance API's gate: a paste filter around Glance's application.

::

    [composite:rootapp]
    filter-with = vhard
    paste.composite_factory = glance.api:root_app_factory

    [filter:vhard]
    paste.filter_factory = nova_vhard.gates.glance_api:filter_factory

So it runs after ``context`` and the image cache in every pipeline. It checks
only POST /v2/images and PATCH /v2/images/{id}; it never reads the data of an
image.
"""

import io
from collections.abc import Callable, Iterable
from typing import Any

import webob
import webob.exc
from glance.api.v2 import images
from glance.common import exception, wsgi

from nova_vhard.catalogue.gates import GLANCE_API
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import line
from nova_vhard.gates import http, routing
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.gates.glance_router import Call, Router
from nova_vhard.gates.http import Application, Environ, StartResponse
from nova_vhard.policy.hardware import IMAGE, HardwareRequest, Holder
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import UPDATE, UPLOAD, subject_of
from nova_vhard.policy.watch import PolicyUnavailable
from nova_vhard.request import image as image_reader
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import ServerRequest, of_image

LOG = get_logger(__name__)

# By class and method, not by URL: Glance's own router decides which path leads
# there (bypass 32). A Glance that renames them does not start.
_CREATE = ("ImagesController", "create")
_UPDATE = ("ImagesController", "update")


class _AnySchema:
    """Glance checks the body against its schema itself, afterwards."""

    def validate(self, obj: Any) -> None:
        """Accept every object; nothing else could be read."""
        if not isinstance(obj, dict):
            raise exception.InvalidObject


class _Buffered(wsgi.Request):  # type: ignore[misc]
    """A request whose body has been read already.

    Glance's own looks for uWSGI, by an import, each time that it is asked for
    the body. Elsewhere that fails, and takes longer than the judgement.
    """

    @property
    def body(self) -> bytes:
        """The whole body; the stream stays where it is."""
        stream = self.environ["wsgi.input"]
        if isinstance(stream, io.BytesIO):
            return stream.getvalue()
        return super().body  # type: ignore[no-any-return]


# Glance's schemas would be checked for each operation of a PATCH, which takes
# longer than the judgement. Glance checks them again after the gate.
_DESERIALIZER = images.RequestDeserializer(_AnySchema(), _AnySchema())


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[Application], "GlanceGate"]:
    """Return the paste filter."""
    return GlanceGate


class GlanceGate:
    """Refuse image properties that the policy does not allow.

    :param application: Glance's router, or middleware around it
    :raises nova_vhard.gates.routing.NoRouter: if Glance's router is not in it
    """

    def __init__(self, application: Application) -> None:
        """Find the router; nothing is asked before the first request."""
        self._application = application
        self._router = Router(application, (_CREATE, _UPDATE))
        self._enforcer = PolicyEnforcer(GLANCE_API, "glance-api")

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Judge the request, or pass it on."""
        # First, before the method is looked at: ``?_method=PATCH`` with a GET
        # would pass the next test and be a PATCH behind the gate (bypass 27).
        if http.overrides_method(environ):
            answer: Application = _response(400, http.OVERRIDE_TEXT)
            return answer(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("POST", "PATCH"):
            return self._application(environ, start_response)
        # None if vhard runs before the filter that sets it
        context = getattr(wsgi.Request(environ), "context", None)
        answer = self._guarded(environ, context) or self._application
        return answer(environ, start_response)

    def _guarded(
        self, environ: Environ, context: Any
    ) -> webob.Response | None:
        """Return a refusal or Glance's answer; None to pass the request on."""
        try:
            call = self._router.call(environ)
            return self._answer(environ, call) if call else None
        except webob.exc.HTTPException:
            # Glance gives the same answer, and gives it better.
            return None
        except (routing.Malformed, routing.Unroutable):
            # Refuse what Glance would fail at. To pass it on would be safe
            # only as long as no release of Glance learns to read it.
            return _response(400, http.MALFORMED_TEXT)
        except PolicyUnavailable:
            text = http.NO_POLICY_TEXT
        except Exception:  # noqa: BLE001 - report_fault logs it
            # Fail closed, with a text that names the request and nothing of
            # the fault.
            text = http.report_fault(LOG, context)
        # Write an event for a request that could not be judged, so that an
        # outage of the policy shows up in the decision counts.
        self._enforcer.unjudged()
        return _response(503, text)

    def _answer(self, environ: Environ, call: Call) -> webob.Response | None:
        """Return a refusal, or None to pass the request on."""
        policy = self._enforcer.policy()
        request = _Buffered(environ)
        _, method = call.method
        try:
            buffer_body(wsgi.Request(environ))
        except OSError as error:
            raise routing.Malformed from error
        try:
            # As Glance calls it: what fails here fails Glance, too.
            content = getattr(_DESERIALIZER, method)(request)
        except webob.exc.HTTPException:
            # Glance's own 4xx, which ``_guarded`` leaves to Glance. The next
            # clauses must not turn it into our 400.
            raise
        except (OSError, RecursionError, ValueError) as error:
            # cut off by the client, nested without end, no text
            raise routing.Malformed from error
        except Exception as error:
            # such as a path that is a number
            LOG.exception("Glance itself cannot read the body")
            raise routing.Malformed from error
        if call.method == _CREATE:
            return self._create(policy, request, content)
        return self._update(policy, request, call, content["changes"])

    def _create(
        self, policy: Policy, request: wsgi.Request, wanted: dict[str, Any]
    ) -> webob.Response | None:
        image = wanted["image"]
        context = request.context
        # The ``owner`` that the body asks for. Glance answers 403 to another
        # project unless the user is an administrator (rule ``add_image``), so
        # a member cannot use the exemption of another project.
        owner, image_id = image.get("owner"), image.get("image_id")
        upload = of_image(
            Image(wanted["extra_properties"], image.get("disk_format")),
            subject_of(UPLOAD, context, owner, image_id),
        )
        # Nova's snapshot of an old server must not fail: a shelve would be
        # left half done. A service is known by a confirmed service token with
        # the role service; what the body says of itself is the user's.
        confirmed = request.environ.get("HTTP_X_SERVICE_IDENTITY_STATUS")
        # Status alone is not enough: with service_token_roles_required=False,
        # the default of keystonemiddleware before 13, any user's token is
        # Confirmed.
        by_service = confirmed == "Confirmed" and any(
            role.lower() == "service" for role in context.service_roles or ()
        )
        return self._answered(policy, upload, by_service)

    def _update(
        self, policy: Policy, request: wsgi.Request, call: Call, changes: Any
    ) -> webob.Response | None:
        # Only the first part counts: Glance's ``_validate_path`` allows longer
        # pointers for locations alone, which choose no device.
        touched = frozenset(change["path"][0] for change in changes)
        if policy.enabled and "image_id" in touched:
            # Glance would save this image's properties under the other id.
            return _response(403, "Attribute 'image_id' is read-only.")
        # A change of the name or the tags costs no look-up.
        if not touched & image_reader.READ:
            return None
        image_id, context = call.ids["image_id"], request.context
        subject = subject_of(UPDATE, context, None, image_id)
        # Break glass: write the event, but look nothing up, so nothing can
        # fail.
        if not policy.enabled:
            nothing = ServerRequest(HardwareRequest(), subject)
            return self._answered(policy, nothing)
        try:
            # As Glance's own update does: of the image and its properties the
            # gate sees what this user may see, and a refusal tells no more.
            image = call.controller.gateway.get_repo(context).get(image_id)
        except exception.NotFound:
            # Glance answers the change in the same way. Any other error is a
            # fault, and refuses it.
            return None
        before = {**image.extra_properties, "disk_format": image.disk_format}
        # What Glance saves if no other request comes in between: there is no
        # lock in Glance that the gate could take. If one does, the image can
        # have what is refused. The Nova gates judge every server from it, so
        # the change is not judged again after Glance has saved it.
        after = changed(before, changes)
        holder = Holder(image_id, image.owner, image.disk_format)
        old, new = (
            Image(each, each.get("disk_format"), IMAGE, holder)
            for each in (before, after)
        )
        subject = subject_of(UPDATE, context, holder.project, image_id)
        return self._answered(policy, of_image(new, subject, old, touched))

    def _answered(
        self, policy: Policy, request: ServerRequest, service: bool = False
    ) -> webob.Response | None:
        text = self._enforcer.refusal(policy, request, service)
        return _response(403, text) if text else None


def changed(
    image: dict[str, Any], changes: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return an image as it would be after a JSON patch.

    :param image: the image as it is
    :param changes: as Glance's own RequestDeserializer reads them
    """
    # No checks of ``replace`` without a value to replace, or ``add`` over one:
    # Glance answers 409, and nothing is saved.
    after = dict(image)
    for change in changes:
        name = change["path"][0]
        if change["op"] == "remove":
            after.pop(name, None)
        else:
            after[name] = change["value"]
    return after


def buffer_body(request: wsgi.Request) -> None:
    """Read a body once, so that Glance reads the very same bytes.

    Glance reads a chunked body in a special way under uWSGI; the gate turns it
    into a plain body with a length. A body with a length is read directly.

    :raises OSError: if the client sends less than it announced
    """
    environ = request.environ
    if "HTTP_TRANSFER_ENCODING" in environ:
        # ``request.body = …`` sets a length. The header must go as well: under
        # uWSGI, Glance would call chunked_read again and get nothing.
        if _DESERIALIZER.has_body(request):
            request.body = request.body
            del environ["HTTP_TRANSFER_ENCODING"]
        return
    length = request.content_length
    # No length means no body. A seekable body was buffered by middleware
    # before the gate, and Glance can read it again.
    if not length or environ.get("webob.is_body_seekable"):
        return
    http.read_body(environ, length)


def _response(code: int, message: str) -> webob.Response:
    """Answer in the one shape that every client shows in full.

    python-glanceclient joins the messages in the values of a JSON object;
    openstacksdk shows them only for JSON. So the Accept header is ignored.
    """
    title = webob.exc.status_map[code].title
    name = {
        400: "badRequest",
        403: "forbidden",
        503: "serviceUnavailable",
    }[code]
    body = {name: {"code": code, "title": title, "message": line(message)}}
    return webob.Response(status=code, json_body=body)

# SPDX-License-Identifier: Apache-2.0
"""The Glance API's gate: a paste filter behind ``context``.

::

    [filter:vhard]
    paste.filter_factory = nova_vhard.gates.glance_api:filter_factory

It judges POST /v2/images and PATCH /v2/images/{id}, and nothing else: the
data of an image is never read.
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
from nova_vhard.gates import glance_images, http, routing
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.gates.glance_image import changed, stored
from nova_vhard.gates.glance_router import Call, Router
from nova_vhard.gates.http import Application, Environ, StartResponse
from nova_vhard.policy.hardware import IMAGE, HardwareRequest, Holder
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import UPDATE, UPLOAD, subject_of
from nova_vhard.policy.verdict import are_allowed
from nova_vhard.policy.watch import PolicyUnavailable, today
from nova_vhard.request import image as image_reader
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import ServerRequest, of_image

LOG = get_logger(__name__)

#: Hardware of a change that is allowed for any image: nothing to judge.
_NO_DEVICES = HardwareRequest(complete=True)
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


_DESERIALIZER = images.RequestDeserializer(_AnySchema(), _AnySchema())


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[Application], "GlanceGate"]:
    """Return the paste filter."""
    return GlanceGate


class GlanceGate:
    """Refuse image properties that the policy does not allow.

    :param application: the rest of Glance's pipeline
    :raises nova_vhard.gates.routing.NoRouter: if Glance's router is not in it
    """

    def __init__(self, application: Application) -> None:
        """Find the router; nothing is asked before the first request."""
        self._application = application
        self._router = Router(application, (_CREATE, _UPDATE))
        glance_images.share(self._router.controllers())
        self._enforcer = PolicyEnforcer(GLANCE_API, "glance-api")

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Judge the request, or pass it on."""
        if http.overrides_method(environ):
            answer: Application = _response(400, http.OVERRIDE_TEXT)
            return answer(environ, start_response)
        method = environ["REQUEST_METHOD"]
        if method not in ("POST", "PATCH"):
            return self._application(environ, start_response)
        # none where vhard stands before the filter that makes it
        context = getattr(wsgi.Request(environ), "context", None)
        with glance_images.kept(context if method == "PATCH" else None):
            answer = self._guarded(environ, context) or self._application
            return answer(environ, start_response)

    def _guarded(
        self, environ: Environ, context: Any
    ) -> webob.Response | None:
        """Return a refusal, or None; a fault of ours is neither."""
        try:
            call = self._router.call(environ)
            return self._answer(environ, call) if call else None
        except PolicyUnavailable:
            return _response(503, http.NO_POLICY_TEXT)
        except webob.exc.HTTPException:
            # Glance gives the same answer, and gives it better.
            return None
        except (routing.Malformed, routing.Unroutable):
            return _response(400, http.MALFORMED_TEXT)
        except Exception:  # noqa: BLE001 - report_fault logs it
            text = http.report_fault(LOG, "Glance's API", context)
            return _response(503, text)

    def _answer(self, environ: Environ, call: Call) -> webob.Response | None:
        """Return a refusal, or None to pass the request on."""
        policy = self._enforcer.policy()
        request = _Buffered(environ)
        content = _content(environ, request, call)
        if call.method == _CREATE:
            return self._create(policy, request, content)
        return self._update(policy, request, call, content["changes"])

    def _create(
        self, policy: Policy, request: wsgi.Request, wanted: dict[str, Any]
    ) -> webob.Response | None:
        image = wanted["image"]
        context = request.context
        owner, image_id = image.get("owner"), image.get("image_id")
        upload = of_image(
            Image(wanted["extra_properties"], image.get("disk_format")),
            subject_of(UPLOAD, context, owner, image_id),
        )
        return self._answered(policy, upload, _by_service(request))

    def _update(
        self, policy: Policy, request: wsgi.Request, call: Call, changes: Any
    ) -> webob.Response | None:
        touched = frozenset(change["path"][0] for change in changes)
        if not touched & image_reader.READ:
            return None
        if _is_allowed_for_any_image(policy, request.context, changes):
            subject = subject_of(
                UPDATE, request.context, None, call.ids["image_id"]
            )
            return self._answered(policy, ServerRequest(_NO_DEVICES, subject))
        response = stored(self._application, request.environ)
        if response.status_int != webob.exc.HTTPOk.code:
            return self._unseen(policy, request, changes)
        before = response.json_body
        after = changed(before, changes)
        holder = Holder(
            call.ids["image_id"],
            before.get("owner"),
            before.get("disk_format"),
        )
        subject = subject_of(
            UPDATE, request.context, holder.project, holder.id
        )
        old, new = (
            Image(image, image.get("disk_format"), IMAGE, holder)
            for image in (before, after)
        )
        return self._answered(policy, of_image(new, subject, old, touched))

    def _unseen(
        self, policy: Policy, request: wsgi.Request, changes: Any
    ) -> webob.Response | None:
        """Answer a change of an image that Glance does not show.

        It may be made a moment later, under the id that its maker gives it.

        :returns: where the change itself would be refused, what Glance
            answers to a GET; else None, so that Glance answers the PATCH
        """
        subject = subject_of(UPDATE, request.context, None)
        made = changed({}, changes)
        change = of_image(
            Image(made, made.get("disk_format")),
            subject,
            Image(),
            frozenset(change["path"][0] for change in changes),
        )
        if not change.verdict(policy, today()).refusals:
            return None
        environ = request.environ
        accept = environ.get("HTTP_ACCEPT", "")
        response = stored(self._application, environ, accept)
        if response.status_int == webob.exc.HTTPOk.code:
            return self._answered(policy, change)
        return response

    def _answered(
        self, policy: Policy, request: ServerRequest, service: bool = False
    ) -> webob.Response | None:
        text = self._enforcer.refusal(policy, request, service)
        return _response(403, text) if text else None


def _content(
    environ: Environ, request: wsgi.Request, call: Call
) -> dict[str, Any]:
    """Return what Glance's own deserializer makes of a request.

    :raises webob.exc.HTTPException: what Glance answers
    :raises nova_vhard.gates.routing.Malformed: where Glance itself would fail
    """
    _, method = call.method
    try:
        buffer_body(wsgi.Request(environ))
    except OSError as error:
        raise routing.Malformed(str(error)) from error
    try:
        # As Glance calls it: what fails here fails Glance, too.
        result = getattr(_DESERIALIZER, method)(request)
    except webob.exc.HTTPException:
        raise
    except (OSError, RecursionError, ValueError) as error:
        # cut off by the client, nested without end, no text
        raise routing.Malformed(str(error)) from error
    except Exception as error:
        # such as a path that is a number
        LOG.exception("Glance itself cannot read the body")
        raise routing.Malformed(str(error)) from error
    return result  # type: ignore[no-any-return]


def buffer_body(request: wsgi.Request) -> None:
    """Read a body once, so that Glance reads the very same bytes.

    A chunked body is a stream that Glance reads in a way of its own under
    uWSGI; afterwards it is a plain body with a length. A body with a length
    is read directly.

    :raises OSError: if the client sends less than it announced
    """
    environ = request.environ
    if "HTTP_TRANSFER_ENCODING" in environ:
        if _DESERIALIZER.has_body(request):
            request.body = request.body
            del environ["HTTP_TRANSFER_ENCODING"]
        return
    length = request.content_length
    if not length or environ.get("webob.is_body_seekable"):
        return
    http.read_body(environ, length)


def _is_allowed_for_any_image(
    policy: Policy, context: Any, changes: Any
) -> bool:
    """Return whether a change is allowed for any image, which is not read.

    An administrator's is not: the image may be another project's, which the
    event has to name.
    """
    if not policy.enabled:
        return True
    if context.is_admin:
        return False
    for change in changes:
        name = change["path"][0]
        if name not in image_reader.READ:
            continue
        if name not in image_reader.ALONE or change["op"] == "remove":
            return False
        choices = image_reader.read({name: change["value"]}).choices
        if not choices or not are_allowed(policy, choices):
            return False
    return True


def _by_service(request: wsgi.Request) -> bool:
    """Return whether a service makes this image for a user.

    Nova's snapshot of an old server must not fail: a shelve would be left
    half done. A service is known by a confirmed service token *with* the
    role ``service``; whatever the body says of itself is the user's.
    """
    confirmed = request.environ.get("HTTP_X_SERVICE_IDENTITY_STATUS")
    roles = request.context.service_roles or ()
    return confirmed == "Confirmed" and any(
        role.lower() == "service" for role in roles
    )


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

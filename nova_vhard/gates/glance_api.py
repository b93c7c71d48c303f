# SPDX-License-Identifier: Apache-2.0
"""The Glance API's gate: a paste filter behind ``context``.

::

    [filter:vhard]
    paste.filter_factory = nova_vhard.gates.glance_api:filter_factory

It judges POST /v2/images and PATCH /v2/images/{id}, and nothing else: the
data of an image is never read.
"""

import io
import re
from collections.abc import Callable, Iterable
from typing import Any

import webob
import webob.exc
from glance.api.v2 import images
from glance.common import wsgi

from nova_vhard.gates import http
from nova_vhard.gates.glance_image import changed, stored
from nova_vhard.gates.http import Application, Environ, StartResponse
from nova_vhard.gates.judge import Judge
from nova_vhard.policy import explain
from nova_vhard.policy.subject import UPDATE, UPLOAD, Subject
from nova_vhard.policy.text import line
from nova_vhard.policy.verdict import Verdict
from nova_vhard.policy.watch import PolicyUnavailable
from nova_vhard.request import image as image_reader

_COLLECTION = "/v2/images"
_MEMBER = re.compile("/v2/images/([^/]+)$")


class _AnySchema:
    """Glance checks the body against its schema itself, afterwards."""

    def validate(self, obj: Any) -> None:
        """Accept everything."""


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
    """Refuse image properties that the policy does not allow."""

    def __init__(self, application: Application) -> None:
        """Stand in front of the rest of Glance's pipeline."""
        self._application = application
        self._judge = Judge("glance-api", "glance-api")

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Judge the request, or pass it on."""
        answer: webob.Response | None = None
        if http.overrides_method(environ):
            answer = _response(400, http.OVERRIDE_TEXT)
        elif environ["REQUEST_METHOD"] in ("POST", "PATCH"):
            answer = self._answer(environ)
        if answer is None:
            return self._application(environ, start_response)
        return answer(environ, start_response)  # type: ignore[no-any-return]

    def _answer(self, environ: Environ) -> webob.Response | None:
        """Return a refusal, or None to pass the request on."""
        path = http.path_of(environ)
        create = environ["REQUEST_METHOD"] == "POST" and path == _COLLECTION
        member = _MEMBER.match(path)
        update = environ["REQUEST_METHOD"] == "PATCH" and member
        if not create and not update:
            return None
        request = _Buffered(environ)
        try:
            buffer_body(wsgi.Request(environ))
            return (
                self._create(request)
                if create
                else self._update(request, member[1] if member else "")
            )
        except PolicyUnavailable:
            return _response(503, http.NO_POLICY_TEXT)
        except webob.exc.HTTPException:
            # Glance gives the same answer, and gives it better.
            return None
        except Exception:  # noqa: BLE001 - never unjudged into the store
            return _response(400, http.MALFORMED_TEXT)

    def _create(self, request: wsgi.Request) -> webob.Response | None:
        policy = self._judge.policy()
        wanted = _DESERIALIZER.create(request)
        image = wanted["image"]
        subject = _subject(
            request, UPLOAD, image.get("owner"), image.get("image_id")
        )
        hardware = image_reader.read(
            wanted["extra_properties"], image.get("disk_format")
        )
        verdict = self._judge.judge(
            policy, hardware, subject, service=_by_service(request)
        )
        return _refusal(verdict, subject)

    def _update(
        self, request: wsgi.Request, image_id: str
    ) -> webob.Response | None:
        policy = self._judge.policy()
        changes = _DESERIALIZER.update(request)["changes"]
        touched = frozenset(change["path"][0] for change in changes)
        if not touched & image_reader.READ:
            return None
        before = stored(self._application, request.environ)
        if before is None:
            return None
        after = changed(before, changes)
        subject = _subject(request, UPDATE, before.get("owner"), image_id)
        verdict = self._judge.judge_change(
            policy,
            image_reader.read(before, before.get("disk_format")),
            image_reader.read(after, after.get("disk_format")),
            touched,
            subject,
        )
        return _refusal(verdict, subject)


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


def _subject(
    request: wsgi.Request,
    operation: str,
    owner: str | None,
    image_id: str | None,
) -> Subject:
    """Return who asks: the project that owns the image, or will."""
    context = request.context
    project = owner or context.project_id
    own = project == context.project_id
    return Subject(
        operation=operation,
        project=project,
        domain=context.project_domain_id if own else None,
        roles=frozenset(context.roles or ()) if own else frozenset(),
        image=image_id,
    )


def _by_service(request: wsgi.Request) -> bool:
    """Tell whether a service makes this image for a user.

    Nova's snapshot of an old server must not fail: a shelve would be left
    half done. A service is known by a confirmed service token *with* the
    role ``service``; whatever the body says of itself is the user's.
    """
    confirmed = request.headers.get("X-Service-Identity-Status")
    roles = getattr(request.context, "service_roles", None) or ()
    return confirmed == "Confirmed" and any(
        role.lower() == "service" for role in roles
    )


def _refusal(verdict: Verdict, subject: Subject) -> webob.Response | None:
    if not verdict.refusals:
        return None
    return _response(403, explain.long(verdict.refusals, subject))


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
    return webob.Response(
        status=code, json_body=body, content_type="application/json"
    )

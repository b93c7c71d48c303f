# SPDX-License-Identifier: Apache-2.0
"""Requests as they come off the wire, and a user who sends them.

``Wire`` is one request, byte for byte.  ``User`` sends it to one of Glance's
applications (with or without our filter) with the token of one project.
"""

import contextlib
import io
import json
import sys
import types
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import pytest
import webob

from tests import logged
from tests.functional.glance import identity

PATCH_21 = "application/openstack-images-v2.1-json-patch"
PATCH_20 = "application/openstack-images-v2.0-json-patch"
OCTETS = "application/octet-stream"

#: How the body arrives: with a length, chunked through wsgi.input (a server
#: that decodes chunks itself), or chunked as uWSGI hands it over.
LENGTH, CHUNKED, UWSGI = "length", "chunked", "uwsgi"


@dataclass(frozen=True)
class Wire:
    """One request.

    ``{id}`` in the path stands for an image's id; ``mount`` is the prefix
    that the server has taken off the path already.
    """

    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    framing: str = LENGTH
    mount: str = ""

    def about(self, image_id: str) -> "Wire":
        """Return the same request with the id of an image in its path."""
        return replace(self, path=self.path.replace("{id}", image_id))

    def environ(self) -> dict[str, Any]:
        """Return the WSGI environment of this request."""
        request = webob.Request.blank(
            self.path, method=self.method, headers=dict(self.headers)
        )
        request.environ["SCRIPT_NAME"] = self.mount
        if self.content_type:
            request.environ["CONTENT_TYPE"] = self.content_type
        stream = b"" if self.framing == UWSGI else self.body
        request.environ["wsgi.input"] = io.BytesIO(stream)
        request.environ["CONTENT_LENGTH"] = str(len(stream))
        if self.framing != LENGTH:
            del request.environ["CONTENT_LENGTH"]
            request.environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        # A server leaves no notes of webob's there.
        return {
            key: value
            for key, value in request.environ.items()
            if not key.startswith("webob.")
        }


def create(properties: Mapping[str, Any], **parts: Any) -> Wire:
    """Return POST /v2/images with these properties as its JSON body."""
    wire = Wire("POST", "/v2/images", json.dumps(properties).encode())
    return replace(wire, **parts)


def update(*changes: Mapping[str, Any], **parts: Any) -> Wire:
    """Return PATCH /v2/images/{id} with these operations (v2.1)."""
    body = json.dumps(changes).encode()
    wire = Wire("PATCH", "/v2/images/{id}", body, content_type=PATCH_21)
    return replace(wire, **parts)


def add(path: str, value: Any) -> dict[str, Any]:
    """Return the v2.1 operation that sets a property, new or not."""
    return {"op": "add", "path": path, "value": value}


def remove(path: str) -> dict[str, Any]:
    """Return the v2.1 operation that removes a property."""
    return {"op": "remove", "path": path}


def message(response: webob.Response) -> str:
    """Return the explanation of a refusal in the one shape it has."""
    assert response.status_int == 403, response.text
    assert response.content_type == "application/json"
    assert response.json == {
        "forbidden": {
            "code": 403,
            "title": "Forbidden",
            "message": response.json["forbidden"]["message"],
        }
    }
    return str(response.json["forbidden"]["message"])


def refused(caplog: pytest.LogCaptureFixture, *parts: str) -> list[str]:
    """Return rule and value of each violation that was refused.

    :param parts: of a violation, if they are others
    """
    return sorted(
        "=".join(
            str(violation[part]).removeprefix("guest_devices.")
            for part in parts or ("rule", "value")
        )
        for event in logged.decisions(caplog)
        for violation in event["violations"]
        if violation["mode"] == "enforce"
    )


@contextlib.contextmanager
def _uwsgi(body: bytes) -> Iterator[None]:
    """Let Glance believe that it runs under uWSGI, which has the body.

    Like uWSGI's own, ``chunked_read`` gives chunk after chunk, and empty
    ones once it has given the last: the body can be had only once.
    """
    chunks = [body[at : at + 7] for at in range(0, len(body), 7)]

    def chunked_read() -> bytes:
        return chunks.pop(0) if chunks else b""

    module = types.SimpleNamespace(chunked_read=chunked_read)
    with mock.patch.dict(sys.modules, uwsgi=module):
        yield


@dataclass
class User:
    """A user of a project who speaks to one Glance application."""

    app: Any
    project: str = field(default_factory=lambda: uuid.uuid4().hex)
    roles: str = "member,reader"

    def of(self, app: Any) -> "User":
        """Return the same user at another application."""
        return replace(self, app=app)

    def send(self, wire: Wire) -> webob.Response:
        """Send a request and return the whole response."""
        token = identity.token(self.project, roles=self.roles)
        request = webob.Request(wire.environ() | {"HTTP_X_AUTH_TOKEN": token})
        uwsgi = wire.framing == UWSGI
        with _uwsgi(wire.body) if uwsgi else contextlib.nullcontext():
            return request.get_response(self.app)

    def create(self, **properties: Any) -> webob.Response:
        """Create an image with these properties."""
        return self.send(create({"name": "image", **properties}))

    def update(self, image: str, *changes: Any) -> webob.Response:
        """Apply v2.1 operations to an image, given by its id."""
        return self.send(update(*changes).about(image))

    def upload(self, image: str, data: bytes = b"data") -> str:
        """Upload an image's data; return its path."""
        path = f"/v2/images/{image}/file"
        response = self.send(Wire("PUT", path, data, OCTETS))
        assert response.status_int == 204, response.text
        return path

    def image(self, image: str) -> dict[str, Any]:
        """Return an image as Glance has stored it."""
        response = self.send(Wire("GET", f"/v2/images/{image}"))
        assert response.status_int == 200, response.text
        return dict(response.json)

    def images(self) -> list[dict[str, Any]]:
        """Return every image of this user's project."""
        response = self.send(Wire("GET", "/v2/images?visibility=shared"))
        assert response.status_int == 200, response.text
        return list(response.json["images"])

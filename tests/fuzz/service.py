# SPDX-License-Identifier: Apache-2.0
"""A gate before a cheap application that answers as its service would."""

import io
from collections.abc import Callable
from typing import Any

import webob

from nova_vhard.gates import http
from tests.fuzz.mutate import Mutator, patience

#: What the gates answer by themselves.
OWN = (400, 403)
MALFORMED = 400

Answer = Callable[[webob.Request], int]


class Service:
    """The WSGI application behind the gate.

    :param answer: reads a request as the service does; returns a status.
        What it raises is a 500, as behind the services' own fault wraps.
    """

    def __init__(self, answer: Answer, request: type = webob.Request) -> None:
        self.answer = answer
        self._request = request
        self.bodies: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        """Answer, and note the body that has arrived."""
        return webob.Response(status=self.status(environ), json_body={})(
            environ, start
        )

    def status(self, environ: dict[str, Any]) -> int:
        """Return the status that the service would answer."""
        request = self._request(environ)
        try:
            status = self.answer(request)
            self.bodies.append(request.body)
        except webob.exc.HTTPException as error:
            return int(error.status_int)
        except (Exception, RecursionError):
            return 500
        return status


def environment(
    method: str, path: str, body: bytes, kind: str
) -> dict[str, Any]:
    """Return the WSGI environment of a request as a server makes it."""
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "cloud.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def sent(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return a request with its body still to be read."""
    return {**environ, "wsgi.input": io.BytesIO(body)}


def answer(app: Any, environ: dict[str, Any]) -> int:
    """Send a request; return the status of the answer."""
    return int(webob.Request(environ).get_response(app).status_int)


def user_answer(app: Any, environ: dict[str, Any]) -> int:
    """Send a request to a whole pipeline; return the status of the answer."""
    try:
        with patience():
            return answer(app, environ)
    except Exception:
        # A server returns this status if the pipeline raises an exception.
        return 500


def check(
    gate: Any,
    service: Service,
    environ: dict[str, Any],
    body: bytes,
    item: Mutator,
) -> int:
    """Send one request with and without the gate.

    The gate does not raise, hang or turn another status into a 5xx. A request
    that the service accepts is accepted or refused by the policy, and the
    service reads exactly the bytes that were sent.

    :returns: the status with the gate
    """
    service.bodies = []
    alone = service.status(sent(environ, body))
    read, service.bodies = service.bodies, []
    with patience():
        status = answer(gate, sent(environ, body))
    details = (item.name, environ, body[:500], alone, status)
    assert status in OWN or (status, service.bodies) == (alone, read), details
    if status == MALFORMED and alone < MALFORMED:
        # what the service takes is refused for the policy's sake alone
        assert http.overrides_method(environ), details
    return status

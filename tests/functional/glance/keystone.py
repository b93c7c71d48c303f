# SPDX-License-Identifier: Apache-2.0
"""The least of a Keystone that clients need to find Glance.

Any name and password are right.  The token is the one that identity.py
understands; the catalogue holds the image service and nothing else.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from tests.functional.glance import identity

URL, IMAGE_URL = "http://keystone.example", "http://glance.example"
LOGIN = {
    "auth_url": f"{URL}/v3",
    "username": "alice",
    "password": "any",
    "project_name": "p",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}
_EXPIRY = "2999-01-01T00:00:00.000000Z"
_DOMAIN = {"id": "default", "name": "Default"}
_ENDPOINT = {
    "id": "1",
    "interface": "public",
    "region": "one",
    "region_id": "one",
    "url": IMAGE_URL,
}
_IMAGE = {"id": "1", "type": "image", "name": "glance"}
#: But for its project.
_TOKEN = {
    "methods": ["password"],
    "expires_at": _EXPIRY,
    "issued_at": _EXPIRY,
    "user": {"id": "alice", "name": "alice", "domain": _DOMAIN},
    "roles": [{"id": "member", "name": "member"}],
    "catalog": [{**_IMAGE, "endpoints": [_ENDPOINT]}],
}


class Keystone:
    """The WSGI application: discovery, and POST /v3/auth/tokens."""

    def __init__(self, project: str) -> None:
        self.project = project

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request for a token, and any other with the versions."""
        headers = [("Content-Type", "application/json")]
        if environ["PATH_INFO"].endswith("/auth/tokens"):
            subject = identity.token(self.project)
            headers.append(("X-Subject-Token", subject))
            scope = {"id": self.project, "name": "p", "domain": _DOMAIN}
            token = {**_TOKEN, "project": scope}
            status, answer = "201 Created", {"token": token}
        else:
            version = {
                "id": "v3.14",
                "status": "stable",
                "links": [{"rel": "self", "href": f"{URL}/v3/"}],
            }
            status, answer = "200 OK", {"version": version}
        body = json.dumps(answer).encode()
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

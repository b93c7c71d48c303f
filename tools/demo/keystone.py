# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Keystone: passwords in, tokens and a catalogue out.

It speaks as much of the v3 API as keystonemiddleware and the clients ask:
version discovery, POST and GET /v3/auth/tokens.
"""

import datetime
import json
import uuid

from demo import identity

_LIFE = datetime.timedelta(hours=12)


class Keystone:
    """A WSGI application.

    :param url: the address that it is served at
    :param services: service type -> region -> address
    """

    def __init__(self, url, services):
        self.url = url
        self.services = services
        self._tokens = {}

    def __call__(self, environ, start_response):
        status, headers, body = self._answer(environ)
        payload = json.dumps(body).encode() if body is not None else b""
        start_response(
            status,
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(payload))),
                *headers,
            ],
        )
        return [payload]

    def _answer(self, environ):
        path = environ["PATH_INFO"].rstrip("/")
        method = environ["REQUEST_METHOD"]
        if path in ("", "/v3"):
            return self._versions(path)
        if path == "/v3/auth/tokens" and method == "POST":
            return self._issue(environ)
        if path == "/v3/auth/tokens" and method == "GET":
            return self._validate(environ)
        return _error(404, "Not Found", f"{method} {path} is not played here")

    def _versions(self, path):
        version = {
            "id": "v3.14",
            "status": "stable",
            "links": [{"rel": "self", "href": f"{self.url}/v3/"}],
            "media-types": [],
        }
        if path == "/v3":
            return "200 OK", [], {"version": version}
        return (
            "300 Multiple Choices",
            [],
            {"versions": {"values": [version]}},
        )

    def _issue(self, environ):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        wanted = json.loads(environ["wsgi.input"].read(length))["auth"]
        claim = wanted["identity"].get("password", {}).get("user", {})
        user = identity.USERS.get(claim.get("name"))
        if user is None or claim.get("password") != identity.PASSWORD:
            return _error(401, "Unauthorized", "Who are you?")
        name = uuid.uuid4().hex
        self._tokens[name] = token = self._token(user)
        return "201 Created", [("X-Subject-Token", name)], {"token": token}

    def _validate(self, environ):
        name = environ.get("HTTP_X_SUBJECT_TOKEN", "")
        token = self._tokens.get(name)
        if environ.get("HTTP_X_AUTH_TOKEN") not in self._tokens:
            return _error(401, "Unauthorized", "Who asks?")
        if token is None:
            return _error(404, "Not Found", "No such token")
        return "200 OK", [("X-Subject-Token", name)], {"token": token}

    def _token(self, user):
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        return {
            "methods": ["password"],
            "user": {
                "id": user.id,
                "name": user.name,
                "domain": identity.DOMAIN,
                "password_expires_at": None,
            },
            "project": {
                "id": user.project_id,
                "name": user.project,
                "domain": identity.DOMAIN,
            },
            "is_domain": False,
            "roles": [{"id": role, "name": role} for role in user.roles],
            "catalog": self._catalogue(),
            "audit_ids": [uuid.uuid4().hex[:22]],
            "issued_at": now.isoformat() + "Z",
            "expires_at": (now + _LIFE).isoformat() + "Z",
        }

    def _catalogue(self):
        return [
            {
                "id": kind,
                "type": kind,
                "name": kind,
                "endpoints": [
                    {
                        "id": f"{kind}-{region}",
                        "interface": interface,
                        "region": region,
                        "region_id": region,
                        "url": url,
                    }
                    for region, url in regions.items()
                    for interface in ("public", "internal")
                ],
            }
            for kind, regions in self.services.items()
        ]


def _error(code, title, message):
    body = {"error": {"code": code, "title": title, "message": message}}
    return f"{code} {title}", [], body

# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Keystone: passwords in, tokens and a catalogue out.

It speaks as much of the v3 API as keystonemiddleware and the clients ask:
version discovery, POST and GET /v3/auth/tokens.
"""

import json
import os
import uuid

from keystoneauth1 import fixture

from cloud import daemons, facts, users

_IMPLIED = {"admin": ("member", "reader"), "member": ("reader",)}


class Keystone:
    """A WSGI application.

    :param facts: cloud.facts.Facts
    """

    def __init__(self, facts):
        self._facts = facts
        self._url = facts.url("keystone") + "/v3"
        self._users = {user.name: user for user in users.USERS}
        self._tokens = {}

    def __call__(self, environ, start_response):
        """Answer a request."""
        status, body, *headers = self._answer(environ)
        payload = json.dumps(body).encode()
        headers.append(("Content-Type", "application/json"))
        headers.append(("Content-Length", str(len(payload))))
        start_response(status, headers)
        return [payload]

    def _answer(self, environ):
        path = environ["PATH_INFO"].rstrip("/")
        version = fixture.V3Discovery(self._url)
        if path == "/v3":
            return "200 OK", {"version": version}
        if path == "":
            versions = {"versions": {"values": [version]}}
            return "300 Multiple Choices", versions
        method = environ["REQUEST_METHOD"]
        if path == "/v3/auth/tokens" and method == "POST":
            return self._issue(environ)
        if path == "/v3/auth/tokens" and method == "GET":
            return self._validate(environ)
        return _error("404 Not Found", f"{method} {path} is not played here")

    def _issue(self, environ):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        wanted = json.loads(environ["wsgi.input"].read(length))["auth"]
        claim = wanted["identity"].get("password", {}).get("user", {})
        user = self._users.get(claim.get("name"))
        if user is None or claim.get("password") != self._facts.password:
            return _error("401 Unauthorized", "no such user and password")
        name = uuid.uuid4().hex
        self._tokens[name] = token = self._token(user)
        return "201 Created", token, ("X-Subject-Token", name)

    def _validate(self, environ):
        name = environ.get("HTTP_X_SUBJECT_TOKEN", "")
        if environ.get("HTTP_X_AUTH_TOKEN") not in self._tokens:
            return _error("401 Unauthorized", "no such token asks")
        if name not in self._tokens:
            return _error("404 Not Found", "no such token")
        return "200 OK", self._tokens[name], ("X-Subject-Token", name)

    def _token(self, user):
        domain = {"domain_id": "default", "domain_name": "Default"}
        token = fixture.V3Token(
            user_id=identifier("user", user.name),
            user_name=user.name,
            user_domain_id="default",
            user_domain_name="Default",
        )
        token.set_project_scope(
            identifier("project", user.project), user.project, **domain
        )
        for role in user.roles:
            for name in (role, *_IMPLIED.get(role, ())):
                token.add_role(name, name)
        endpoints = {"identity": self._url}
        for kind, (name, path) in users.SERVICES.items():
            endpoints[kind] = self._facts.url(name) + path
        for kind, url in endpoints.items():
            token.add_service(kind, kind).add_standard_endpoints(
                public=url, internal=url, region=users.REGION
            )
        return token


def identifier(kind, name):
    """Return the id of a ``user`` or ``project``."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}.{name}").hex


def _error(status, message):
    code, _, title = status.partition(" ")
    error = {"code": int(code), "title": title, "message": message}
    return status, {"error": error}


def __getattr__(name):
    # Of the cloud that this process is of, for cloud.api alone.
    if name == "application":
        return Keystone(facts.load(os.environ[daemons.MARK]))
    raise AttributeError(name)

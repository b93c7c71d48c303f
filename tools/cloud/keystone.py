# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Keystone: passwords in, tokens and a catalogue out.

It speaks as much of the v3 API as keystonemiddleware and the clients ask:
version discovery, POST and GET /v3/auth/tokens.
"""

import os
import uuid

import webob
from keystoneauth1 import fixture
from webob import dec

from cloud import daemons, facts, users

_IMPLIED = {"admin": ("member", "reader"), "member": ("reader",)}


class Keystone:
    """A WSGI application."""

    def __init__(self, facts):
        self._facts = facts
        self._url = facts.url("keystone") + "/v3"
        self._users = {user.name: user for user in (users.ADMIN, *users.MADE)}
        self._tokens = {}

    @dec.wsgify
    def __call__(self, request):
        version = fixture.V3Discovery(self._url)
        match request.method, request.path.rstrip("/"):
            case _, "/v3":
                return _response(200, {"version": version})
            case _, "":
                return _response(300, {"versions": {"values": [version]}})
            case "POST", "/v3/auth/tokens":
                return self._issue(request.json["auth"])
            case "GET", "/v3/auth/tokens":
                return self._validate(request.headers)
        return _response(404)

    def _issue(self, wanted):
        claim = wanted["identity"].get("password", {}).get("user", {})
        user = self._users.get(claim.get("name"))
        if user is None or claim.get("password") != self._facts.password:
            return _response(401)
        name = uuid.uuid4().hex
        self._tokens[name] = token = self._token(user)
        return _response(201, token, name)

    def _validate(self, headers):
        name = headers.get("X-Subject-Token")
        if headers.get("X-Auth-Token") not in self._tokens:
            return _response(401)
        if name not in self._tokens:
            return _response(404)
        return _response(200, self._tokens[name], name)

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
        services = {"identity": ("keystone", "/v3"), **users.SERVICES}
        for kind, (name, path) in services.items():
            url = self._facts.url(name) + path
            token.add_service(kind, kind).add_standard_endpoints(
                public=url, internal=url, region=users.REGION
            )
        return token


def identifier(kind, name):
    """Return the id of a ``user`` or ``project``."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}.{name}").hex


def _response(status, body=None, token=None):
    body = body or {"error": {"code": status, "message": "no"}}
    response = webob.Response(json_body=body, status=status)
    if token:
        response.headers["X-Subject-Token"] = token
    return response


#: Of the cloud that this process is of.
application = Keystone(facts.load(os.environ[daemons.MARK]))

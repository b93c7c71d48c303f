# SPDX-License-Identifier: Apache-2.0
"""Replacement for keystonemiddleware's auth_token in Glance's pipeline.

A token is the identity: ``project/user/role,role``. Like auth_token, it drops
identity headers from the client and sets its own. A service token has the
same form.
"""

from collections.abc import Callable, Iterable
from typing import Any

_FORGEABLE = (
    "HTTP_X_IDENTITY_STATUS",
    "HTTP_X_PROJECT_ID",
    "HTTP_X_TENANT_ID",
    "HTTP_X_USER_ID",
    "HTTP_X_ROLES",
    "HTTP_X_PROJECT_DOMAIN_ID",
    "HTTP_X_SERVICE_IDENTITY_STATUS",
    "HTTP_X_SERVICE_ROLES",
)


def token(
    project: str,
    user: str = "alice",
    roles: str = "member,reader",
) -> str:
    """Return the token of a user with comma-separated roles in a project."""
    return f"{project}/{user}/{roles}"


class TokenAsIdentity:
    """The WSGI filter: X-Auth-Token in, identity headers out."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Set the identity, or none for a request without a token."""
        for name in _FORGEABLE:
            environ.pop(name, None)
        environ["HTTP_X_IDENTITY_STATUS"] = "Invalid"
        if token := environ.get("HTTP_X_AUTH_TOKEN"):
            project, user, roles = token.split("/")
            environ |= {
                "HTTP_X_IDENTITY_STATUS": "Confirmed",
                "HTTP_X_PROJECT_ID": project,
                "HTTP_X_USER_ID": user,
                "HTTP_X_ROLES": roles,
                "HTTP_X_PROJECT_DOMAIN_ID": "default",
            }
        service = environ.get("HTTP_X_SERVICE_TOKEN")
        if service == "expired":
            environ["HTTP_X_SERVICE_IDENTITY_STATUS"] = "Invalid"
        elif service:
            environ["HTTP_X_SERVICE_IDENTITY_STATUS"] = "Confirmed"
            environ["HTTP_X_SERVICE_ROLES"] = service.split("/")[2]
        return self.app(environ, start_response)


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[..., TokenAsIdentity]:
    """Build the filter, as paste asks for it."""
    return TokenAsIdentity

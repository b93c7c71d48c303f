# SPDX-License-Identifier: Apache-2.0
"""The token check of Glance's tests, with service tokens.

X-Service-Token is read like X-Auth-Token: as in auth_token with a valid one,
all of its roles go into X-Service-Roles.
"""

from collections.abc import Callable, Iterable
from typing import Any

from tests.functional.glance import identity

FACTORY = "tests.functional.bypass.glance.identity:filter_factory"


class WithService:
    """The WSGI filter in front of the rest of the pipeline."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Add what the service token says, after the user's token."""
        return identity.TokenAsIdentity(self._service)(environ, start_response)

    def _service(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        token = environ.get("HTTP_X_SERVICE_TOKEN")
        if token == "expired":
            environ["HTTP_X_SERVICE_IDENTITY_STATUS"] = "Invalid"
        elif token:
            environ["HTTP_X_SERVICE_IDENTITY_STATUS"] = "Confirmed"
            environ["HTTP_X_SERVICE_ROLES"] = token.split("/")[2]
        return self.app(environ, start_response)


def filter_factory(
    _global_conf: dict[str, str], **_local_conf: str
) -> Callable[..., WithService]:
    """Build the filter, as paste asks for it."""
    return WithService

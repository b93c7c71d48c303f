# SPDX-License-Identifier: Apache-2.0
"""What of a body is valid to Nova, by the schemas that its methods carry.

Nova 34 keeps them on the method. Before that nobody can ask for them: the
readers then take the body as it is sent, and Nova refuses what is not valid.
"""

import functools
from types import SimpleNamespace
from typing import Any

from nova.api.openstack import api_version_request
from nova.api.validation import validators


class NotAccepted(Exception):
    """Raised when Nova itself answers a request with a 4xx."""


def validate(function: Any, request: Any, body: Any) -> None:
    """Validate a body; what Nova ignores of it is taken out.

    :param function: method of a controller, as Nova would call it
    :param request: a Nova Request whose microversion is set
    :raises nova.exception.ValidationError: if the body is not valid
    """
    schemas = getattr(function, "request_body_schemas", None)
    if schemas is not None:
        legacy = request.is_legacy_v2()
        # To the v2 API Nova applies the schemas of 2.0 alone.
        version = request.api_version_request.get_string()
        validator = _validator(schemas, "2.0" if legacy else version, legacy)
        if validator is not None:
            validator.validate(body)


@functools.lru_cache(maxsize=1024)
def _validator(schemas: Any, version: str, legacy: bool) -> Any:
    """Return Nova's validator of a method's body; None if it has none.

    Nova makes one for each request, which costs six times what it does with
    it.
    """
    asked = api_version_request.APIVersionRequest(version)
    schema = schemas(SimpleNamespace(api_version_request=asked))
    if schema is None:
        return None
    return validators._SchemaValidator(schema, legacy)

# SPDX-License-Identifier: Apache-2.0
"""Validation of request bodies with the schemas of Nova's controller methods.

Since Nova 32, each method has its schemas as an attribute. Nova 31 does not
expose them: the readers then get the body as it was sent, and if they find
nothing to refuse in an invalid one, Nova rejects it.
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
        # For the v2 API, Nova uses only the schemas of 2.0.
        version = request.api_version_request.get_string()
        validator = _validator(schemas, "2.0" if legacy else version, legacy)
        if validator is not None:
            # For the v2 API this removes unknown keys from the body itself, as
            # in Nova (``_soft_validate_additional_properties``), so the
            # readers do not see them.
            validator.validate(body)


# The client chooses the version, but set_api_version_request has refused any
# that Nova does not have: about a hundred for each judged method.
@functools.lru_cache(maxsize=1024)
def _validator(schemas: Any, version: str, legacy: bool) -> Any:
    """Return Nova's validator for a method's body, or None if it has none.

    Nova creates a validator for each request. That takes six times as long as
    the validation, so validators are cached here.
    """
    # Nova's schema lookup reads one attribute of a request. By giving it no
    # more, a cached validator cannot depend on the request that came first.
    asked = api_version_request.APIVersionRequest(version)
    schema = schemas(SimpleNamespace(api_version_request=asked))
    if schema is None:
        return None
    return validators._SchemaValidator(schema, legacy)

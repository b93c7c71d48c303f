# SPDX-License-Identifier: Apache-2.0
"""Placement without the check of its own schemas at each request.

``jsonschema.validate`` checks a schema against the schema of schemas whenever
it is called: a quarter of the processor of a test that sends many requests.
Here a schema is checked when it is first used.
"""

import types
from typing import Any

import jsonschema
from jsonschema import exceptions, validators
from placement import util

#: By the identity of the schema, which the validator keeps alive.
_VALIDATORS: dict[int, Any] = {}


def _validate(data: Any, schema: Any, format_checker: Any) -> None:
    """Stand in for ``jsonschema.validate``."""
    if id(schema) not in _VALIDATORS:
        kind = validators.validator_for(schema)
        kind.check_schema(schema)
        _VALIDATORS[id(schema)] = kind(schema, format_checker=format_checker)
    errors = _VALIDATORS[id(schema)].iter_errors(data)
    if error := exceptions.best_match(errors):
        raise error


def install() -> None:
    """Have it so from now on in this process."""
    util.jsonschema = types.SimpleNamespace(
        validate=_validate,
        FormatChecker=jsonschema.FormatChecker,
        ValidationError=jsonschema.ValidationError,
    )

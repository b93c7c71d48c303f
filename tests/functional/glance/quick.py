# SPDX-License-Identifier: Apache-2.0
"""What Glance does with every request that it needs to do once only.

``jsonschema.validate`` checks a schema against the schema of schemas whenever
it is called: two fifths of the processor of a test that sends many requests.
Here a schema is checked when it first comes. Glance makes the same one anew
for each request, so that it is known by what stands in it.
"""

import json
import types
from typing import Any

import jsonschema
from jsonschema import exceptions, validators

_CHECKED: set[str] = set()


def _validate(data: Any, schema: Any) -> None:
    """Stand in for ``jsonschema.validate``."""
    text = json.dumps(schema, sort_keys=True)
    kind = validators.validator_for(schema)
    if text not in _CHECKED:
        kind.check_schema(schema)
        _CHECKED.add(text)
    if error := exceptions.best_match(kind(schema).iter_errors(data)):
        raise error


def install() -> None:
    """Have it so from now on in this process."""
    from glance import schema

    schema.jsonschema = types.SimpleNamespace(
        validate=_validate, ValidationError=jsonschema.ValidationError
    )

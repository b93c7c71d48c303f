# SPDX-License-Identifier: Apache-2.0
"""Cache of work that Glance repeats for every request.

``jsonschema.validate`` checks a schema against the schema of schemas at each
call: two fifths of the processor time of a test that sends many requests.
Here a schema is checked at its first use. Glance builds the same one again
for each request, so that its content is the key.
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
    """Install the cache in this process."""
    from glance import schema

    schema.jsonschema = types.SimpleNamespace(
        validate=_validate, ValidationError=jsonschema.ValidationError
    )

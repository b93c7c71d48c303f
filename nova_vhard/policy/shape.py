# SPDX-License-Identifier: Apache-2.0
"""What a JSON schema has against a file, in an operator's words."""

from collections.abc import Iterator
from typing import Any

import jsonschema

from nova_vhard.policy.problems import Path, nearest
from nova_vhard.policy.text import quote

Fault = tuple[Path, str]


def schema_faults(
    data: Any, validator: jsonschema.Draft202012Validator
) -> Iterator[Fault]:
    """Yield what a schema has against some content, in an operator's words.

    :param validator: of a schema with no other kinds of demands than a
        policy's; each ``pattern`` has a ``description`` that says what a
        value is not
    """
    error: Any
    for error in validator.iter_errors(data):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            known = error.schema["properties"]
            for key in error.instance:
                if key not in known:
                    hint = nearest(key, known)
                    yield (*path, key), f"is not a known key{hint}"
        else:
            yield path, _message(error)


def _message(error: Any) -> str:
    """Say what a jsonschema.ValidationError means to an operator."""
    found = quote(error.instance)
    expected = error.validator_value
    if error.validator == "enum":
        names = [str(one) for one in expected]
        hint = nearest(error.instance, names)
        return f"{found} is none of {', '.join(names)}{hint}"
    if error.validator == "required":
        missing = [key for key in expected if key not in error.instance]
        return f"lacks {', '.join(missing)}"
    if error.validator == "type":
        wanted = [expected] if isinstance(expected, str) else expected
        return f"{found} must be a {' or '.join(wanted)}"
    if error.validator == "pattern":
        return f"{found} is {error.schema['description']}"
    if error.validator == "anyOf":
        return f'{found} must be a list or "*"'
    return f"{found} is empty"

# SPDX-License-Identifier: Apache-2.0
"""Describe JSON schema errors in terms that operators know."""

from collections.abc import Iterable, Iterator
from typing import Any

import jsonschema

from nova_vhard.common.problems import Path, nearest
from nova_vhard.common.text import clean, quote

Fault = tuple[Path, str]

#: Keys of a mapping that a message names, at most.
_NAMED = 10

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "nothing",
}
_EMPTY = frozenset(("minLength", "minItems", "minProperties"))
_OTHER = frozenset(("type", "enum", "pattern", "format"))


def schema_faults(
    data: Any, validator: jsonschema.protocols.Validator
) -> Iterator[Fault]:
    """Yield one error for each path that does not match a schema.

    The path of a missing or unknown key includes the key.

    :param validator: validator of a schema; each ``pattern`` in the schema
        must have a ``title`` that describes the expected value
    """
    # One value can violate several keywords of the schema, such as its length
    # and its pattern. Report it once.
    seen: set[Path] = set()
    error: Any
    for error in validator.iter_errors(data):
        for path, message in _faults(error, tuple(error.absolute_path)):
            if path not in seen:
                seen.add(path)
                yield path, message


def _faults(error: Any, path: Path) -> Iterator[Fault]:
    known = error.schema.get("properties", {})
    if error.validator == "additionalProperties":
        for key in error.instance:
            if key not in known:
                near = nearest(key, known) or f" (known: {_first(known)})"
                yield (*path, key), f"is not a known key{near}"
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                wanted = describe(known.get(key, {}))
                yield (*path, key), f"is missing and must be {wanted}"
    elif "propertyNames" in error.absolute_schema_path:
        yield (*path, error.instance), _message(error)
    else:
        yield path, _message(error)


def _message(error: Any) -> str:
    value, wanted = error.instance, describe(error.schema)
    if error.validator == "maxLength":
        most = error.validator_value
        return f"{quote(value)} is longer than {most} characters"
    if value is None or error.validator in _EMPTY:
        return f"is empty and must be {wanted}"
    if error.validator not in _OTHER:
        return clean(error.message, 200)
    if isinstance(value, list | dict):
        kind = _TYPES["array" if isinstance(value, list) else "object"]
        return f"must be {wanted}, not {kind}"
    near = ""
    if error.validator == "enum":
        near = nearest(value, map(str, error.validator_value))
    return f"{shown(value)} must be {wanted}{near}"


def shown(value: object) -> str:
    """Return a scalar in quotes, spelled as in YAML."""
    return quote(str(value).lower() if isinstance(value, bool) else value)


def _first(names: Iterable[object]) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:_NAMED]) + (", …" if listed[_NAMED:] else "")


def describe(schema: Any) -> str:
    """Return what a schema wants, in an operator's words.

    :returns: for example ``a mapping with require, mode``
    """
    if "title" in schema:
        return str(schema["title"])
    if "enum" in schema:
        names = _first(schema["enum"])
        return f"one of {names}" if schema["enum"][1:] else names
    wanted = schema.get("type", "text")
    if schema.get("properties"):
        return f"a mapping with {_first(schema['properties'])}"
    kinds = [wanted] if isinstance(wanted, str) else wanted
    return " or ".join(_TYPES.get(kind, kind) for kind in kinds)

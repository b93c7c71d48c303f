# SPDX-License-Identifier: Apache-2.0
"""What a JSON schema has against a file, in an operator's words."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jsonschema

from nova_vhard.common.problems import Path, nearest
from nova_vhard.common.text import clean, quote

Fault = tuple[Path, str]
Hint = Callable[[object, Any], str]

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


def schema_faults(
    data: Any,
    validator: jsonschema.Draft202012Validator,
    hint: Hint = nearest,
) -> Iterator[Fault]:
    """Yield what a schema has against some content, in an operator's words.

    :param validator: of a schema; each ``pattern`` in it has a
        ``description`` that says what a value is not, or a ``title``, which
        says what is wanted
    :param hint: proposes a known name for a word, as ``nearest`` does
    """
    error: Any
    for error in validator.iter_errors(data):
        yield from _faults(error, tuple(error.absolute_path), hint)


def _faults(error: Any, path: Path, hint: Hint) -> Iterator[Fault]:
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        for key in error.instance:
            if key not in known:
                near = hint(key, known) or f" (known: {_first(known)})"
                yield (*path, key), f"is not a known key{near}"
        return
    yield path, _message(error, hint)


def _message(error: Any, hint: Hint) -> str:
    """Return what a jsonschema.ValidationError means to an operator."""
    expected = error.validator_value
    if error.validator in ("type", "enum"):
        return _unwanted(error, hint)
    if error.validator == "required":
        missing = [key for key in expected if key not in error.instance]
        return f"lacks {', '.join(missing)}"
    if error.validator == "pattern":
        what = error.schema.get("description")
        is_not = f"is {what}" if what else f"must be {describe(error.schema)}"
        return f"{quote(error.instance)} {is_not}"
    if error.validator == "maxLength":
        return f"{quote(error.instance)} is longer than {expected} characters"
    if error.validator in ("maxItems", "maxProperties"):
        return f"has more than {expected} entries"
    if error.validator in _EMPTY:
        return f"{quote(error.instance)} is empty"
    return clean(error.message, 200)


def _unwanted(error: Any, hint: Hint) -> str:
    """Say what is wanted in place of what stands there."""
    value, wanted = error.instance, describe(error.schema)
    if value is None:
        return f"is empty and must be {wanted}"
    if isinstance(value, list | dict):
        kind = _TYPES["array" if isinstance(value, list) else "object"]
        return f"must be {wanted}, not {kind}"
    if error.validator == "enum":
        names = [str(name) for name in error.validator_value]
        near = hint(value, names)
        return f"{_scalar(value)} is none of {', '.join(names)}{near}"
    return f"{_scalar(value)} must be {wanted}"


def _scalar(value: Any) -> str:
    return quote(str(value).lower() if isinstance(value, bool) else value)


def _first(properties: Iterable[str]) -> str:
    names = list(properties)
    return ", ".join(names[:_NAMED]) + (", …" if names[_NAMED:] else "")


def describe(schema: Any) -> str:
    """Return what a schema wants, in an operator's words.

    :returns: for example ``a mapping with require, mode``
    """
    if "title" in schema:
        return str(schema["title"])
    if "enum" in schema:
        names = [str(name) for name in schema["enum"]]
        return f"one of {', '.join(names)}" if names[1:] else names[0]
    wanted = schema.get("type", "text")
    if schema.get("properties"):
        return f"a mapping with {_first(schema['properties'])}"
    kinds = [wanted] if isinstance(wanted, str) else wanted
    return " or ".join(_TYPES.get(kind, kind) for kind in kinds)

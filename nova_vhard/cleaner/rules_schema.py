# SPDX-License-Identifier: Apache-2.0
"""JSON schema of a rules file.

Each step has its own schema for ``settings``.
"""

from collections.abc import Iterable
from typing import Any

_TEXT = {"type": "string", "minLength": 1}
_NUMBER = {
    "type": "string",
    "pattern": "^(0x)?[0-9a-fA-F]{4}$",
    "title": "four hexadecimal digits, such as '144d'",
}
_CLASS = {
    "type": "string",
    "pattern": "^(0x)?([0-9a-fA-F]{2}){1,3}$",
    "title": "a class of two, four or six hexadecimal digits, such as '0108'",
}
_PRIORITY = {
    "type": "string",
    "pattern": "^[1-9][0-9]{0,3}$",
    "title": "a whole number from 1 to 9999",
}
_SECONDS = {
    "type": "string",
    "pattern": "^[1-9][0-9]{0,4}$",
    "title": "a whole number of seconds from 1 to 99999",
}


def _some(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


def _keys(*needed: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(needed),
        "properties": properties,
        "additionalProperties": False,
    }


def schema(steps: Iterable[str]) -> dict[str, Any]:
    """Return the schema of a rules file.

    :param steps: names of the steps that are installed
    """
    step = _keys(
        "step",
        step={"enum": sorted(steps)},
        priority=_PRIORITY,
        time_limit=_SECONDS,
        settings={"type": "object"},
    )
    match = _keys(
        vendor=_NUMBER, products=_some(_NUMBER), classes=_some(_CLASS)
    )
    entry = _keys(
        "name",
        "match",
        "steps",
        name=_TEXT,
        match={**match, "minProperties": 1},
        steps=_some(step),
    )
    return _keys(
        "version",
        "devices",
        version={"enum": ["1"]},
        devices={"type": "array", "items": entry},
    )

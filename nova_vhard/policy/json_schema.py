# SPDX-License-Identifier: Apache-2.0
"""What the JSON schemas of our files are made of."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
BOOL: Schema = {"type": "boolean"}


def array(items: Schema, least: int = 0) -> Schema:
    """Return the schema of a list.

    :param least: how many items it must have
    """
    return {"type": "array", "items": items} | (
        {"minItems": least} if least else {}
    )


def mapping(values: Schema) -> Schema:
    """Return the schema of an object with any keys."""
    return {"type": "object", "additionalProperties": values}


def keys(*required: str, **properties: Schema) -> Schema:
    """Return the schema of an object with these keys and no others.

    :param required: names of those that must be there
    """
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


TEXTS = array(TEXT)
SOME_TEXTS = array(TEXT, least=1)

# SPDX-License-Identifier: Apache-2.0
"""Building blocks of the JSON schemas of our files."""

from typing import Any

Schema = dict[str, Any]

#: Characters of a name or value: Nova stores no longer ones.
NAME_LIMIT = 255

TEXT: Schema = {"type": "string", "minLength": 1}
NAME: Schema = {**TEXT, "maxLength": NAME_LIMIT}
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
    return {
        "type": "object",
        "additionalProperties": values,
        "propertyNames": {"maxLength": NAME_LIMIT},
    }


def list_or_any(items: Schema) -> Schema:
    """Return the schema of a list, or of ``*`` instead of one.

    ``anyOf`` is not used: it collects all errors in the list before it can
    report the first one.
    """
    return {
        "type": ["array", "string"],
        "items": items,
        "pattern": r"^\*\Z",
        "title": 'a list or "*"',
    }


def titled(schema: Schema, title: str) -> Schema:
    """Return a schema with the words for what it wants.

    :param title: ``a mapping of device kinds to rules``
    """
    return {**schema, "title": title}


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
# ``format`` has an effect only if the validator has a format checker.
DATE: Schema = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z",
    "format": "date",
    "title": "a date, such as 2027-03-31",
}
NAMES = array(NAME)

# SPDX-License-Identifier: Apache-2.0
"""openstack vhard policy schema: JSON schemas of our files for other tools.

They suit the YAML server of an editor. Our own reader reads every scalar
except booleans as text. Other readers read 2 as a number, so these schemas
accept a number wherever text is allowed.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any

from nova_vhard.cleaner import rules
from nova_vhard.osc.output import Offline
from nova_vhard.osc.policy import case_file
from nova_vhard.policy import schema

Schema = dict[str, Any]


def _cleaning() -> Schema:
    """Return the schema of a rules file, with installed steps' settings."""
    steps = rules.installed_steps()
    whole = _published("Rules of nova-vhard-cleaner", rules.schema(steps))
    entry = whole["properties"]["devices"]["items"]
    entry["properties"]["steps"]["items"]["allOf"] = [
        {
            "if": {"properties": {"step": {"const": name}}},
            "then": {
                "properties": {"settings": _plain(dict(steps[name].schema))}
            },
        }
        for name in sorted(steps)
    ]
    return whole


#: Name of a kind of file to what makes its schema.
SCHEMAS: dict[str, Callable[[], Schema]] = {
    "policy": lambda: _published("Policy of nova-vhard", schema.SCHEMA),
    "tests": lambda: _published(
        "Tests of a policy of nova-vhard", case_file.SCHEMA
    ),
    "cleaning": _cleaning,
}


def _published(title: str, content: Schema) -> Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **_plain(content),
    }


def _plain(content: Schema) -> Schema:
    """Return a schema in standard JSON schema keywords.

    Titles become descriptions, because editors show descriptions to users.
    """
    result = {
        key: value
        for key, value in content.items()
        if key not in ("title", *schema.KEYWORDS)
    }
    if "title" in content:
        result["description"] = content["title"]
    if "pattern" in content:
        result["pattern"] = content["pattern"].replace(r"\Z", "$")
    result |= _widened(content)
    if "properties" in content:
        result["properties"] = {
            name: _plain(part) for name, part in content["properties"].items()
        }
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(content.get(key), dict):
            result[key] = _plain(content[key])
    return result


def _widened(content: Schema) -> Schema:
    """Return the keywords that accept a number in place of a text."""
    if content.get("enum") == ["1"]:
        return {"enum": ["1", 1]}
    types = content.get("type")
    names = [types] if isinstance(types, str) else list(types or ())
    if "string" not in names or "array" in names:
        return {}
    return {"type": [*names, "number"]}


class PrintSchema(Offline):
    """Print the JSON schema of a nova-vhard file.

    For an editor, or for a linter such as check-jsonschema. The schema covers
    each key by itself. Only policy check, policy test and nova-vhard-cleaner
    check-rules also check how keys fit together. The same schemas are
    installed next to the samples. Needs no cloud.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the kind of file."""
        parser.add_argument(
            "kind",
            nargs="?",
            choices=tuple(SCHEMAS),
            default="policy",
            help="Kind of file: a policy, tests of one, or the rules of "
            "nova-vhard-cleaner (default: %(default)s).",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Print it."""
        content = json.dumps(SCHEMAS[parsed_args.kind](), indent=2)
        for text in content.split("\n"):
            self.answer(text)

# SPDX-License-Identifier: Apache-2.0
"""The faults of one policy file: its schema first, then its meaning."""

from collections.abc import Iterator
from typing import Any

import jsonschema
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common.json_schema import NAME_LIMIT
from nova_vhard.common.problems import Hints
from nova_vhard.common.schema_errors import Fault, schema_faults
from nova_vhard.common.text import quote
from nova_vhard.policy import release
from nova_vhard.policy.meaning import Meaning, refused_replacements
from nova_vhard.policy.schema import SCHEMA

_VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def faults(data: Any) -> Iterator[Fault]:
    """Yield what is wrong with one file, each with its place.

    :param data: the content of the file, as plain data
    """
    if data is None:
        yield (), 'the file is empty; it needs at least version: "1"'
        return
    if not isinstance(data, dict):
        yield (), "a policy is a mapping of keys, not a list or a word"
        return
    unmet = list(_requires(data.get("requires")))
    if unmet:
        yield from unmet
        return
    hints = Hints()
    broken = set()
    for path, message in schema_faults(data, _VALIDATOR, hints.nearest):
        broken.add(path)
        yield path, message
    yield from Meaning(hints, broken).faults(data)


def _requires(spec: Any) -> Iterator[Fault]:
    if not isinstance(spec, str) or len(spec) > NAME_LIMIT:
        return
    try:
        wanted = SpecifierSet(spec)
    except InvalidSpecifier:
        yield ("requires",), f'{quote(spec)} is no version; write ">=1.0"'
        return
    if release.RUNNING is None or release.RUNNING not in wanted:
        runs = release.RUNNING or "an unknown version"
        text = f"this policy needs nova-vhard {quote(spec)} and {runs} runs"
        yield ("requires",), f"{text}: upgrade the package and restart"


def duplicates(data: dict[str, Any]) -> Iterator[Fault]:
    """Yield what only shows once all files are one.

    :param data: what a file and those that it extends come to
    """
    versions = data.get("requires", "")
    if len(versions) > NAME_LIMIT:
        text = f"is longer than {NAME_LIMIT} characters, all files together"
        yield ("requires",), text
    seen: set[str] = set()
    for index, entry in enumerate(data.get("exemptions", [])):
        if entry["id"] in seen:
            path = ("exemptions", index, "id")
            yield path, f"{quote(entry['id'])} is the id of two exemptions"
        seen.add(entry["id"])
    for name, rule in data.get("guest_devices", {}).items():
        if "allow" not in rule:
            yield ("guest_devices", name), "lacks its list of allowed values"
        elif "replace" in rule:
            for old, text in refused_replacements(KINDS[name], rule):
                yield ("guest_devices", name, "replace", old), text

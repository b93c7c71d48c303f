# SPDX-License-Identifier: Apache-2.0
"""The faults of one policy file: its schema first, then its meaning."""

import datetime
import fnmatch
import importlib.metadata
from collections.abc import Iterator
from typing import Any

import jsonschema
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.kinds import DeviceKind
from nova_vhard.catalogue.passthrough import OF_DEVICES
from nova_vhard.catalogue.profiles import PROFILES
from nova_vhard.policy.model import Values
from nova_vhard.policy.problems import Path, nearest
from nova_vhard.policy.schema import SCHEMA
from nova_vhard.policy.shape import Fault, schema_faults
from nova_vhard.policy.text import quote

_VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
_SELECTORS = ("projects", "domains", "images", "flavors", "roles")
_PATTERN = frozenset("*?[")
_HOST_RULES = ("passthrough.require", "hosts.require")
_REQUIRED = (*CHECKS, *PROFILES)
_REQUIRED_OF = {
    "passthrough.require": (*_REQUIRED, *sorted(OF_DEVICES)),
    "hosts.require": _REQUIRED,
}
_RULES = (
    *(f"guest_devices.{kind}" for kind in KINDS),
    "passthrough.allow",
    *_HOST_RULES,
)


def installed_version() -> Version:
    """Return the version of this package without any suffix."""
    found = Version(importlib.metadata.version("nova-vhard"))
    return Version(found.base_version)


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
    wrong = list(schema_faults(data, _VALIDATOR))
    yield from wrong
    yield from _meaning(data, [path for path, _ in wrong])


def _requires(spec: Any) -> Iterator[Fault]:
    if not isinstance(spec, str):
        return
    try:
        wanted = SpecifierSet(spec)
    except InvalidSpecifier:
        yield ("requires",), f'{quote(spec)} is no version; write ">=1.0"'
        return
    have = installed_version()
    if have not in wanted:
        yield (
            ("requires",),
            f"this policy needs nova-vhard {spec} and {have} is installed; "
            "upgrade the package on this host first",
        )


def _meaning(data: dict[str, Any], broken: list[Path]) -> Iterator[Fault]:
    """Check every entry whose shape is right."""
    checks = (
        ("guest_devices", _device),
        ("projects", _project),
        ("exemptions", _exemption),
    )
    for path in (("passthrough", "require"), ("hosts", "require")):
        listed = (data.get(path[0]) or {}).get(path[1], ())
        if all(one[: len(path)] != path for one in broken):
            yield from _check_names(listed, path, ".".join(path))
    for section, judge in checks:
        if (section,) in broken or not data.get(section):
            continue
        entries = data[section]
        keys = entries if isinstance(entries, dict) else range(len(entries))
        for key in keys:
            place: Path = (section, key)
            if all(one[:2] != place for one in broken):
                yield from judge(entries[key], place)


def _check_names(listed: Any, path: Path, rule: str) -> Iterator[Fault]:
    known = _REQUIRED_OF[rule]
    for index, name in enumerate(listed):
        if name in known:
            continue
        text = f"{quote(name)} is not a check{nearest(name, known)}"
        if name in OF_DEVICES:
            text = (
                f"{quote(name)} is asked of a device, not of a host; it "
                "belongs into passthrough.require"
            )
        yield (*path, index), text


def _device(rule: dict[str, Any], path: Path) -> Iterator[Fault]:
    kind = KINDS[str(path[1])]
    for index, value in enumerate(rule.get("allow", ())):
        yield from _value(kind, value, (*path, "allow", index))
    yield from _replacements(kind, rule, path)
    if rule.get("explicit") and not kind.image_properties:
        text = "no image property sets this, so no image can be asked to"
        yield (*path, "explicit"), text


def _replacements(
    kind: DeviceKind, rule: dict[str, Any], path: Path
) -> Iterator[Fault]:
    allowed = Values(tuple(kind.canonical(v) for v in rule.get("allow", ())))
    for old, new in rule.get("replace", {}).items():
        place = (*path, "replace", old)
        if old != "*":
            yield from _value(kind, old, place)
        if "allow" in rule and kind.canonical(new) not in allowed:
            yield place, f"{quote(new)} is not in the rule's list allow"


def _value(kind: DeviceKind, value: Any, path: Path) -> Iterator[Fault]:
    text = kind.canonical(value)
    if kind.value_type == "int":
        if not text.isdigit() and text != "*":
            yield path, f"{quote(value)} is no number"
        return
    if not kind.values or text in kind.values:
        return
    if set(text) & _PATTERN:
        if not fnmatch.filter(kind.values, text):
            yield path, f"{quote(value)} matches no value that nova knows"
        return
    yield (
        path,
        f"{quote(value)} is not a {kind.name} that nova knows"
        f"{nearest(value, kind.values)}",
    )


def _project(entry: dict[str, Any], path: Path) -> Iterator[Fault]:
    if not entry.get("projects") and not entry.get("domains"):
        yield path, "names neither projects nor domains"


def _exemption(entry: dict[str, Any], path: Path) -> Iterator[Fault]:
    if not any(entry.get(name) for name in _SELECTORS):
        yield path, f"names none of {', '.join(_SELECTORS)}"
    elif entry.get("images") and not entry.get("projects"):
        yield (
            (*path, "images"),
            "holds only together with projects: whoever uploads an image "
            "can choose its id",
        )
    try:
        datetime.date.fromisoformat(entry["until"])
    except ValueError:
        yield (*path, "until"), f"{quote(entry['until'])} is no date"
    for rule, values in entry["rules"].items():
        yield from _exempted(rule, values, (*path, "rules", rule))


def _exempted(rule: str, values: Any, path: Path) -> Iterator[Fault]:
    if rule not in _RULES:
        hint = nearest(rule, _RULES)
        yield path, f"is not the id of a rule{hint}"
    elif values == "*" or rule == "passthrough.allow":
        return
    elif rule in _HOST_RULES:
        yield from _check_names(values, path, rule)
    else:
        kind = KINDS[rule.partition(".")[2]]
        for index, value in enumerate(values):
            yield from _value(kind, value, (*path, index))


def duplicates(data: dict[str, Any]) -> Iterator[Fault]:
    """Yield what only shows once all files are one.

    :param data: what a file and those that it extends come to
    """
    seen: set[str] = set()
    for index, entry in enumerate(data.get("exemptions", [])):
        if entry["id"] in seen:
            path = ("exemptions", index, "id")
            yield path, f"{quote(entry['id'])} is the id of two exemptions"
        seen.add(entry["id"])
    for name, rule in data.get("guest_devices", {}).items():
        if "allow" not in rule:
            yield ("guest_devices", name), "lacks its list of allowed values"

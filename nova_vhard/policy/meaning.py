# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a policy file whose shape is right."""

import datetime
import fnmatch
from collections.abc import Iterator, Set
from typing import Any

from nova_vhard.catalogue.checks import REQUIRABLE
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.kinds import DeviceKind, is_boolean
from nova_vhard.catalogue.passthrough import OF_DEVICES
from nova_vhard.catalogue.profiles import PROFILES
from nova_vhard.common.problems import Hints, Path
from nova_vhard.common.schema_errors import Fault
from nova_vhard.common.text import quote
from nova_vhard.policy.model import Values

#: Patterns of one file: each is made a regular expression of.
MAX_PATTERNS = 10_000

_SELECTORS = ("projects", "domains", "images", "flavors", "roles", "servers")
#: Characters that make a pattern of a value.
PATTERN = frozenset("*?[")
_HOST_RULES = ("passthrough.require", "hosts.require")
_REQUIRED = (*REQUIRABLE, *PROFILES)
_REQUIRED_OF = {
    "passthrough.require": (*_REQUIRED, *sorted(OF_DEVICES)),
    "hosts.require": _REQUIRED,
}
#: Where the names of checks are, for one that is near to none.
_LIST = " (nova-vhard-reporter check lists them)"
_RULES = (
    *(f"guest_devices.{kind}" for kind in KINDS),
    "passthrough.allow",
    *_HOST_RULES,
)


def refused_replacements(
    kind: DeviceKind, rule: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield what is replaced by a value that the same rule refuses, and why.

    :param rule: of guest_devices, with ``allow`` and ``replace``
    """
    allowed = Values(tuple(kind.listed(value) for value in rule["allow"]))
    for old, new in rule["replace"].items():
        if kind.canonical(new) not in allowed:
            yield old, f"{quote(new)} is not in the rule's list allow"


class Meaning:
    """Looks for values that mean nothing, or not what they seem to.

    :param hints: proposes known names
    :param broken: places that the schema has something against
    """

    def __init__(self, hints: Hints, broken: Set[Path]) -> None:
        """Keep what is broken already; what is below it is left alone."""
        self._nearest = hints.nearest
        self._patterns = 0
        self._broken = {path[:2] for path in broken}

    def faults(self, data: dict[str, Any]) -> Iterator[Fault]:
        """Yield the faults of every entry whose shape is right.

        :param data: the content of the file
        """
        for path in (("passthrough", "require"), ("hosts", "require")):
            section = data.get(path[0])
            if isinstance(section, dict) and path not in self._broken:
                listed = section.get(path[1], ())
                yield from self._check_names(listed, path, ".".join(path))
        assume = data.get("assume")
        if isinstance(assume, dict):
            yield from self._architectures(assume)
        for section, judge in (
            ("guest_devices", self._device),
            ("projects", self._project),
            ("exemptions", self._exemption),
        ):
            entries = data.get(section)
            if not entries or (section,) in self._broken:
                continue
            listed = not isinstance(entries, dict)
            for key in range(len(entries)) if listed else entries:
                place: Path = (section, key)
                if place not in self._broken:
                    yield from judge(entries[key], place)

    def _architectures(self, assume: dict[str, Any]) -> Iterator[Fault]:
        """Yield what Nova never calls the architecture of a host or guest."""
        kind = KINDS["architecture"]
        for key in ("architecture", "machine_type"):
            place: Path = ("assume", key)
            named = {} if place in self._broken else assume.get(key, {})
            for name in [named] if isinstance(named, str) else named:
                if name in kind.values:
                    continue
                path = place if name is named else (*place, name)
                near = self._nearest(kind.canonical(name), kind.values)
                yield path, f"nova calls no architecture {quote(name)}{near}"

    def _check_names(
        self, listed: Any, path: Path, rule: str
    ) -> Iterator[Fault]:
        known = _REQUIRED_OF[rule]
        for index, name in enumerate(listed):
            if name in known:
                continue
            if name in OF_DEVICES:
                text = (
                    f"{quote(name)} is asked of a device, not of a host; it "
                    "belongs into passthrough.require"
                )
            else:
                near = self._nearest(name, known) or _LIST
                text = f"{quote(name)} is not a check{near}"
            yield (*path, index), text

    def _device(self, rule: dict[str, Any], path: Path) -> Iterator[Fault]:
        kind = KINDS[str(path[1])]
        for index, value in enumerate(rule.get("allow", ())):
            yield from self._value(kind, value, (*path, "allow", index))
        yield from self._replacements(kind, rule, path)
        if rule.get("explicit") and not kind.image_properties:
            text = "no image property sets this, so no image can be asked to"
            yield (*path, "explicit"), text

    def _replacements(
        self, kind: DeviceKind, rule: dict[str, Any], path: Path
    ) -> Iterator[Fault]:
        replaced = rule.get("replace")
        if not replaced:
            return
        if kind.of_file:
            text = "it goes with the file that was signed: sign it anew"
            yield (*path, "replace"), text
            return
        for old, new in replaced.items():
            place = (*path, "replace", old)
            if old != "*":
                yield from self._single(kind, old, place)
            yield from self._single(kind, new, place)
        if "allow" in rule:
            for old, text in refused_replacements(kind, rule):
                yield (*path, "replace", old), text

    def _single(
        self, kind: DeviceKind, value: str, path: Path
    ) -> Iterator[Fault]:
        if set(value) & PATTERN:
            yield path, f"{quote(value)} is a pattern: name a single value"
        else:
            yield from self._value(kind, value, path)

    def _value(
        self, kind: DeviceKind, value: Any, path: Path
    ) -> Iterator[Fault]:
        text = kind.listed(value)
        if text == "*":
            return
        if kind.value_type == "int":
            if not (text.isascii() and text.isdigit()):
                yield path, f"{quote(value)} is no number"
            return
        if kind.value_type == "bool":
            if not is_boolean(value):
                yield path, f"{quote(value)} is neither true nor false"
            return
        if not kind.values and isinstance(value, bool):
            yield path, f"{quote(text)} must be text: put it in quotes"
            return
        if not kind.values or text in kind.values:
            return
        if set(text) & PATTERN:
            self._patterns += 1
            if self._patterns < MAX_PATTERNS:
                if not fnmatch.filter(kind.values, text):
                    text = f"{quote(value)} matches no value that nova knows"
                    yield path, text
            elif self._patterns == MAX_PATTERNS:
                yield path, f"is one pattern too many: number {MAX_PATTERNS}"
            return
        yield (
            path,
            f"{quote(value)} is not a {kind.name} that nova knows"
            f"{self._nearest(value, kind.values)}",
        )

    def _project(self, entry: dict[str, Any], path: Path) -> Iterator[Fault]:
        if not entry.get("projects") and not entry.get("domains"):
            yield path, "names neither projects nor domains"

    def _exemption(self, entry: dict[str, Any], path: Path) -> Iterator[Fault]:
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
            yield from self._exempted(rule, values, (*path, "rules", rule))

    def _exempted(self, rule: str, values: Any, path: Path) -> Iterator[Fault]:
        if rule not in _RULES:
            near = self._nearest(rule, _RULES)
            yield path, f"is not the id of a rule{near}"
        elif values == "*" or rule == "passthrough.allow":
            return
        elif rule in _HOST_RULES:
            yield from self._check_names(values, path, rule)
        else:
            kind = KINDS[rule.partition(".")[2]]
            for index, value in enumerate(values):
                yield from self._value(kind, value, (*path, index))

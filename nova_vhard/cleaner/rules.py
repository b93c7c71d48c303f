# SPDX-License-Identifier: Apache-2.0
"""Rules that assign cleaning steps to devices: ``cleaning.yaml``.

The first entry that matches a device wins. A device that matches no entry is
not released. The file is loaded and validated as a policy file is; each step
has a schema of its own for ``settings``.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema
from stevedore import extension

from nova_vhard.cleaner.step import NAMESPACE, TIME_LIMIT, Step
from nova_vhard.common import source, yaml_lines
from nova_vhard.common.json_schema import TEXT, Schema, array, keys
from nova_vhard.common.log import get_logger
from nova_vhard.common.problems import Path, PolicyError, problem
from nova_vhard.common.schema_errors import Fault, schema_faults
from nova_vhard.common.text import quote
from nova_vhard.host.pci.pci import PciDevice

LOG = get_logger(__name__)

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


@dataclass(frozen=True)
class StepRule:
    """One step of an entry.

    :ivar step: name of the step
    :ivar settings: the step's own, valid by its schema
    :ivar priority: the higher, the earlier
    :ivar time_limit: seconds
    """

    step: str
    settings: Mapping[str, Any]
    priority: int
    time_limit: float


@dataclass(frozen=True)
class Entry:
    """Cleaning steps for the devices that the entry matches.

    :ivar name: its name in the file
    :ivar vendors: four hexadecimal digits each; empty for any
    :ivar products: likewise
    :ivar classes: first two, four or six digits of a class; empty for any
    :ivar steps: in the order in which they run, never empty
    """

    name: str
    vendors: frozenset[str]
    products: frozenset[str]
    classes: frozenset[str]
    steps: tuple[StepRule, ...]

    def matches(self, device: PciDevice, device_class: str) -> bool:
        """Return whether this entry is for a device.

        :param device_class: as the kernel writes it: ``0x010802``
        """
        digits = device_class.removeprefix("0x").lower()
        return (
            device.vendor in (self.vendors or {device.vendor})
            and device.product in (self.products or {device.product})
            and (not self.classes or digits.startswith(tuple(self.classes)))
        )

    def covers(self, other: "Entry") -> bool:
        """Return whether this matches every device that another matches."""
        return (
            _within(other.vendors, self.vendors)
            and _within(other.products, self.products)
            and (
                not self.classes
                or (
                    bool(other.classes)
                    and all(
                        class_.startswith(tuple(self.classes))
                        for class_ in other.classes
                    )
                )
            )
        )


def _within(narrow: frozenset[str], wide: frozenset[str]) -> bool:
    """Return whether a condition, empty for any, lies within another."""
    return not wide or (bool(narrow) and narrow <= wide)


@dataclass(frozen=True)
class Rules:
    """A rules file.

    :ivar file: its path
    :ivar digest: of its content, for the record of what was done
    """

    file: str
    digest: str
    entries: tuple[Entry, ...]

    def entry_for(self, device: PciDevice, device_class: str) -> Entry | None:
        """Return the first entry that matches a device.

        :param device_class: as the kernel writes it: ``0x010802``
        :returns: None for none: the device is never released
        """
        matching = (
            entry
            for entry in self.entries
            if entry.matches(device, device_class)
        )
        return next(matching, None)


def schema(steps: Iterable[str]) -> Schema:
    """Return the schema of a rules file.

    :param steps: names of the steps that are installed
    """
    step = keys(
        "step",
        step={"enum": sorted(steps)},
        priority=_PRIORITY,
        time_limit=_SECONDS,
        settings={"type": "object"},
    )
    match = keys(
        vendor=_NUMBER, products=array(_NUMBER, 1), classes=array(_CLASS, 1)
    )
    entry = keys(
        "name",
        "match",
        "steps",
        name=TEXT,
        match={**match, "minProperties": 1},
        steps=array(step, 1),
    )
    return keys(
        "version",
        "devices",
        version={"enum": ["1"]},
        devices=array(entry),
    )


class RulesError(PolicyError):
    """A rules file cannot be used.

    :ivar problems: every fault that was found, by line
    """


def installed_steps() -> dict[str, Step]:
    """Return every step that is installed, by name.

    One that cannot be loaded is logged and left out: rules that name it are
    refused.
    """

    def unusable(_: Any, entry: Any, error: BaseException) -> None:
        """Log a step that cannot be loaded."""
        LOG.error("Cleaning step %s cannot be loaded: %s", entry.name, error)

    manager = extension.ExtensionManager(
        NAMESPACE, invoke_on_load=True, on_load_failure_callback=unusable
    )
    return {item.name: item.obj for item in manager}


def load(path: str, steps: Mapping[str, Step] | None = None) -> Rules:
    """Read a rules file.

    :param steps: steps by name; by default those that are installed
    :raises RulesError: with every fault of the file
    """
    steps = installed_steps() if steps is None else steps
    try:
        text = source.read_text(path)
    except source.UnreadableError as error:
        raise RulesError(
            [problem(path, error.line, (), str(error))]
        ) from error
    data, _, problems = yaml_lines.load(
        path, text, lambda data: _faults(data, steps)
    )
    if problems:
        raise RulesError(problems)
    content = json.dumps(data, sort_keys=True).encode()
    return Rules(
        file=path,
        digest=hashlib.sha256(content).hexdigest()[:16],
        entries=tuple(_entry(device, steps) for device in data["devices"]),
    )


def _faults(data: Any, steps: Mapping[str, Step]) -> Iterator[Fault]:
    if not isinstance(data, dict):
        yield (), "must be a mapping with version and devices"
        return
    validator = jsonschema.Draft202012Validator(schema(steps))
    wrong = list(schema_faults(data, validator))
    yield from wrong
    broken = {path[:2] for path, _ in wrong}
    if ("devices",) in broken:
        return
    names: set[str] = set()
    before: list[Entry] = []
    for index, device in enumerate(data["devices"]):
        place: Path = ("devices", index)
        if place in broken:
            continue
        if device["name"] in names:
            text = f"{quote(device['name'])} is the name of two entries"
            yield (*place, "name"), text
        names.add(device["name"])
        yield from _settings(device["steps"], steps, (*place, "steps"))
        if "products" in device["match"] and "vendor" not in device["match"]:
            text = "a product's number means nothing without its vendor"
            yield (*place, "match", "products"), text
        entry = _entry(device, steps)
        for item in before:
            if item.covers(entry):
                yield (
                    (*place, "match"),
                    f"is never reached: {quote(item.name)}, which stands "
                    "before it, matches all of it; put it before that",
                )
                break
        before.append(entry)


def _settings(
    listed: list[dict[str, Any]], steps: Mapping[str, Step], path: Path
) -> Iterator[Fault]:
    for index, item in enumerate(listed):
        place: Path = (*path, index, "settings")
        step, settings = steps[item["step"]], item.get("settings", {})
        validator = jsonschema.Draft202012Validator(step.schema)
        for fault, text in schema_faults(settings, validator):
            yield place + fault, text


def _entry(fields: Mapping[str, Any], steps: Mapping[str, Step]) -> Entry:
    match = fields["match"]
    result = [
        StepRule(
            step=step["step"],
            settings=step.get("settings", {}),
            priority=int(step.get("priority", steps[step["step"]].priority)),
            time_limit=float(step.get("time_limit", TIME_LIMIT)),
        )
        for step in fields["steps"]
    ]
    return Entry(
        name=fields["name"],
        vendors=_numbers([match["vendor"]] if "vendor" in match else []),
        products=_numbers(match.get("products", [])),
        classes=_numbers(match.get("classes", [])),
        # Of two with the same priority the one that stands first is first.
        steps=tuple(sorted(result, key=lambda step: -step.priority)),
    )


def _numbers(texts: list[str]) -> frozenset[str]:
    return frozenset(item.lower().removeprefix("0x") for item in texts)

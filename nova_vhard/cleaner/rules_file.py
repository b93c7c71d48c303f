# SPDX-License-Identifier: Apache-2.0
"""Load and validate a rules file, as a policy file is."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from stevedore import extension

from nova_vhard.cleaner.rules import (
    Entry,
    Rules,
    StepRule,
)
from nova_vhard.cleaner.rules_schema import schema
from nova_vhard.cleaner.step import (
    NAMESPACE,
    TIME_LIMIT,
    Step,
)
from nova_vhard.common import source, yaml_lines
from nova_vhard.common.log import get_logger
from nova_vhard.common.problems import (
    Path,
    PolicyError,
    problem,
)
from nova_vhard.common.schema_errors import Fault, schema_faults
from nova_vhard.common.text import quote

LOG = get_logger(__name__)


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

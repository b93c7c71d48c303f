# SPDX-License-Identifier: Apache-2.0
"""Load and validate a policy file and those that it extends."""

import datetime
import hashlib
import importlib.resources
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.profiles import expand
from nova_vhard.policy import check, yaml_lines
from nova_vhard.policy.model import (
    Assume,
    DeviceRule,
    Exemption,
    HostsRule,
    Mode,
    PassthroughRule,
    Policy,
    ProjectMode,
    Values,
)
from nova_vhard.policy.problems import PolicyError, Problem, spell

SHIPPED = ("baseline", "strict")

# Lists that add up over files; every other list replaces the one before.
_ADDED_UP = ("projects", "exemptions")
_SELECTORS = ("projects", "domains", "images", "flavors", "roles")


def shipped(name: str) -> str:
    """Return the path of a policy that comes with the package."""
    folder = importlib.resources.files("nova_vhard.policy") / "shipped"
    return str(folder / f"{name}.yaml")


def load(path: str, watched: list[str] | None = None) -> Policy:
    """Read a policy file and everything that it extends.

    :param path: path of the file
    :param watched: filled with the path of every file that was tried, also
        when the policy turns out to be unusable
    :raises PolicyError: with every fault of every file
    """
    return build(*effective(path, watched))


def effective(
    path: str, watched: list[str] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Return what a file and those that it extends come to.

    :returns: the merged content, and the files, the outermost first
    :raises PolicyError: with every fault of every file
    """
    files: list[str] = [] if watched is None else watched
    problems: list[Problem] = []
    data = _chain(os.path.abspath(path), files, problems)
    if not problems:
        problems += [
            Problem(files[0], 1, spell(place), message)
            for place, message in check.duplicates(data)
        ]
    if problems:
        raise PolicyError(problems)
    return data, files


def restore(data: Any, file: str) -> Policy:
    """Make a Policy of a kept copy, judged by this version's rules.

    :param data: what ``effective`` returned when it was kept
    :param file: where it was kept
    :raises PolicyError: if it is not valid in this version
    """
    faults = list(check.faults(data)) or list(check.duplicates(data))
    if faults:
        raise PolicyError(
            Problem(file, 1, spell(place), text) for place, text in faults
        )
    return build(data, [file])


def _chain(
    path: str, files: list[str], problems: list[Problem]
) -> dict[str, Any]:
    files.append(path)
    data, lines = _read(path, problems)
    if not isinstance(data, dict):
        return {}
    base = data.pop("extends", None)
    if not isinstance(base, str):
        return data
    target = (
        shipped(base)
        if base in SHIPPED
        else os.path.join(os.path.dirname(path), base)
    )
    target = os.path.abspath(target)
    line = lines.of(("extends",))
    if target in files:
        text = "extends itself, by way of other files"
        problems.append(Problem(path, line, "extends", text))
        return data
    if not os.path.exists(target):
        text = (
            f"there is no file {target}, and the policies that ship with "
            f"the package are {', '.join(SHIPPED)}"
        )
        problems.append(Problem(path, line, "extends", text))
        files.append(target)
        return data
    below = _chain(target, files, problems)
    return data if problems else _merge(below, data)


def _read(path: str, problems: list[Problem]) -> tuple[Any, yaml_lines.Lines]:
    """Read one file; what is wrong with it goes into problems."""
    count = len(problems)

    def report(line: int, place: yaml_lines.Path, message: str) -> None:
        problems.append(Problem(path, line, spell(place), message))

    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        report(1, (), f"is not UTF-8: {error.reason}")
        return None, yaml_lines.Lines({})
    except OSError as error:
        report(1, (), f"cannot be read: {error.strerror}")
        return None, yaml_lines.Lines({})
    data, lines = yaml_lines.read(text, report)
    if data is not None or len(problems) == count:
        for place, message in check.faults(data):
            report(lines.of(place), place, message)
    return data, lines


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Mappings merge, lists replace; projects and exemptions add up."""
    merged = dict(base)
    for key, value in over.items():
        if key in _ADDED_UP:
            merged[key] = value + base.get(key, [])
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = _merge(base[key], value)
        else:
            merged[key] = value
    return merged


def build(data: Mapping[str, Any], files: list[str]) -> Policy:
    """Make a Policy of content that was found valid.

    :param data: the merged content
    :param files: where it came from
    """
    content = json.dumps(data, sort_keys=True).encode()
    assume = data.get("assume", {})
    moves = data.get("moves", {})
    types = data.get("applies_to", {}).get("hypervisor_type", ["QEMU", "KVM"])
    return Policy(
        digest=hashlib.sha256(content).hexdigest()[:16],
        files=tuple(files),
        enabled=data.get("enabled", True),
        mode=Mode(data.get("mode", Mode.ENFORCE)),
        hypervisor_types=frozenset(name.lower() for name in types),
        assume=Assume(**assume),
        guest_devices={
            name: _rule(name, rule)
            for name, rule in data.get("guest_devices", {}).items()
        },
        passthrough=_passthrough(data.get("passthrough")),
        hosts=_hosts(data.get("hosts", {})),
        moves_guest_devices=Mode(moves.get("guest_devices", Mode.WARN)),
        moves_hosts=Mode(moves.get("hosts", Mode.WARN)),
        projects=tuple(
            ProjectMode(Mode(one["mode"]), **_sets(one, _SELECTORS[:2]))
            for one in data.get("projects", ())
        ),
        exemptions=tuple(
            _exemption(one) for one in data.get("exemptions", ())
        ),
    )


def _sets(
    entry: Mapping[str, Any], names: tuple[str, ...]
) -> dict[str, frozenset[str]]:
    return {name: frozenset(entry.get(name, ())) for name in names}


def _values(kind: str, listed: Any) -> Values:
    if listed == "*":
        return Values(("*",))
    if kind == "require":
        return Values(tuple(sorted(expand(listed))))
    if kind not in KINDS:
        return Values(tuple(str(value) for value in listed))
    return Values(tuple(KINDS[kind].canonical(value) for value in listed))


def _mode(entry: Mapping[str, Any]) -> Mode | None:
    return Mode(entry["mode"]) if "mode" in entry else None


def _passthrough(entry: Mapping[str, Any] | None) -> PassthroughRule | None:
    if entry is None:
        return None
    allow = entry.get("allow", {})
    return PassthroughRule(
        allow={kind: _values(kind, listed) for kind, listed in allow.items()},
        require=expand(entry.get("require", ())),
        mode=_mode(entry),
    )


def _hosts(entry: Mapping[str, Any]) -> HostsRule:
    return HostsRule(
        require=expand(entry.get("require", ())),
        mode=_mode(entry),
        max_report_age=int(entry.get("max_report_age", 2)),
    )


def _rule(name: str, rule: Mapping[str, Any]) -> DeviceRule:
    return DeviceRule(
        kind=name,
        allow=_values(name, rule["allow"]),
        mode=_mode(rule),
        explicit=rule.get("explicit", False),
        replace={
            KINDS[name].canonical(old): KINDS[name].canonical(new)
            for old, new in rule.get("replace", {}).items()
        },
    )


def _exemption(entry: Mapping[str, Any]) -> Exemption:
    sets = _sets(entry, _SELECTORS)
    sets["roles"] = frozenset(role.lower() for role in sets["roles"])
    return Exemption(
        id=entry["id"],
        reason=entry["reason"],
        until=datetime.date.fromisoformat(entry["until"]),
        rules={
            rule: _values(rule.partition(".")[2], values)
            for rule, values in entry["rules"].items()
        },
        **sets,
    )

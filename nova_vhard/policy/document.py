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
from nova_vhard.catalogue.passthrough import OF_DEVICES
from nova_vhard.catalogue.profiles import expand
from nova_vhard.policy import check, origin, yaml_lines
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

_SELECTORS = ("projects", "domains", "images", "flavors", "roles")


def shipped(name: str) -> str:
    """Return the path of a policy that comes with the package."""
    folder = importlib.resources.files("nova_vhard.policy") / "shipped"
    return str(folder / f"{name}.yaml")


def resolve(name: str, folder: str = "") -> str:
    """Return the path of a policy: a shipped one's name, or a path.

    :param folder: what a relative path is relative to
    """
    return shipped(name) if name in SHIPPED else os.path.join(folder, name)


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
    tree, files = merged(path, watched)
    return origin.plain(tree), files


def merged(
    path: str, watched: list[str] | None = None
) -> tuple[origin.Tree, list[str]]:
    """Return what files come to, each value with where it was said.

    :returns: the merged tree, and the files, the outermost first
    :raises PolicyError: with every fault of every file
    """
    files: list[str] = [] if watched is None else watched
    problems: list[Problem] = []
    tree = _chain(os.path.abspath(path), files, problems)
    if not problems:
        nowhere = origin.Said(None, files[0], 1)
        for place, message in check.duplicates(origin.plain(tree)):
            said = origin.find(tree, place) or nowhere
            problems.append(
                Problem(said.file, said.line, spell(place), message)
            )
    if problems:
        raise PolicyError(problems)
    return tree, files


def own(path: str) -> origin.Tree:
    """Return what one file says itself, whatever it extends.

    :raises PolicyError: with every fault of this file
    """
    problems: list[Problem] = []
    path = os.path.abspath(path)
    data, lines = _read(path, problems)
    if problems:
        raise PolicyError(problems)
    tree: origin.Tree = origin.tree(data, path, lines)
    return tree


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
) -> origin.Tree:
    files.append(path)
    data, lines = _read(path, problems)
    if not isinstance(data, dict):
        return {}
    base = data.pop("extends", None)
    tree: origin.Tree = {} if problems else origin.tree(data, path, lines)
    if not isinstance(base, str):
        return tree
    target = os.path.abspath(resolve(base, os.path.dirname(path)))
    line = lines.of(("extends",))
    if target in files:
        text = "extends itself, by way of other files"
        problems.append(Problem(path, line, "extends", text))
        return tree
    if not os.path.exists(target):
        text = (
            f"there is no file {target}, and the policies that ship with "
            f"the package are {', '.join(SHIPPED)}"
        )
        problems.append(Problem(path, line, "extends", text))
        files.append(target)
        return tree
    below = _chain(target, files, problems)
    return tree if problems else _merge(below, tree)


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
        if key in origin.ADDED_UP:
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
    required = expand(entry.get("require", ()))
    return PassthroughRule(
        allow={kind: _values(kind, listed) for kind, listed in allow.items()},
        require=required - OF_DEVICES,
        mode=_mode(entry),
        of_devices=required & OF_DEVICES,
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

# SPDX-License-Identifier: Apache-2.0
"""Load and validate a policy file and those that it extends."""

import contextlib
import dataclasses
import importlib.resources
import os
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.specifiers import SpecifierSet

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common import source, yaml_lines
from nova_vhard.common.problems import (
    PATH_LIMIT,
    Path,
    PolicyError,
    Problems,
    unexpected,
)
from nova_vhard.common.source import MAX_SIZE
from nova_vhard.common.text import clean
from nova_vhard.policy import (
    assemble,
    check,
    origin,
)
from nova_vhard.policy.meaning import refused_replacements
from nova_vhard.policy.model import Policy

SHIPPED = ("baseline", "scs", "strict")

#: Files of one policy: the outermost, and those that it extends.
MAX_FILES = 8


def shipped(name: str) -> str:
    """Return the path of a policy that comes with the package."""
    folder = importlib.resources.files("nova_vhard.policy") / "shipped"
    return str(folder / f"{name}.yaml")


def resolve(name: str, folder: str = "") -> str:
    """Return the path of a policy: a shipped one's name, or a path.

    :param folder: what a relative path is relative to
    """
    return shipped(name) if name in SHIPPED else os.path.join(folder, name)


@contextlib.contextmanager
def _no_other_exception(path: str) -> Iterator[None]:
    """Turn every exception but PolicyError into one.

    Whatever happens while a policy is read, the file counts as a bad one:
    whoever has a good policy keeps it.
    """
    try:
        yield
    except PolicyError:
        raise
    except Exception as error:
        raise unexpected(path, error) from error


def load(
    path: str, watched: list[str] | None = None, limit: int = MAX_SIZE
) -> Policy:
    """Read a policy file and everything that it extends.

    :param path: path of the file
    :param watched: filled with the path of every file that was tried, also
        when the policy turns out to be unusable
    :param limit: bytes that each file may have
    :raises PolicyError: with the faults of every file
    """
    return build(*effective(path, watched, limit))


def effective(
    path: str, watched: list[str] | None = None, limit: int = MAX_SIZE
) -> tuple[dict[str, Any], list[str]]:
    """Return what a file and those that it extends come to.

    :returns: the merged content, and the files, the outermost first
    :raises PolicyError: with the faults of every file
    """
    with _no_other_exception(path):
        tree, files = merged(path, watched, limit)
        return origin.plain(tree), files


def merged(
    path: str, watched: list[str] | None = None, limit: int = MAX_SIZE
) -> tuple[origin.Tree, list[str]]:
    """Return what files come to, each value with where it was said.

    :returns: the merged tree, and the files, the outermost first
    :raises PolicyError: with the faults of every file
    """
    with _no_other_exception(path):
        files: list[str] = [] if watched is None else watched
        problems = Problems()
        tree = _chain(os.path.abspath(path), files, problems, limit)
        if not problems.count:
            _check_merged(tree, files[0], problems)
        if problems.count:
            raise problems.error()
        return tree, files


def _check_merged(tree: origin.Tree, file: str, problems: Problems) -> None:
    nowhere = origin.Said(None, file, 1)
    for place, message in check.duplicates(origin.plain(tree)):
        if problems.full:
            return
        result = origin.find(tree, place) or nowhere
        problems.add(result.file, result.line, place, message)


def own(path: str, limit: int = MAX_SIZE) -> origin.Tree:
    """Return what one file says itself, whatever it extends.

    :raises PolicyError: with the faults of this file
    """
    with _no_other_exception(path):
        problems = Problems()
        path = os.path.abspath(path)
        data, lines = _read(path, problems, limit)
        if problems.count:
            raise problems.error()
        tree: origin.Tree = origin.tree(data, path, lines)
        return tree


def restore(data: Any, file: str) -> Policy:
    """Make a Policy of a kept copy, judged by this version's rules.

    :param data: what ``effective`` returned when it was kept
    :param file: where it was kept
    :raises PolicyError: if it is not valid in this version
    """
    with _no_other_exception(file):
        problems = Problems()
        for faults in (check.faults, check.duplicates):
            for place, text in faults(data):
                problems.add(file, 1, place, text)
                if problems.full:
                    break
            if problems.count:
                raise problems.error()
        return build(data, [file])


def _chain(
    path: str, files: list[str], problems: Problems, limit: int
) -> origin.Tree:
    files.append(path)
    data, lines = _read(path, problems, limit)
    if not isinstance(data, dict):
        return {}
    base = data.pop("extends", None)
    tree: origin.Tree = origin.tree(data, path, lines)
    if not isinstance(base, str) or not base:
        return tree
    target = os.path.abspath(resolve(base, os.path.dirname(path)))
    unusable = _unusable(target, files)
    if unusable:
        problems.add(path, lines.of(("extends",)), ("extends",), unusable)
        return tree
    below = _chain(target, files, problems, limit)
    if problems.count:
        return tree
    return _with_requires(below, tree, _merge(_narrowed(below, tree), tree))


def _unusable(target: str, files: list[str]) -> str:
    """Say why a file cannot be extended; empty if it can.

    :param files: those that extend it, the outermost first; one that is not
        there is added, so that it is seen when it appears
    """
    if target in files:
        return "extends itself, by way of other files"
    if len(files) >= MAX_FILES:
        return f"more than {MAX_FILES} files extend each other"
    if not os.path.exists(target):
        files.append(target)
        return (
            f"there is no file {clean(target, PATH_LIMIT)}, and the policies "
            f"that ship with the package are {', '.join(SHIPPED)}"
        )
    return ""


def _read(
    path: str, problems: Problems, limit: int
) -> tuple[Any, yaml_lines.Lines]:
    """Read one file; what is wrong with it goes into problems."""
    count = problems.count

    def report(line: int, place: Path, message: str) -> None:
        """Note a fault of the file."""
        problems.add(path, line, place, message)

    try:
        text = source.read_text(path, limit)
    except source.TooLargeError as error:
        report(1, (), f"{error}, the limit ([vhard] policy_max_size)")
        return None, yaml_lines.Lines({})
    except source.UnreadableError as error:
        report(error.line, (), str(error))
        return None, yaml_lines.Lines({})
    data, lines = yaml_lines.read(text, report)
    if data is not None or problems.count == count:
        for place, message in check.faults(data):
            report(lines.of(place), place, message)
            if problems.full:
                break
    return data, lines


def _narrowed(base: origin.Tree, over: origin.Tree) -> origin.Tree:
    """Return what is extended, without what is of no use any more.

    A replacement of a rule goes where the file that extends it allows other
    values, and not that one.
    """
    result = base
    for name, rule in over.get("guest_devices", {}).items():
        below = base.get("guest_devices", {}).get(name, {})
        if "allow" in rule and "replace" in below:
            kept = _allowed_replacements(name, rule["allow"], below["replace"])
            rules = result["guest_devices"]
            rules = {**rules, name: {**below, "replace": kept}}
            result = {**result, "guest_devices": rules}
    return result


def _allowed_replacements(
    name: str, allow: origin.Said, replace: origin.Tree
) -> origin.Tree:
    rule = {"allow": allow.value, "replace": origin.plain(replace)}
    refused = dict(refused_replacements(KINDS[name], rule))
    return {old: replace[old] for old in replace if old not in refused}


def _with_requires(
    base: origin.Tree, over: origin.Tree, merged: origin.Tree
) -> origin.Tree:
    """Return what two files come to, with the versions that both require.

    Each was met when its file was read. A copy that is kept of them may be
    read by an older version, for which one of them alone says too little.
    """
    key = "requires"
    if key not in base or key not in over:
        return merged
    both = SpecifierSet(base[key].value) & SpecifierSet(over[key].value)
    return {**merged, key: dataclasses.replace(over[key], value=str(both))}


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Mappings merge, lists replace; projects and exemptions add up."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, list):
            # of a section; every other list is the value of a Said
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
    :raises PolicyError: if it cannot be made, by a fault of this package
    """
    with _no_other_exception(files[0] if files else "the defaults"):
        return assemble.policy(data, files)

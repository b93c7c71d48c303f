# SPDX-License-Identifier: Apache-2.0
"""Load and validate a policy file and the files that it extends."""

import dataclasses
import functools
import importlib.resources
import os
from collections.abc import Iterator
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from nova_vhard.common import source, yaml_lines
from nova_vhard.common.problems import (
    PATH_LIMIT,
    Path,
    PolicyError,
    Problem,
    problem,
)
from nova_vhard.common.schema_errors import Fault
from nova_vhard.common.text import clean
from nova_vhard.policy import assemble, check, provenance, release
from nova_vhard.policy.model import Policy

SHIPPED = ("baseline", "scs", "strict")

#: Paths of errors that invalidate a copy of any version.
#: With another schema version, or a release that ``requires`` excludes, the
#: content may mean something else. Any other error is a rule that became
#: stricter.
_BINDING: frozenset[Path] = frozenset(((), ("version",), ("requires",)))

#: Changes whenever the file changes. None if the file does not exist; empty
#: to force a reload.
Stamp = tuple[int, ...] | None


def shipped(name: str) -> str:
    """Return the path of a policy that the package ships."""
    folder = importlib.resources.files("nova_vhard.policy") / "shipped"
    return str(folder / f"{name}.yaml")


# They belong to the code: read once, and not watched. A package that is
# replaced below a running service changes nothing before the restart.
_PRESETS = frozenset(map(shipped, SHIPPED))
_read_once = functools.cache(source.read_text)


def resolve(name: str, folder: str = "") -> str:
    """Return the path of a policy.

    :param name: name of a shipped policy, or a path
    :param folder: base of a relative path
    """
    return shipped(name) if name in SHIPPED else os.path.join(folder, name)


def stamp(path: str) -> Stamp:
    """Return the stamp of a file, or None if the file does not exist."""
    if path in _PRESETS:
        return (0,)
    try:
        result = os.stat(path)
    except (OSError, ValueError):
        # ValueError: the path contains a NUL.
        return None
    # mtime alone misses a file that a tool replaces by one with an old date.
    # No tool can set ctime, and a new file has another inode.
    times = result.st_mtime_ns, result.st_ctime_ns
    return *times, result.st_size, result.st_ino


class Reading:
    """Current content of a policy file and the files that it extends.

    :ivar stamps: stamps of the files, taken before they were read, the
        outermost file first
    :ivar problems: all errors in all files
    :ivar warnings: entries that are valid but probably wrong
    :ivar tree: merged content, each value with its place
    :ivar data: merged content
    :ivar policy: None if there are problems
    :ivar cause: the exception, if a problem is a bug in this package
    """

    def __init__(self, path: str) -> None:
        self.stamps: dict[str, Stamp] = {}
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.tree: provenance.Tree = {}
        self.data: dict[str, Any] = {}
        self.policy: Policy | None = None
        self.cause: Exception | None = None
        # Each file by one name, so that a circle of ``extends`` is found, and
        # a later chdir changes nothing.
        path = os.path.abspath(path)
        try:
            self.tree = self._chain(path)
            self.data = provenance.plain(self.tree)
            if not self.problems:
                # Again over the merged content: two files that are valid alone
                # may conflict.
                for place, text in check.conflicts(self.data, complete=True):
                    nowhere = provenance.LocatedValue(None, path, 1)
                    said = provenance.find(self.tree, place) or nowhere
                    self.problems.append(
                        problem(said.file, said.line, place, text)
                    )
            # Never assemble what has an error. A part of a policy is not a
            # weaker policy: no operator wrote it.
            if not self.problems:
                self.policy = assemble.policy(self.data, [*self.stamps])
        except Exception as error:  # noqa: BLE001 - keep the last policy
            self.cause = error
            text = f"{type(error).__name__}: {clean(error, PATH_LIMIT)}"
            self.problems.append(
                problem(
                    path,
                    1,
                    (),
                    f"cannot be read, because of a bug in nova-vhard: {text}",
                )
            )

    def good(self) -> Policy:
        """Return the policy.

        :raises PolicyError: with the errors in all files
        """
        if self.policy is None:
            raise PolicyError(self.problems) from self.cause
        return self.policy

    def _chain(self, path: str) -> provenance.Tree:
        """Read a file and those that it extends; return the merged tree."""
        outermost = not self.stamps
        # Take the stamp before the content. A write in between then leaves an
        # old stamp, and the next call reads again; the other way round it
        # would be missed.
        before = self.stamps[path] = stamp(path)
        data, lines, problems, again = _read(path, outermost)
        # The file is there and could not be read (EIO, EMFILE, EACCES). Its
        # stamp will not change when that ends, so an empty one forces another
        # try.
        if before and again:
            self.stamps[path] = ()
        self.problems += problems
        if not isinstance(data, dict):
            return {}
        # A broken file would give warnings that its repair removes.
        if not problems:
            self.warnings += [
                problem(path, lines.of(place), place, text)
                for place, text in (
                    *check.deprecations(data),
                    *check.warnings(data),
                )
            ]
        # Not part of the merged content: the saved copy must load without the
        # file.
        base = data.pop("extends", None)
        tree: provenance.Tree = provenance.tree(data, path, lines)
        if not isinstance(base, str) or not base:
            return tree
        target = os.path.abspath(resolve(base, os.path.dirname(path)))
        # The stamps are also the list of files that were visited: a target
        # among them is a circle.
        if target not in self.stamps and os.path.exists(target):
            below = self._chain(target)
            # ``_extended`` needs valid content.
            return tree if self.problems else _extended(below, tree)
        text = "must not be a file that extends this one"
        if target not in self.stamps:
            # Reload when the file appears.
            self.stamps[target] = None
            text = (
                f"file {clean(target, PATH_LIMIT)} not found; use a path, "
                f"or one of {', '.join(SHIPPED)}"
            )
        place = ("extends",)
        self.problems.append(problem(path, lines.of(place), place, text))
        return tree


def load(path: str) -> Policy:
    """Load a policy file and the files that it extends.

    :raises PolicyError: with the errors in all files
    """
    return Reading(path).good()


def own(path: str) -> provenance.Tree:
    """Return the content of one file, without the files that it extends.

    :raises PolicyError: with the errors in this file
    """
    path = os.path.abspath(path)
    data, lines, problems, _ = _read(path)
    if problems:
        raise PolicyError(problems)
    tree: provenance.Tree = provenance.tree(data, path, lines)
    return tree


def restore(
    data: Any, file: str, version: str
) -> tuple[Policy, list[Problem]]:
    """Return the Policy in a saved copy, and the errors that are new since.

    A copy was valid in the version that wrote it, and an upgrade must not
    drop it: an error that only this version knows does not invalidate it.
    After a downgrade an error may be a rule that this version does not have,
    so the copy is rejected.

    :param data: the ``Reading.data`` that was saved
    :param file: path of the copy
    :param version: version that wrote the copy
    :raises PolicyError: for an unmet ``requires`` or another schema version;
        for any error in the copy of a newer version
    """
    # ``complete``: a copy holds merged content.
    faults = dict(check.faults(data, complete=True))
    problems = [problem(file, 1, *fault) for fault in faults.items()]
    # An unknown version of this package counts as older than the copy.
    newer = release.RUNNING is None or Version(version) > release.RUNNING
    if problems and (newer or not faults.keys().isdisjoint(_BINDING)):
        raise PolicyError(problems)
    return assemble.policy(data, [file]), problems


def _read(
    path: str, outermost: bool = False
) -> tuple[Any, yaml_lines.Lines, list[Problem], bool]:
    """Return the content of one file, its lines and its errors.

    The last value is True if reading the unchanged file may succeed later.
    """
    try:
        read = _read_once if path in _PRESETS else source.read_text
        text = read(path, source.MAX_LIMIT)
    except source.UnreadableError as error:
        # Only what the machine may give later. A file that is too long stays
        # so until it changes.
        again = isinstance(error.__cause__, OSError)
        unread = problem(path, error.line, (), str(error))
        return None, yaml_lines.Lines({}), [unread], again

    def faults(data: Any) -> Iterator[Fault]:
        extends = isinstance(data, dict) and "extends" in data
        return check.faults(data, complete=outermost and not extends)

    return *yaml_lines.load(path, text, faults), False


def _extended(
    below: provenance.Tree, tree: provenance.Tree
) -> provenance.Tree:
    """Return a file merged with the one that it extends."""
    for kind, rule in tree.get("guest_devices", {}).items():
        rules = below.get("guest_devices", {})
        replaced = rules.get(kind, {}).get("replace")
        if replaced and "allow" in rule:
            # Remove replacements that the new list does not allow.
            narrowed = {"allow": rule["allow"], "replace": replaced}
            rejected = check.rejected_replacements(
                kind, provenance.plain(narrowed)
            )
            kept = {
                old: new
                for old, new in replaced.items()
                if old not in rejected
            }
            rules = {**rules, kind: {**rules[kind], "replace": kept}}
            below = {**below, "guest_devices": rules}
    # The replacements are removed before the merge, which would otherwise make
    # a valid file invalid by the file below it.
    merged = _merge(below, tree)
    key = "requires"
    if key in below and key in tree:
        # An older version can read a copy of the result, so the copy must
        # have the requirements of both files.
        both = SpecifierSet(below[key].value) & SpecifierSet(tree[key].value)
        merged[key] = dataclasses.replace(tree[key], value=str(both))
    return merged


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings, replace lists, and add up projects and exemptions."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, list):
            # projects or exemptions; other lists are values of a LocatedValue
            # Own entries first: ``mode_for`` takes the first project entry
            # that matches, so an extending file can override the one below.
            merged[key] = value + base.get(key, [])
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = _merge(base[key], value)
        else:
            merged[key] = value
    return merged

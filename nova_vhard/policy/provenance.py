# SPDX-License-Identifier: Apache-2.0
"""Locations of the values of a policy, kept while its files are merged.

A tree has the shape of the policy's content (mappings, and the lists of
``projects`` and ``exemptions``), with a ``LocatedValue`` instead of each
value. It is merged in the same way as plain content.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nova_vhard.common.problems import Path
from nova_vhard.common.yaml_lines import Lines

Tree = dict[str, Any]

#: Lists that add up over files; every other list replaces the one before.
ADDED_UP = ("projects", "exemptions")


@dataclass(frozen=True, slots=True)
class LocatedValue:
    """A value and its location.

    :ivar value: text, boolean or list
    :ivar file: path of the file
    :ivar line: line, from 1
    """

    value: Any
    file: str
    line: int


def tree(data: Any, file: str, lines: Lines, path: Path = ()) -> Any:
    """Return the content of one file with the place of each value.

    :param data: plain content, validated
    """
    if isinstance(data, dict):
        return {
            key: tree(value, file, lines, (*path, key))
            for key, value in data.items()
        }
    # Only the lists that are merged entry by entry. Any other list replaces
    # the one below as a whole, so it is one value with one place.
    if isinstance(data, list) and len(path) == 1 and path[0] in ADDED_UP:
        return [
            tree(item, file, lines, (*path, index))
            for index, item in enumerate(data)
        ]
    return LocatedValue(data, file, lines.of(path))


def plain(part: Any) -> Any:
    """Return the content of a tree without the places."""
    if isinstance(part, LocatedValue):
        return part.value
    if isinstance(part, list):
        return [plain(item) for item in part]
    return {key: plain(value) for key, value in part.items()}


def values(part: Any, path: Path = ()) -> Iterator[tuple[Path, LocatedValue]]:
    """Yield every value of a tree with its path, in the order of the tree."""
    if isinstance(part, LocatedValue):
        yield path, part
        return
    items = enumerate(part) if isinstance(part, list) else part.items()
    for key, value in items:
        yield from values(value, (*path, key))


def find(part: Any, path: Path) -> LocatedValue | None:
    """Return the value at a path, or the nearest one around it.

    :returns: for a mapping, its first value; None if it is empty
    """
    for key in path:
        if isinstance(part, LocatedValue):
            # An entry of a list is where the list is.
            break
        try:
            part = part[key]
        except (KeyError, IndexError):
            break
    # A missing key has no place. The first value of the section around it is
    # where an operator has to look.
    return next((stated for _, stated in values(part)), None)

# SPDX-License-Identifier: Apache-2.0
"""Load a YAML file as plain data, with the line of every value.

Scalars stay text, except booleans and null: a project id that consists of
digits must not become a number.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from nova_vhard.common.problems import Path, Problem, problem
from nova_vhard.common.text import clean, quote

Report = Callable[[int, Path, str], None]

#: Maximum nesting depth of mappings and lists.
MAX_DEPTH = 32

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_TEXT = ("str", "int", "float", "timestamp", "value", "merge")
_SCALARS = frozenset(f"{_TAG}{name}" for name in _TEXT)
_COLLECTIONS = frozenset((f"{_TAG}map", f"{_TAG}seq"))
_TRUE = frozenset(("true", "yes", "on"))
_BOOLEANS = _TRUE | {"false", "no", "off"}


class Lines:
    """The line of each value, from 1, by its path."""

    def __init__(self, lines: Mapping[Path, int]) -> None:
        self._lines = lines

    def of(self, path: Path) -> int:
        """Return the line of a value, or of the nearest one around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def load(
    file: str,
    text: str,
    faults: Callable[[Any], Iterable[tuple[Path, str]]],
) -> tuple[Any, Lines, list[Problem]]:
    """Parse and validate a YAML document.

    :param file: path of its file, for the messages
    :param faults: returns the paths and messages of errors in the data; not
        called if the document cannot be parsed
    :returns: the data, its lines and all errors
    """
    problems: list[Problem] = []

    def report(line: int, path: Path, message: str) -> None:
        problems.append(problem(file, line, path, message))

    data, lines = read(text, report)
    if data is not None or not problems:
        for path, message in faults(data):
            report(lines.of(path), path, message)
    return data, lines, problems


def read(text: str, report: Report) -> tuple[Any, Lines]:
    """Parse a YAML document.

    :param report: called with line, path and message of each error
    :returns: the data and its lines; the data is None if the document is
        empty or cannot be parsed
    """
    lines: dict[Path, int] = {}
    data = None
    try:
        # Each alias would copy the node of its anchor, and the functions that
        # walk through the nodes are recursive.
        rejected = False
        depth = 0
        event: Any
        for event in yaml.parse(text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if getattr(event, "anchor", None):
                problem = (
                    f"anchor or alias {quote(event.anchor)} is not supported"
                )
                problem += "; write the value itself"
            elif depth > MAX_DEPTH:
                problem = f"is nested deeper than {MAX_DEPTH} levels"
            else:
                continue
            rejected = True
            report(event.start_mark.line + 1, (), problem)
            if depth > MAX_DEPTH:
                break
        if not rejected:
            node = yaml.compose(text, Loader=_LOADER)
            data = node and _plain(node, (), lines, report)
    except yaml.reader.ReaderError as error:
        # Find the character itself: depending on the loader, the position is
        # in bytes or in characters.
        before, *_ = text.partition(chr(error.character))
        reason, *_ = str(error).splitlines()
        report(before.count("\n") + 1, (), f"cannot be parsed: {reason}")
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark
        reason = str(error.problem)
        if error.context and error.context_mark:
            begins = error.context_mark.line + 1
            reason = f"{error.context} from line {begins}: {reason}"
        # The error may be after the last line.
        line = [*text.splitlines(), ""][mark.line]
        if line.lstrip(" ").startswith("\t"):
            reason += "; indent with spaces, not with tabs"
        elif "block" in reason:
            reason += "; compare the indentation with the lines around it"
        report(mark.line + 1, (), f"cannot be parsed: {reason}")
    return data, Lines(lines)


def _plain(
    node: yaml.Node, path: Path, lines: dict[Path, int], report: Report
) -> Any:
    """Return the data of a node, and record the line of each value."""
    line = lines.setdefault(path, node.start_mark.line + 1)
    scalar = isinstance(node, yaml.ScalarNode)
    if scalar and node.tag == f"{_TAG}null":
        return None
    if scalar and node.tag == f"{_TAG}bool":
        if node.value.lower() not in _BOOLEANS:
            report(line, path, f"{quote(node.value)} must be true or false")
        return node.value.lower() in _TRUE
    if node.tag not in (_SCALARS if scalar else _COLLECTIONS):
        report(line, path, f"tag {clean(node.tag)} is not supported")
    if scalar:
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [
            _plain(item, (*path, index), lines, report)
            for index, item in enumerate(node.value)
        ]
    data: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            report(line, path, "a key must be a single word")
            continue
        place = (*path, key.value)
        if key.tag == _MERGE:
            report(line, path, "merge keys (<<) are not supported")
        elif place in lines:
            report(line, place, f"duplicate key, first in line {lines[place]}")
        lines[place] = line
        data[key.value] = _plain(value, place, lines, report)
    return data

# SPDX-License-Identifier: Apache-2.0
"""Plain data and the line of every value, out of a YAML file.

Numbers and dates stay the text that they were written as: a project id of
digits alone must not turn into a number.
"""

from collections.abc import Callable, Mapping
from typing import Any

import yaml

Path = tuple[str | int, ...]
Report = Callable[[int, Path, str], None]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOOL = "tag:yaml.org,2002:bool"
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_PLAIN = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "timestamp", "value")
)
_TRUE = frozenset(("true", "yes", "on"))


class Lines:
    """Where each value stands: path to line number, from 1."""

    def __init__(self, lines: Mapping[Path, int]) -> None:
        """Keep the lines that were seen while reading."""
        self._lines = lines

    def of(self, path: Path) -> int:
        """Return the line of a value, or of the nearest one around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def read(text: str, report: Report) -> tuple[Any, Lines]:
    """Parse YAML with a safe loader.

    :param text: the content of the file
    :param report: called with line, path and message for each fault
    :returns: plain data (None where the text is no YAML) and its lines
    """
    lines: dict[Path, int] = {}
    try:
        node = yaml.compose(text, Loader=_LOADER)
        if node is None:
            return None, Lines(lines)
        data = _Builder(lines, report).build(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        report(mark.line + 1 if mark else 1, (), f"not YAML: {error.problem}")
        return None, Lines(lines)
    except yaml.YAMLError as error:
        report(1, (), f"not YAML: {str(error).splitlines()[0]}")
        return None, Lines(lines)
    except RecursionError:
        report(1, (), "nested too deep")
        return None, Lines(lines)
    return data, Lines(lines)


class _Builder:
    def __init__(self, lines: dict[Path, int], report: Report) -> None:
        self._lines = lines
        self._report = report
        self._open: set[int] = set()

    def build(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line, path)
        if id(node) in self._open:
            self._report(line, path, "an alias within itself")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [
                    self.build(item, (*path, index))
                    for index, item in enumerate(node.value)
                ]
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(line, path, "a key must be a word")
                continue
            key = key_node.value
            if key_node.tag == _MERGE:
                self._report(line, path, "merge keys (<<) are not supported")
                continue
            if key in data:
                self._report(line, (*path, key), "stands here twice")
            self._lines[(*path, key)] = line
            data[key] = self.build(value_node, (*path, key))
        return data

    def _scalar(self, node: yaml.ScalarNode, line: int, path: Path) -> Any:
        if node.tag == _BOOL:
            return node.value.lower() in _TRUE
        if node.tag == _NULL:
            return None
        if node.tag not in _PLAIN:
            self._report(line, path, f"tag {node.tag} is not supported")
        return node.value

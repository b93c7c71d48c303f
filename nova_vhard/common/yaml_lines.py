# SPDX-License-Identifier: Apache-2.0
"""Plain data and the line of every value, out of a YAML file.

Numbers and dates stay the text that they were written as: a project id of
digits alone must not turn into a number. Anchors and aliases are refused
where they stand, before anything is made of them: a few hundred bytes of them
can stand for more values than any memory holds.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from nova_vhard.common.yaml_tree import (
    MAX_NODES,
    Path,
    Refused,
    Report,
    TreeBuilder,
)

__all__ = ["Lines", "Path", "Report", "read"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# What YAML takes for the end of a line.
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
# What begins an entry: a key or a dash. Other words there can be the rest of
# a value that goes on.
_ENTRY = re.compile(r"-(?:\s|$)|[^\s'\"#{\[-][^'\"#]*:(?:\s|$)")
_BLOCKS = frozenset(
    f"while parsing a block {kind}" for kind in ("mapping", "collection")
)
_ABOUT_TABS = re.compile(" tab |cannot start any token")
_TAB = "a tab is in the indentation: indent with spaces"
_OTHERWISE = (
    "the line is indented otherwise than the lines it belongs to: give them "
    "the same number of spaces"
)


class Lines:
    """Where each value stands: path to line number, from 1."""

    def __init__(self, lines: Mapping[Path, int]) -> None:
        self._lines = lines

    def of(self, path: Path) -> int:
        """Return the line of a value, or of the nearest one around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def read(
    text: str, report: Report, most: int = MAX_NODES
) -> tuple[Any, Lines]:
    """Parse YAML with a safe loader.

    :param text: the content of the file
    :param report: called with line, path and message for each fault
    :param most: keys and values that the file may have
    :returns: plain data (None where the text is no YAML, or has what is not
        supported) and its lines
    """
    builder = TreeBuilder(report, most)
    lines = Lines(builder.lines)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except Refused as error:
        report(error.line, error.path, error.message)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        stated = _indentation(text, error) or error.problem
        report(mark.line + 1 if mark else 1, (), f"not YAML: {stated}")
    except yaml.reader.ReaderError as error:
        _report_character(text, error, report)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        stated = (str(error).splitlines() or [type(error).__name__])[0]
        report(1, (), f"not YAML: {stated}")
    else:
        return builder.data, lines
    return None, lines


def _indentation(text: str, error: yaml.MarkedYAMLError) -> str:
    """Say that a line is indented wrongly; empty where that is not certain.

    libyaml and the parser in Python name it in words of their own, and both
    mark the place.
    """
    mark = error.problem_mark
    lines = _BREAK.split(text)
    if mark is None or mark.line >= len(lines):
        return ""
    line = lines[mark.line]
    before, rest = line[: mark.column], line[mark.column :]
    if before.strip(" \t") or not rest:
        return ""
    if rest[0] == "\t" and _ABOUT_TABS.search(str(error.problem)):
        return _TAB
    start = error.context_mark if error.context in _BLOCKS else None
    if start is None or start.line == mark.line or start.column >= mark.column:
        return ""
    return _OTHERWISE if _ENTRY.match(rest) else ""


def _report_character(
    text: str, error: yaml.reader.ReaderError, report: Callable[..., None]
) -> None:
    """Name the line of a character that YAML does not allow."""
    # libyaml counts bytes, the parser in Python counts characters.
    if error.encoding == "unicode":
        before = text[: error.position].count("\n")
    else:
        before = text.encode()[: error.position].count(b"\n")
    stated = str(error).splitlines()[0]
    report(before + 1, (), f"not YAML: {stated}")

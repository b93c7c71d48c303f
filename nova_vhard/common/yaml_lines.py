# SPDX-License-Identifier: Apache-2.0
"""Plain data and the line of every value, out of a YAML file.

Numbers and dates stay the text that they were written as: a project id of
digits alone must not turn into a number. Anchors and aliases are refused
where they stand, before anything is made of them: a few hundred bytes of them
can stand for more values than any memory holds.
"""

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
        report(mark.line + 1 if mark else 1, (), f"not YAML: {error.problem}")
    except yaml.reader.ReaderError as error:
        _report_character(text, error, report)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        stated = (str(error).splitlines() or [type(error).__name__])[0]
        report(1, (), f"not YAML: {stated}")
    else:
        return builder.data, lines
    return None, lines


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

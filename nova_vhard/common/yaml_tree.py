# SPDX-License-Identifier: Apache-2.0
"""Plain data out of the events of a YAML parser, within bounds."""

from collections.abc import Callable
from typing import Any

import yaml

from nova_vhard.common.text import clean, quote

Path = tuple[str | int, ...]
Report = Callable[[int, Path, str], None]

#: Levels of mappings and lists within each other.
MAX_DEPTH = 32

#: Keys and values of one file, unless the reader allows more.
MAX_NODES = 262_144

_TAG = "tag:yaml.org,2002:"
_BOOL = f"{_TAG}bool"
_NULL = f"{_TAG}null"
_PLAIN = frozenset(
    f"{_TAG}{name}" for name in ("str", "int", "float", "timestamp", "value")
)
_COLLECTIONS = frozenset((None, "!", f"{_TAG}map", f"{_TAG}seq"))
_TRUE = frozenset(("true", "yes", "on"))
_BOOLS = _TRUE | {"false", "no", "off"}
# YAML 1.1 knows these three spellings of a word and no others.
_SPELLED = {
    form(word): word in _TRUE
    for word in _BOOLS
    for form in (str.lower, str.upper, str.capitalize)
}
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class Refused(Exception):
    """Raised where a file has what is not supported.

    :ivar line: line, from 1
    :ivar path: place within the document
    :ivar message: what stands there
    """

    def __init__(self, line: int, path: Path, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.path = path
        self.message = message


class _Level:
    """A mapping or list that is not complete yet.

    :ivar key: key of the value that comes next; None where a key comes next
    """

    def __init__(self, data: Any, path: Path) -> None:
        self.data = data
        self.path = path
        self.key: str | None = None

    def next_path(self) -> Path:
        """Return the place of what comes next."""
        if isinstance(self.data, list):
            return (*self.path, len(self.data))
        return self.path if self.key is None else (*self.path, self.key)


def _line(event: yaml.Event) -> int:
    mark: Any = event.start_mark
    return int(mark.line) + 1


class TreeBuilder:
    """Makes plain data of events.

    :param report: called for what is wrong without being the end
    :param most: keys and values that there may be
    :ivar data: what the document holds, once all events were taken
    :ivar lines: the line of every value
    """

    def __init__(self, report: Report, most: int = MAX_NODES) -> None:
        self._most = most
        self.data: Any = None
        self.lines: dict[Path, int] = {}
        self._report = report
        self._levels: list[_Level] = []
        self._documents = 0
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event.

        :raises Refused: if it is not supported
        """
        if isinstance(event, yaml.NodeEvent):
            self._take_node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._levels.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                text = "a second document begins here"
                raise Refused(_line(event), (), text)

    def _take_node(self, event: yaml.NodeEvent) -> None:
        line = _line(event)
        level = self._levels[-1] if self._levels else None
        path = level.next_path() if level else ()
        self._check(event, line, path)
        if level and isinstance(level.data, dict) and level.key is None:
            self._take_key(event, level, line)
            return
        self.lines.setdefault(path, line)
        if isinstance(event, yaml.ScalarEvent):
            self._put(level, self._scalar(event, line, path))
            return
        tag = getattr(event, "tag", None)
        if tag not in _COLLECTIONS:
            text = f"tag {clean(tag)} is not supported"
            self._report(line, path, text)
        mapping = isinstance(event, yaml.MappingStartEvent)
        data: Any = {} if mapping else []
        self._put(level, data)
        self._levels.append(_Level(data, path))

    def _check(self, event: yaml.NodeEvent, line: int, path: Path) -> None:
        """Refuse what would grow beyond bounds."""
        if event.anchor is not None:
            alias = isinstance(event, yaml.AliasEvent)
            name = ("alias *" if alias else "anchor &") + clean(event.anchor)
            text = f"{name} is not supported; write the value out"
            raise Refused(line, path, text)
        self._nodes += 1
        if self._nodes > self._most:
            text = f"the file has more than {self._most} keys and values"
            raise Refused(line, path, text)
        if len(self._levels) >= MAX_DEPTH:
            text = f"is nested deeper than {MAX_DEPTH} levels"
            raise Refused(line, path, text)

    def _take_key(
        self, event: yaml.NodeEvent, level: _Level, line: int
    ) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise Refused(line, level.path, "a key must be a word")
        key = event.value
        if key == "<<" and event.implicit[0]:
            text = "merge keys (<<) are not supported"
            raise Refused(line, level.path, text)
        path = (*level.path, key)
        if key in level.data:
            self._report(line, path, "stands here twice")
        self.lines[path] = line
        level.key = key

    def _put(self, level: _Level | None, value: Any) -> None:
        if level is None:
            self.data = value
        elif isinstance(level.data, list):
            level.data.append(value)
        else:
            level.data[level.key] = value
            level.key = None

    def _scalar(self, event: yaml.ScalarEvent, line: int, path: Path) -> Any:
        text: str = event.value
        if event.tag in (None, "!"):
            # Only a word without quotes is more than text.
            if event.implicit[0] and text in _SPELLED:
                return _SPELLED[text]
            return None if event.implicit[0] and text in _NULLS else text
        if event.tag == _BOOL:
            if text.lower() not in _BOOLS:
                message = f"{quote(text)} is neither true nor false"
                self._report(line, path, message)
            return text.lower() in _TRUE
        if event.tag == _NULL:
            return None
        if event.tag not in _PLAIN:
            message = f"tag {clean(event.tag)} is not supported"
            self._report(line, path, message)
        return text

# SPDX-License-Identifier: Apache-2.0
"""The syntax of libvirt's configuration files.

Source: libvirt's src/util/virconf.c.
"""

import re
from typing import Any

_SKIPPED = re.compile(r"(?:[ \t\r\n]|\#[^\r\n]*)*")
# In a list libvirt takes no comment; what it means is clear all the same.
_SPACE = r"(?:[ \t\r\n]|\#[^\r\n]*[\r\n])*"
_STRING = r'"""(?:.+?)"""|"[^"\r\n]*"|\'[^\'\r\n]*\''
_STRINGS = re.compile(rf"\#[^\r\n]*|({_STRING})", re.DOTALL)
_LIST = (
    rf"\[{_SPACE}(?:(?:{_STRING}){_SPACE}"
    rf"(?:,{_SPACE}(?:{_STRING}){_SPACE})*(?:,{_SPACE})?)?\]"
)
_STATEMENT = re.compile(
    r"(?P<key>[A-Za-z]\w*)[ \t]*=[ \t]*"
    rf"(?P<value>{_STRING}|[+-]?\d{{1,18}}|{_LIST})"
    r"[ \t]*(?:;|(?=[\#\r\n]|\Z))",
    re.DOTALL | re.ASCII,
)


def parse(text: str) -> dict[str, Any]:
    """Return the settings: numbers, texts, and tuples of texts.

    :raises ValueError: for what libvirt would not understand either, and for
        a key that is set twice, differently: libvirt takes the first
    """
    result: dict[str, Any] = {}
    place = _SKIPPED.match(text, 0)
    while place and place.end() < len(text):
        statement = _STATEMENT.match(text, place.end())
        if not statement:
            line = text.count("\n", 0, place.end()) + 1
            raise ValueError(f"line {line} is no setting")
        key, value = statement["key"], _value(statement["value"])
        if result.setdefault(key, value) != value:
            raise ValueError(f"{key} is set twice, differently")
        place = _SKIPPED.match(text, statement.end())
    return result


def _value(text: str) -> Any:
    if text[0] == "[":
        return tuple(_plain(item) for item in _STRINGS.findall(text) if item)
    return _plain(text) if text[0] in "\"'" else int(text)


def _plain(quoted: str) -> str:
    width = 3 if quoted.startswith('"""') else 1
    return quoted[width:-width]

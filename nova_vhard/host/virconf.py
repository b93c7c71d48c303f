# SPDX-License-Identifier: Apache-2.0
"""The syntax of libvirt's configuration files.

Source: libvirt's src/util/virconf.c.
"""

import re
from typing import Any

_SKIPPED = re.compile(r"(?:\s|\#[^\n]*)*")
_STRING = r'"""(?:.*?)"""|"[^"\n]*"|\'[^\'\n]*\''
_STATEMENT = re.compile(
    r"(?P<key>[A-Za-z_][\w./-]*)[ \t]*=[ \t]*"
    r"(?P<value>" + _STRING + r"|[+-]?\d+"
    r"|\[(?:\s|,|\#[^\n]*\n|" + _STRING + r")*\])"
    r"[ \t]*(?=\#|\n|\Z)",
    re.DOTALL,
)
_STRINGS = re.compile(rf"\#[^\n]*|({_STRING})", re.DOTALL)


def parse(text: str) -> dict[str, Any]:
    """Return the settings: numbers, texts, and tuples of texts.

    :raises ValueError: for what libvirt would not understand either, and for
        a key that is set twice, differently
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

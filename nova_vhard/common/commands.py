# SPDX-License-Identifier: Apache-2.0
"""Commands in backticks that users can copy from an explanation.

Text from other users is included only if no shell would interpret it. A
copied line is therefore one command and does only what it shows.
"""

import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.:+@%/-]{0,127}", re.ASCII)

Properties = Iterable[tuple[str, str]]


def is_plain(word: object) -> bool:
    """Return True if a shell takes the word literally."""
    return isinstance(word, str) and _PLAIN.fullmatch(word) is not None


def plain(word: object, otherwise: str) -> str:
    """Return a word, or ``otherwise`` if the word is not plain."""
    return word if isinstance(word, str) and is_plain(word) else otherwise


def command(*words: str) -> str:
    """Return an openstack command in backticks.

    :param words: plain words, options, or the result of ``options``
    """
    return f"`{' '.join(('openstack', *words))}`"


def options(option: str, properties: Properties) -> list[str]:
    """Return options that set the properties that are plain."""
    return [
        f"{option} {name}={value}"
        for name, value in properties
        if is_plain(name) and is_plain(value)
    ]

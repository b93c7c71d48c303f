# SPDX-License-Identifier: Apache-2.0
"""Commands in an explanation: between backticks, to be pasted whole.

Nothing of an outsider's stands in one but names of a plain spelling, so that
a pasted line is one command and does what it says.
"""

import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.:+@%/-]{0,127}", re.ASCII)

Properties = Iterable[tuple[str, str]]


def is_plain(word: object) -> bool:
    """Return whether a shell takes a word for itself and nothing else."""
    return isinstance(word, str) and _PLAIN.fullmatch(word) is not None


def plain(word: object, otherwise: str) -> str:
    """Return a word; another one in its place where it is not plain."""
    return word if isinstance(word, str) and is_plain(word) else otherwise


def command(*words: str) -> str:
    """Return an openstack command between backticks.

    :param words: each of them plain, an option, or made by ``options``
    """
    return f"`{' '.join(('openstack', *words))}`"


def options(option: str, properties: Properties) -> list[str]:
    """Return options that set properties, without those not plain."""
    return [
        f"{option} {name}={value}"
        for name, value in properties
        if is_plain(name) and is_plain(value)
    ]

# SPDX-License-Identifier: Apache-2.0
"""The one thing that a name on the command line stands for."""

from typing import TypeVar

from osc_lib import exceptions

from nova_vhard.common.text import clean

T = TypeVar("T")


def only(found: list[T], kind: str, name: str) -> T:
    """Return the only thing that has a name.

    :param found: those that have it
    :param kind: what it is, ``image``
    :raises CommandError: if there are none, or several
    """
    if len(found) != 1:
        some = f"several {kind}s have" if found else f"no {kind} has"
        text = f"{some} the name or id {clean(name)}"
        raise exceptions.CommandError(text)
    return found[0]

# SPDX-License-Identifier: Apache-2.0
"""The one thing that a name on the command line stands for."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from osc_lib import exceptions

from nova_vhard.common.text import clean

Thing = Mapping[str, Any]


def find(
    kind: str,
    name: str,
    get: Callable[[str], Thing],
    missing: tuple[type[Exception], ...],
    listed: Callable[[str], Iterable[Thing]],
) -> dict[str, Any]:
    """Return the only thing that has an id or a name.

    :param kind: what it is, ``image``
    :param get: returns the thing with an id
    :param missing: what that raises where there is none
    :param listed: returns things, those with a name among them
    :raises osc_lib.exceptions.CommandError: if there are none, or several
    """
    try:
        return dict(get(name))
    except missing:
        same = [thing for thing in listed(name) if thing.get("name") == name]
    if len(same) != 1:
        some = f"several {kind}s have" if same else f"no {kind} has"
        raise exceptions.CommandError(f"{some} the name or id {clean(name)}")
    return dict(same[0])

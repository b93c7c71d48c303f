# SPDX-License-Identifier: Apache-2.0
"""Look-ups of a request's objects, from dictionaries instead of services."""

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from nova_vhard.request.lookups import NotFound, Server


def lookups(**objects: Mapping[Any, Any]) -> SimpleNamespace:
    """Return the methods of nova_vhard.request.lookups.Lookups.

    :param objects: of each method: ids and what is there, or an exception to
        raise; nothing else is there
    """
    return SimpleNamespace(
        **{name: partial(_look_up, known) for name, known in objects.items()}
    )


def _look_up(known: Mapping[Any, Any], reference: Any) -> Any:
    """Return an object by its id, a server, or the body of a boot."""
    if isinstance(reference, Server):
        reference = reference.id
    elif isinstance(reference, Mapping):
        reference = reference.get("imageRef")
    answer = known.get(reference, NotFound(f"{reference} is not there"))
    if isinstance(answer, Exception):
        raise answer
    return answer

# SPDX-License-Identifier: Apache-2.0
"""Lower ``reserved`` after a last check; raise it again.

Lowering is tried once, with the generation that was read when the cleaning
began: an allocation that was made and deleted in between changes it, and voids
the cleaning. Raising is harmless and is retried.
"""

from collections.abc import Callable

from nova_vhard.cleaner.usage import Usage
from nova_vhard.placement import devices
from nova_vhard.placement.client import (
    Conflict,
    Placement,
    Provider,
)

_TRIES = 5


class Voided(Exception):
    """Something has happened to the device: what was proven is no more."""


def lower(
    placement: Placement,
    provider: Provider,
    generation: int | None,
    look: Callable[[], Usage],
) -> None:
    """Let the next guest have a device.

    :param generation: of the provider when the cleaning began
    :param look: tells who holds the device now
    :raises Voided: if anything has changed; nothing was written
    :raises PlacementError: if it is not known whether it was written
    """
    view = devices.view(placement, provider)
    if view.consumers:
        raise Voided(f"allocated to {', '.join(view.consumers)}")
    if view.inventory.generation != generation:
        raise Voided("its provider has been changed since")
    holding = look()
    if holding:
        raise Voided(str(holding))
    try:
        placement.reserve(view.inventory, 0)
    except Conflict as error:
        raise Voided("its provider was changed in the last moment") from error


def keep(placement: Placement, provider: Provider) -> devices.View:
    """Make sure that no guest gets a device.

    :returns: what Placement says then
    :raises PlacementError: if it is not known whether it was written
    """
    trouble: Conflict | None = None
    for _ in range(_TRIES):
        view = devices.view(placement, provider)
        if view.reserved:
            return view
        try:
            placement.reserve(view.inventory, view.inventory.total)
        except Conflict as error:
            trouble = error
    raise trouble or Conflict("it stays as it was")

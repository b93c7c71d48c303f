# SPDX-License-Identifier: Apache-2.0
"""Reader of block device mappings, version 1 and 2.

They arrive in the body of POST /servers and, as JSON, in the image
properties ``block_device_mapping`` and ``mappings``.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from nova_vhard.policy.hardware import BLOCK_DEVICE, CDROM, FLOPPY, Wish

Reasons = list[tuple[str, str]]

_BUS_KIND = {"cdrom": "cdrom_bus", "floppy": "floppy_bus"}
_DEVICE = {"cdrom": CDROM, "floppy": FLOPPY}


def read(
    entries: Any,
    where: str,
    origin: str = BLOCK_DEVICE,
    names: Iterable[str] = (),
) -> tuple[list[Wish], Reasons]:
    """Read a list of block device mappings.

    :param entries: the list, or JSON text of it, as it was found
    :param where: its name, in words, for the source of each wish
    :param origin: where a person would mend it
    :param names: image properties that it comes from
    :returns: the wishes, and why the guest gets a CD-ROM or a floppy.
        What cannot be read is a wish that no policy allows.
    """
    wishes: list[Wish] = []
    reasons: Reasons = []
    props = frozenset(names)
    listed = _listed(entries)
    if listed is None:
        return [_unreadable(entries, where, origin, props)], reasons
    for index, entry in enumerate(listed):
        place = f"{where}[{index}]"
        if not isinstance(entry, Mapping):
            wishes.append(_unreadable(entry, place, origin, props))
            continue
        kind = entry.get("device_type")
        bus = entry.get("disk_bus")
        if kind is not None:
            wishes.append(
                _wish("device_type", kind, place, origin, props)
            )
        if bus is not None:
            name = _BUS_KIND.get(str(kind), "disk_bus")
            wishes.append(
                _wish(name, bus, place, origin, props, "disk_bus")
            )
        elif str(kind) in _DEVICE:
            reasons.append((_DEVICE[str(kind)], place))
    return wishes, reasons


def _listed(entries: Any) -> list[Any] | None:
    if isinstance(entries, str | bytes):
        try:
            entries = json.loads(entries)
        except (ValueError, RecursionError):
            return None
    if isinstance(entries, list | tuple):
        return list(entries)
    return None


def _wish(
    kind: str,
    value: Any,
    place: str,
    origin: str,
    names: frozenset[str],
    field: str | None = None,
) -> Wish:
    setting = f"{place}.{field or kind}"
    return Wish(
        kind=kind,
        value=str(value),
        source=setting,
        setting=setting,
        origin=origin,
        names=names,
    )


def _unreadable(
    entry: Any, place: str, origin: str, names: frozenset[str]
) -> Wish:
    return Wish(
        kind="disk_bus",
        value=f"unreadable: {str(entry)[:64]}",
        source=f"{place} (not a list of block device mappings)",
        setting=place,
        origin=origin,
        names=names,
    )

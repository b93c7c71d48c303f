# SPDX-License-Identifier: Apache-2.0
"""Generated guests: images, flavors, block devices, and hosts they run on.

Names and values come from small sets, so that they meet: a legacy name and
the current one, an image and a flavor, a device with a bus and one without.
"""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as some

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.policy.model import Assume
from tests.release.differential.values import (
    BUSES,
    IMAGE,
    OFTEN,
    PROPERTIES,
    SPECS,
    VOLUME,
)

_KIND_OF = {
    name: kind for kind in KINDS.values() for name in kind.image_properties
}
DISK_FORMATS = some.sampled_from(("raw", "raw", "qcow2", "iso", "ISO"))
_SPELLINGS = (str.upper, str.title, "{} ".format)
_SOURCES = (
    {"source_type": "blank", "destination_type": "local"},
    {
        "source_type": "blank",
        "destination_type": "local",
        "guest_format": "swap",
        "volume_size": 1,
    },
    {"source_type": "blank", "destination_type": "volume", "volume_size": 1},
    {"source_type": "volume", "destination_type": "volume", "uuid": VOLUME},
)
ROOT = {
    "source_type": "image",
    "destination_type": "local",
    "uuid": IMAGE,
    "boot_index": 0,
}
_TYPES = (*(None,) * 6, *("disk",) * 4, *("cdrom",) * 6, "floppy", "lun")
_BUSES = (None, None, None, *BUSES, "xen", "lxc", "")


@dataclass(frozen=True)
class Guest:
    """A guest's image, flavor, block devices and host.

    :ivar devices: ``block_device_mapping_v2`` of the request's body
    """

    properties: dict[str, str]
    disk_format: str
    specs: dict[str, str]
    devices: list[dict[str, Any]]
    config_drive: bool
    host: Assume


@some.composite
def _device(draw: Any, root: dict[str, Any] | None) -> dict[str, Any]:
    entry = dict(root or draw(some.sampled_from(_SOURCES)))
    entry.setdefault("boot_index", -1)
    kind = draw(some.sampled_from(_TYPES))
    bus = draw(some.sampled_from(_BUSES))
    if kind is not None and root is not ROOT:
        entry["device_type"] = kind
    if bus is not None:
        entry["disk_bus"] = bus
    return entry


@some.composite
def devices(
    draw: Any, root: dict[str, Any] = ROOT, most: int = 2
) -> list[dict[str, Any]]:
    """Give a root device, and some more."""
    return [
        draw(_device(root)),
        *draw(some.lists(_device(None), max_size=most)),
    ]


@some.composite
def _value(draw: Any, name: str) -> str:
    """Give a value: mostly one of the often seen, else any, oddly spelled."""
    way = draw(some.integers(0, 19))
    if way > 1 or name not in _KIND_OF:
        return str(draw(some.sampled_from(PROPERTIES[name])))
    kind = _KIND_OF[name]
    value = draw(
        some.sampled_from((*kind.values, *kind.aliases, "ide", "1", ""))
    )
    return str(draw(some.sampled_from(_SPELLINGS))(value) if way else value)


@some.composite
def hosts(draw: Any) -> Assume:
    """Give a host's settings, as a policy would assume them."""
    q35 = {"x86_64": "q35", "i686": "q35"}
    return Assume(
        virt_type=draw(some.sampled_from(("kvm",) * 4 + ("qemu",))),
        architecture=draw(
            some.sampled_from(("x86_64", "x86_64", "aarch64", "ppc64le"))
        ),
        machine_type=draw(some.sampled_from(({}, q35, q35, {"x86_64": "pc"}))),
        use_virtio_for_bridges=draw(some.booleans()),
        force_config_drive=draw(some.integers(0, 4)) == 0,
        pointer_model=draw(some.sampled_from(("usbtablet", "ps2mouse"))),
    )


@some.composite
def properties(draw: Any) -> dict[str, str]:
    """Give properties of an image, without block devices."""
    names = draw(
        some.lists(
            some.one_of(
                some.sampled_from(OFTEN), some.sampled_from(sorted(PROPERTIES))
            ),
            unique=True,
            max_size=7,
        )
    )
    return {name: draw(_value(name)) for name in names}


@some.composite
def guests(draw: Any) -> Guest:
    """Give a guest."""
    result = draw(properties())
    if draw(some.integers(0, 3)) == 0:
        name = draw(
            some.sampled_from(
                ("block_device_mapping",) * 15 + ("img_block_device_mapping",)
            )
        )
        result[name] = json.dumps(draw(devices()))
        result["bdm_v2"] = draw(
            some.sampled_from(("true",) * 9 + ("True", ""))
        )
    specs = draw(
        some.lists(some.sampled_from(sorted(SPECS)), unique=True, max_size=3)
    )
    return Guest(
        properties=result,
        disk_format=draw(DISK_FORMATS),
        specs={name: draw(some.sampled_from(SPECS[name])) for name in specs},
        devices=(draw(some.sampled_from((True, False))) and draw(devices()))
        or [dict(ROOT)],
        config_drive=draw(some.integers(0, 3)) == 0,
        host=draw(hosts()),
    )

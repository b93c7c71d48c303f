# SPDX-License-Identifier: Apache-2.0
"""Generated images and JSON patches, in every way that Glance reads.

Names and values come from small sets, so that operations meet: one adds what
the next replaces, two spellings name the same property, a legacy name covers
a current one.
"""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as some

from tests.functional.glance.wire import (
    CHUNKED,
    LENGTH,
    PATCH_20,
    PATCH_21,
    Wire,
)

NAMES = (
    "hw_disk_bus",
    "hw_cdrom_bus",
    "hw_scsi_model",
    "hw_vif_model",
    "hw_machine_type",
    "img_config_drive",
    "vmware_adaptertype",
    "architecture",
    "hw_architecture",
    "block_device_mapping",
    "mappings",
)
#: Names that look like the above but are not.
NEARLY = (
    "HW_DISK_BUS",
    "Hw_vif_model",
    "hw_disk_bus ",
    " hw_disk_bus",
    "hw/disk_bus",
    "hw~disk_bus",
    "hw_disk\u200b_bus",
    "hw_d\u0456sk_bus",
    "extra_properties",
    "x",
)
VALUES = (
    "ide",
    "IDE",
    "virtio",
    "scsi",
    "lsiLogic",
    "VirtualE1000",
    "pc",
    "q35",
    "mandatory",
    "",
    " ide",
    "ide\u0000",
    "\u0131de",
    '[{"disk_bus": "ide"}]',
    '[{"device_type": "cdrom"}]',
)
BASE = {"name": ("a", "b"), "disk_format": ("iso", "raw"), "min_ram": (1,)}

names = some.sampled_from(NAMES * 3 + NEARLY)
# Most of each example is what Glance takes: one thing that it refuses hides
# all the rest.
values = some.sampled_from(VALUES * 5 + (7, None, True))
few = some.sampled_from(NAMES[:3])


@dataclass(frozen=True)
class Try:
    """Properties to create an image with, and a PATCH of it."""

    image: bytes
    patch: Wire


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


@some.composite
def _text(draw: Any, value: Any) -> str:
    """Write a value as JSON, in one of the ways to write it."""
    if not isinstance(value, str):
        return json.dumps(value)
    way = draw(some.integers(0, 3))
    if way == 0:
        return json.dumps(value, ensure_ascii=False)
    return f'"{_escaped(value)}"' if way == 1 else json.dumps(value)


@some.composite
def _object(draw: Any, pairs: list[tuple[str, Any]]) -> str:
    """Write an object with its keys in this order, twice if they are."""
    parts = [
        f"{draw(_text(key))}{draw(_blank)}:{draw(_blank)}{draw(_text(value))}"
        for key, value in pairs
    ]
    return "{" + ",".join(parts) + "}"


_blank = some.sampled_from(("", " ", "\n\t"))


@some.composite
def _pointer(draw: Any, name: str) -> str:
    """Write a name as a JSON pointer as Glance takes it."""
    if draw(some.booleans()):
        name = name.replace("~", "~0").replace("/", "~1")
    before = draw(
        some.sampled_from(("/",) * 12 + ("//", "/ ", " /", "/\u00a0", ""))
    )
    after = draw(some.sampled_from(("",) * 24 + (" ", " ", "\t", "/", "/-")))
    return f"{before}{name}{after}"


@some.composite
def _operation(draw: Any, two: bool) -> str:
    op = draw(some.sampled_from(("add",) * 4 + ("replace", "remove")))
    name = draw(some.one_of(few, names, some.sampled_from(sorted(BASE))))
    value = draw(
        some.sampled_from(BASE.get(name, ())) if name in BASE else values
    )
    path = draw(_pointer(name))
    pairs = [(op, path)] if two else [("op", op), ("path", path)]
    if op != "remove":
        pairs.append(("value", value))
    pairs = list(draw(some.permutations(pairs)))
    if draw(some.integers(0, 5)) == 0:
        decoys = (
            ("op", "remove"),
            ("path", "/x"),
            ("value", "virtio"),
            ("add", "/x"),
            ("Path", "/hw_disk_bus"),
        )
        pairs.insert(
            draw(some.integers(0, 1)), draw(some.sampled_from(decoys))
        )
    return str(draw(_object(pairs)))


@some.composite
def tries(draw: Any) -> Try:
    """Give an image, and a patch of it."""
    wanted = draw(
        some.lists(some.tuples(some.one_of(few, names), values), max_size=4)
    )
    two = draw(some.integers(0, 3)) == 0
    operations = draw(some.lists(_operation(two), min_size=1, max_size=4))
    kind = PATCH_20 if two else PATCH_21
    if draw(some.integers(0, 9)) == 0:
        kind += "; charset=utf-8"
    patch = Wire(
        "PATCH",
        draw(
            some.sampled_from(
                ("/v2/images/{id}",) * 4
                + ("//v2//images/{id}", "/v2.9/images/{id}")
            )
        ),
        ("[" + ",".join(operations) + "]").encode("utf-8", "surrogatepass"),
        content_type=kind,
        framing=draw(some.sampled_from((LENGTH, LENGTH, CHUNKED))),
    )
    return Try(draw(_object(wanted)).encode(), patch)

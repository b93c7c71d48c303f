# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to the Glance API."""

import json
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.abuse_case import MIB, Case, filled
from tests.functional.glance.wire import PATCH_20, PATCH_21

IMAGES = "/v2/images"
DEEP = 90_000
CHANGES = 50


def post(name: str, /, **properties: Any) -> Case:
    """Return the creation of an image."""
    body = json.dumps({"os_distro": "debian", **properties}).encode()
    return Case(f"glance_{name}", "POST", IMAGES, body)


def mapped(name: str, size: int, entry: Any = None) -> Case:
    """Return the creation of an image with so many bytes of devices."""
    make = entry or (lambda _: {"disk_bus": "ide"})
    return post(name, block_device_mapping=json.dumps(filled(make, size)))


def patch(name: str, image: str, changes: Any, kind: str = PATCH_21) -> Case:
    """Return an update of an image."""
    body = json.dumps(changes).encode()
    path = f"{IMAGES}/{image}"
    return Case(f"glance_{name}", "PATCH", path, body, kind)


def add(path: str, value: Any = "ide") -> dict[str, Any]:
    """Return a change."""
    return {"op": "add", "path": f"/{path}", "value": value}


def posts() -> Iterator[Case]:
    """Yield creations."""
    # 1.26 and 5 MB of the body, where each quote is two bytes
    yield mapped("bdm_1260_kb", 1_035_000)
    yield mapped("bdm_5000_kb", 4_107_000)
    yield mapped("bdm_256_entries", 256 * 19)
    yield mapped("bdm_other_values", MIB, lambda n: {"disk_bus": f"x{n}"})
    long = {"disk_bus": "x" * 4000, "device_type": "cdrom"}
    yield mapped("bdm_long_values", MIB, lambda _: long)
    yield post("bdm_deep", block_device_mapping="[" * DEEP)
    yield post(
        "bdm_as_list", block_device_mapping=[{"disk_bus": "ide"}] * 9999
    )
    for name in ("hw_disk_bus", "hw_machine_type", "name", "owner"):
        yield post(f"long_{name}", **{name: "x" * 5 * MIB})
    yield post("long_control", hw_machine_type="\n\x1b[31m" * MIB)
    yield post("long_key", **{"hw_" + "x" * 5 * MIB: "x"})
    keys = {f"hw_disk_bus_{number}": "ide" for number in range(50_000)}
    yield post("many_keys", **keys)
    yield post("many_tags", tags=[f"t{number}" for number in range(50_000)])
    yield post("wrong_and_long", hw_disk_bus="ide", os_type="x" * 5 * MIB)


def raw() -> Iterator[Case]:
    """Yield creations whose bodies are no good JSON, or odd paths."""
    ide = b'{"name": "x", "hw_disk_bus": "ide"}'
    for name, body in (
        ("deep_list", b"[" * DEEP + b"]" * DEEP),
        ("deep_object", b'{"a":' * DEEP + b"1" + b"}" * DEEP),
        ("unfinished", b'{"a":' * DEEP),
        ("same_key", b"{" + b'"hw_disk_bus": "ide",' * 99_999 + ide[1:]),
        ("long_number", b'{"min_ram": ' + b"9" * MIB + b"}"),
        ("infinity", b'{"min_ram": Infinity, "hw_disk_bus": "ide"}'),
        ("no_json", b"x" * 5 * MIB),
        ("empty", b""),
    ):
        yield Case(f"glance_{name}", "POST", IMAGES, body)
    for name, path in (
        ("trailing_slash", f"{IMAGES}/"),
        ("newline", f"{IMAGES}\n"),
        ("slashes", "/v2" + "/" * 60_000 + "images"),
    ):
        yield Case(f"glance_{name}", "POST", path, ide)


def patches(image: str) -> Iterator[Case]:
    """Yield updates; Glance itself takes 5 ms a change."""
    same = [add("hw_disk_bus")] * CHANGES
    yield patch("patch_same", image, same)
    yield patch("patch_no_image", "x", same)
    yield patch(
        "patch_old",
        image,
        [{"add": "/hw_disk_bus", "value": "ide"}] * CHANGES,
        PATCH_20,
    )
    yield patch("patch_names", image, [add(f"x{n}") for n in range(CHANGES)])
    turns = [add("hw_disk_bus"), {"op": "remove", "path": "/hw_disk_bus"}]
    yield patch("patch_turns", image, turns * CHANGES)
    mapping = json.dumps([{"disk_bus": "ide"}] * 60_000)
    yield patch("patch_bdm", image, [add("block_device_mapping", mapping)])
    yield patch(
        "patch_bdms",
        image,
        [add("block_device_mapping", mapping[:9999])] * CHANGES,
    )
    yield patch("patch_long_path", image, [add("x/" * MIB)])

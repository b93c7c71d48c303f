# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to the Glance API; see ``abuse_service``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import services

services.choose_threads()

from tests.benchmarks import abuse_service, glance_server  # noqa: E402
from tests.benchmarks.abuse_cost import Finding  # noqa: E402
from tests.benchmarks.abuse_service import (  # noqa: E402
    MIB,
    Case,
    case,
    filled,
    seeded,
    sent,
)
from tests.benchmarks.client import TOKEN  # noqa: E402
from tests.functional.glance import service  # noqa: E402
from tests.functional.glance.wire import PATCH_20, PATCH_21  # noqa: E402
from tests.fuzz import test_fuzz_glance as odd  # noqa: E402

RANDOM = 100
IMAGES = "/v2/images"
DEEP = 90_000
CHANGES = 50
IDE_BUS = {"disk_bus": "ide"}


def post(name: str, /, **properties: Any) -> Case:
    """Return the creation of an image."""
    body = {"os_distro": "debian", **properties}
    return case(f"glance_{name}", "POST", IMAGES, body)


def mapped(name: str, size: int, entry: Any = lambda _: IDE_BUS) -> Case:
    """Return the creation of an image with so many bytes of devices."""
    return post(name, block_device_mapping=json.dumps(filled(entry, size)))


def patch(
    name: str, changes: Any, image: str = odd.IMAGE, kind: str = PATCH_21
) -> Case:
    """Return an update of an image."""
    return case(f"glance_{name}", "PATCH", f"{IMAGES}/{image}", changes, kind)


def add(path: str, value: Any = "ide") -> dict[str, Any]:
    """Return a change."""
    return {"op": "add", "path": f"/{path}", "value": value}


LONG = {"disk_bus": "x" * 4000, "device_type": "cdrom"}
POSTS = (
    # 1.26 and 5 MB of the body, where each quote is two bytes
    mapped("bdm_1260_kb", 1_035_000),
    mapped("bdm_5000_kb", 4_107_000),
    mapped("bdm_256_entries", 256 * 19),
    mapped("bdm_other_values", MIB, lambda n: {"disk_bus": f"x{n}"}),
    mapped("bdm_long_values", MIB, lambda _: LONG),
    post("bdm_deep", block_device_mapping="[" * DEEP),
    post("bdm_as_list", block_device_mapping=[IDE_BUS] * 9999),
    *(
        post(f"long_{name}", **{name: "x" * 5 * MIB})
        for name in ("hw_disk_bus", "hw_machine_type", "name", "owner")
    ),
    post("long_control", hw_machine_type="\n\x1b[31m" * MIB),
    post("long_key", **{"hw_" + "x" * 5 * MIB: "x"}),
    post("many_keys", **{f"hw_disk_bus_{n}": "ide" for n in range(50_000)}),
    post("many_tags", tags=[f"t{n}" for n in range(50_000)]),
    post("wrong_and_long", hw_disk_bus="ide", os_type="x" * 5 * MIB),
)

IDE = b'{"name": "x", "hw_disk_bus": "ide"}'
#: Bodies that are not valid JSON.
BODIES = {
    "deep_list": b"[" * DEEP + b"]" * DEEP,
    "deep_object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "unfinished": b'{"a":' * DEEP,
    "same_key": b"{" + b'"hw_disk_bus": "ide",' * 99_999 + IDE[1:],
    "long_number": b'{"min_ram": ' + b"9" * MIB + b"}",
    "infinity": b'{"min_ram": Infinity, "hw_disk_bus": "ide"}',
    "no_json": b"x" * 5 * MIB,
    "empty": b"",
}
PATHS = {
    "trailing_slash": f"{IMAGES}/",
    "newline": f"{IMAGES}\n",
    "slashes": "/v2" + "/" * 60_000 + "images",
}

SAME = [add("hw_disk_bus")] * CHANGES
TURNS = [add("hw_disk_bus"), {"op": "remove", "path": "/hw_disk_bus"}]
MAPPING = json.dumps([IDE_BUS] * 60_000)
#: Updates; Glance itself takes 5 ms a change.
PATCHES = (
    patch("patch_same", SAME),
    patch("patch_no_image", SAME, image="x"),
    patch(
        "patch_old",
        [{"add": "/hw_disk_bus", "value": "ide"}] * CHANGES,
        kind=PATCH_20,
    ),
    patch("patch_names", [add(f"x{n}") for n in range(CHANGES)]),
    patch("patch_turns", TURNS * CHANGES),
    patch("patch_bdm", [add("block_device_mapping", MAPPING)]),
    patch(
        "patch_bdms", [add("block_device_mapping", MAPPING[:9999])] * CHANGES
    ),
    patch("patch_long_path", [add("x/" * MIB)]),
)


def cases() -> Iterator[Case]:
    """Yield all requests."""
    image = {"id": odd.IMAGE, "name": "image", "hw_disk_bus": "virtio"}
    yield post("the_image", **image)
    yield post("warm_up")
    yield from POSTS
    for name, body in BODIES.items():
        yield case(f"glance_{name}", "POST", IMAGES, body)
    for name, path in PATHS.items():
        yield case(f"glance_{name}", "POST", path, IDE)
    yield from PATCHES
    yield from seeded(odd.wish, RANDOM, "glance", MIB)


def find(directory: Path) -> Iterator[Finding]:
    """Yield what requests cost Glance from a directory, with an image."""
    glance_server.prepare(directory, service.GATE)
    gate = glance_server.load(directory)
    plain = service.load(service.paste_file(directory / "plain.ini", None))
    image, *others = cases()
    made = {"HTTP_X_AUTH_TOKEN": TOKEN, **sent(*image[1:])}
    assert abuse_service.answered(plain, made)[0] == 201
    databases, log = [directory / "glance.sqlite"], directory / "glance.log"
    yield from abuse_service.found(
        (gate, plain), log, databases, TOKEN, others
    )

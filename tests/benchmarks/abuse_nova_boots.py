# SPDX-License-Identifier: Apache-2.0
"""Hostile boots for the Nova API."""

import json
from collections.abc import Iterator
from typing import Any

from tests.benchmarks import abuse_peers, nova_cloud
from tests.benchmarks.abuse_case import Case, filled
from tests.benchmarks.abuse_nova_cases import OLDEST, SIZE, boot, case, name_of

DEEP = 50_000


def networks(image: str) -> Iterator[Case]:
    """Yield boots with many ports."""
    for kind, first in (
        ("absent", abuse_peers.ABSENT),
        ("used", abuse_peers.USED),
        ("free", abuse_peers.FREE),
    ):
        ports = filled(lambda n, f=first: {"port": name_of(f, n)}, SIZE)
        yield boot(f"ports_{kind}", image, networks=ports)
        yield boot(
            f"port_{kind}_repeated", image, networks=ports[:1] * len(ports)
        )
    yield boot("port_ids_odd", image, networks=[{"port": "x"}] * 7000)


def unread(image: str, disks: list[str]) -> Iterator[Case]:
    """Yield requests that Nova refuses before its first look-up.

    :param disks: images for the disks of a boot
    """
    count = {"min_count": 2, "max_count": 1}
    free = [name_of(abuse_peers.FREE, n) for n in range(len(disks))]
    for kind, names in (
        ("image", disks),
        ("volume", free),
        ("snapshot", free),
    ):
        result = [
            {
                "uuid": name,
                "source_type": kind,
                "destination_type": "volume",
                "boot_index": index,
                "volume_size": 1,
            }
            for index, name in enumerate(names)
        ]
        devices = {"block_device_mapping_v2": result}
        yield boot(f"unread_{kind}s", image, **devices, **count)
    ports = [{"port": name} for name in free]
    yield boot("unread_ports", image, networks=ports, **count)
    count = {"min_count": 2, "max_count": 2}
    yield boot("unread_ports_of_two", image, networks=ports, **count)
    specs = {"extra_specs": {"pci_passthrough:alias": "gpu:1"}}
    path = f"/v2.1/flavors/{nova_cloud.FLAVOR}/os-extra_specs"
    yield case("specs_unread_of_a_member", path, specs)


def devices(image: str) -> Iterator[Case]:
    """Yield boots with many block devices."""
    for kind in ("image", "volume", "snapshot"):

        def entry(number: int, kind: str = kind) -> dict[str, Any]:
            name = image if kind == "image" else name_of("1", number)
            return {
                "uuid": name,
                "source_type": kind,
                "destination_type": "volume",
                "boot_index": 0,
                "disk_bus": "ide",
            }

        result = filled(entry, SIZE)
        yield boot(f"{kind}s", image, block_device_mapping_v2=result)
        yield boot(f"{kind}s_no_image", "", block_device_mapping_v2=result)
    old = filled(
        lambda n: {"volume_id": name_of("1", n), "device_name": "vda"}, SIZE
    )
    yield boot("volumes_format_1", "", block_device_mapping=old)
    buses = [{"disk_bus": f"ide{n}", "boot_index": n} for n in range(2000)]
    yield boot("buses", image, block_device_mapping_v2=buses)
    for name, number in (
        ("infinity", b"Infinity"),
        ("1e400", b"1e400"),
        ("minus_1e999", b"-1e999"),
        ("nan", b"NaN"),
    ):
        entry = {
            "source_type": "volume",
            "destination_type": "volume",
            "uuid": name_of("1", 1),
            "boot_index": 7777,
        }
        made = boot("", "", block_device_mapping_v2=[entry])
        body = made.body.replace(b"7777", number)
        yield case(f"boot_index_{name}", made.path, body)


def bodies(image: str) -> Iterator[Case]:
    """Yield boots of odd bodies."""
    mapping = json.dumps(filled(lambda _: {"disk_bus": "ide"}, 82_000))
    meta = {"block_device_mapping": mapping}
    yield boot("metadata", image, metadata=meta)
    yield boot("hints", image, **{"os:scheduler_hints": {"group": mapping}})
    yield boot("image_long", "x" * SIZE)
    yield boot("flavor_long", image, flavorRef="http://[" * 14_000)
    good = boot("", image)
    for name, body in (
        ("deep_list", b"[" * DEEP + b"]" * DEEP),
        ("deep_object", b'{"a":' * (DEEP // 3) + b"1" + b"}" * (DEEP // 3)),
        ("deep_server", b'{"server":' + b"[" * DEEP + b"]" * DEEP + b"}"),
        ("unfinished", b'{"server":' * (DEEP // 5)),
        ("too_long", good.body + b" " * (5 << 20)),
        (
            "same_key",
            b"{" + b'"server": {"imageRef": 1},' * 4000 + good.body[1:],
        ),
    ):
        yield case(name, good.path, body)
    yield case("trailing_slash", good.path + "/", good.body)
    yield case("newline", good.path + "\n", good.body)
    yield case("slashes", "/v2.1" + "/" * 60_000 + "servers", good.body)
    yield case("oldest", good.path, good.body, **OLDEST)

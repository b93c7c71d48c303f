# SPDX-License-Identifier: Apache-2.0
"""A network and a volume service for the hostile requests, for Nova to ask.

An id says what is known of its object by its first digit: 0 is not there, a
port of 1 is in use, a volume of 1 asks for an IDE disk, and a snapshot is of
the volume of its own id.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks import forked, nova_network

prepare = nova_network.prepare

ABSENT, USED, FREE = "0", "1", "2"


def port(port_id: str) -> dict[str, Any]:
    """Return a port."""
    used = port_id[0] == USED
    return {
        "id": port_id,
        "network_id": port_id,
        "device_id": port_id if used else "",
        "fixed_ips": [{"ip_address": "192.0.2.1", "subnet_id": port_id}],
        "binding:vnic_type": "normal",
    }


def volume(volume_id: str) -> dict[str, Any]:
    """Return a volume."""
    bus = "ide" if volume_id[0] == USED else "virtio"
    return {
        **dict.fromkeys(("name", "description", "snapshot_id"), ""),
        "id": volume_id,
        "status": "available",
        "size": 1,
        "availability_zone": "nova",
        "created_at": "2026-01-01T00:00:00",
        "attachments": [],
        "volume_type": "fast",
        "bootable": "true",
        "metadata": {},
        "volume_image_metadata": {"hw_disk_bus": bus},
    }


def snapshot(snapshot_id: str) -> dict[str, Any]:
    """Return a snapshot of a volume."""
    return {
        **dict.fromkeys(("name", "description", "project_id"), ""),
        "id": snapshot_id,
        "volume_id": snapshot_id,
        "status": "available",
        "size": 1,
        "created_at": "2026-01-01T00:00:00",
        "metadata": {},
    }


def quota(_project: str) -> dict[str, Any]:
    """Return that there is none."""
    return {"port": -1}


OBJECTS = {
    "ports": port,
    "volumes": volume,
    "snapshots": snapshot,
    "quotas": quota,
}
_NO_PORT = {"type": "PortNotFound", "message": "", "detail": ""}


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer GET of an object by its id; anything else as if all is empty."""
    parts = environ["PATH_INFO"].removesuffix(".json").split("/")
    kind, name = parts[-2], parts[-1]
    if kind not in OBJECTS or environ["REQUEST_METHOD"] != "GET":
        return nova_network.application(environ, start_response)
    result = name[0] != ABSENT or kind == "quotas"
    body = {"NeutronError": _NO_PORT}
    if result:
        body = {kind[:-1]: OBJECTS[kind](name)}
    start_response(
        "200 OK" if result else "404 Not Found",
        [("Content-Type", "application/json")],
    )
    return [json.dumps(body).encode()]


def load(directory: Path) -> Any:
    """Return the services."""
    return application


if __name__ == "__main__":
    import sys

    forked.main(sys.argv[1:], prepare, load)

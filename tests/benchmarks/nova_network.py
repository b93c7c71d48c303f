# SPDX-License-Identifier: Apache-2.0
"""A network and a volume service for Nova to ask; they have nothing.

``GET /servers/detail`` shows the security groups of every server, by Neutron.

For hostile requests, an id says what is known of its object by its first
digit: 0 is not there, a port of 1 is in use, a volume of 1 asks for an IDE
disk, and a snapshot is of the volume of its own id.
"""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks import forked

ABSENT, USED, FREE = "0", "1", "2"
_COLLECTIONS = ("extensions", "networks", "ports", "security_groups")
#: Without limits: Nova asks for them where a server is made without networks.
_NOTHING = {**{name: [] for name in _COLLECTIONS}, "quota": {}}
_NO_PORT = {
    "NeutronError": {"type": "PortNotFound", "message": "", "detail": ""}
}


def objects(name: str) -> dict[str, dict[str, Any]]:
    """Return the objects of an id, by their kind."""
    used = name[0] == USED
    stored = {
        **dict.fromkeys(("name", "description", "project_id"), ""),
        "id": name,
        "status": "available",
        "size": 1,
        "created_at": "2026-01-01T00:00:00",
        "metadata": {},
    }
    return {
        "port": {
            "id": name,
            "network_id": name,
            "device_id": name if used else "",
            "fixed_ips": [{"ip_address": "192.0.2.1", "subnet_id": name}],
            "binding:vnic_type": "normal",
        },
        "volume": {
            **stored,
            "snapshot_id": "",
            "availability_zone": "nova",
            "attachments": [],
            "volume_type": "fast",
            "bootable": "true",
            "volume_image_metadata": {
                "hw_disk_bus": "ide" if used else "virtio"
            },
        },
        "snapshot": {**stored, "volume_id": name},
    }


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer GET of an object by its id; anything else as if all is empty."""
    kind, _, name = environ["PATH_INFO"].removesuffix(".json").rpartition("/")
    kind = kind.rpartition("/")[2].removesuffix("s")
    status, body = "200 OK", _NOTHING
    if name and environ["REQUEST_METHOD"] == "GET" and kind in objects(name):
        body = {kind: objects(name)[kind]}
        if name[0] == ABSENT:
            status, body = "404 Not Found", _NO_PORT
    answer = json.dumps(body).encode()
    start_response(
        status,
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(answer))),
        ],
    )
    return [answer]


def load(directory: Path) -> Any:
    """Return the service."""
    return application


if __name__ == "__main__":
    forked.main(sys.argv[1:], lambda *unused: None, load)

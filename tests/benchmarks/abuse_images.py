# SPDX-License-Identifier: Apache-2.0
"""Images that hostile requests to Nova name, put into a Glance."""

import json

from tests.benchmarks import glance_client, nova_cloud
from tests.benchmarks.abuse_case import filled
from tests.benchmarks.glance_client import Glance
from tests.functional.glance import identity

ENTRY = {"disk_bus": "ide"}


def _mapped(size: int) -> dict[str, str]:
    """Return a property of so many bytes of block devices."""
    return {"block_device_mapping": json.dumps(filled(lambda _: ENTRY, size))}


#: What is in them beside what the image of the other benchmarks has.
PROPERTIES = {
    "clean": {},
    "ide": {"hw_disk_bus": "ide"},
    # What MySQL's column takes, and what PostgreSQL's does.
    "bdm_60_kb": _mapped(60_000),
    "bdm_1000_kb": _mapped(1_000_000),
    "long": {"hw_machine_type": "x" * 1_000_000},
    "deep": {"block_device_mapping": "[" * 60_000},
}

#: Images for as many disks as the gate would look up, each with the longest
#: list of block devices that it reads.
DISKS = tuple(f"disk_{number}" for number in range(63))
_DISK = {"block_device_mapping": json.dumps([ENTRY] * 256)}


def make(glance: Glance) -> dict[str, str]:
    """Create and fill the images of Nova's project.

    :returns: their ids by what is in them
    """
    user = {"X-Auth-Token": identity.token(nova_cloud.PROJECT)}
    made = {}
    for name, properties in {
        **PROPERTIES,
        **dict.fromkeys(DISKS, _DISK),
    }.items():
        body = json.dumps({**glance_client.IMAGE, **properties}).encode()
        _, answer = glance.timed(
            "POST", "/v2/images", body, expect=201, **user
        )
        made[name] = json.loads(answer)["id"]
        path = f"/v2/images/{made[name]}/file"
        glance.timed("PUT", path, b"x", glance_client.OCTETS, 204, **user)
    return made

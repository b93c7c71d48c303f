# SPDX-License-Identifier: Apache-2.0
"""Parts of requests to Nova's API, and mutations that make them odd."""

from typing import Any

from tests.fuzz.test_fuzz_nova import GOOD
from tests.release.differential.values import IMAGE

_WITH_NETWORKS = {
    "server": {
        "name": " server ",
        "imageRef": IMAGE,
        "flavorRef": "1",
        "networks": "auto",
        "tags": ["a"],
        "hostname": "server",
        "description": None,
    },
    "os:scheduler_hints": {"group": IMAGE},
}
TEMPLATES: tuple[tuple[str, str, Any], ...] = (
    *GOOD,
    *(("POST", "/servers", _WITH_NETWORKS),) * 6,
)

#: Names of some schema, of some microversion.
NAMES = (
    "server",
    "block_device_mapping",
    "block_device_mapping_v2",
    "config_drive",
    "networks",
    "imageRef",
    "flavorRef",
    "tags",
    "hostname",
    "host",
    "description",
    "trusted_image_certificates",
    "snapshot_id",
    "image_id",
    "volume_id",
    "uuid",
    "volume_type",
    "rescue_image_ref",
    "availability_zone",
    "metadata",
    "preserve_ephemeral",
    "x",
    "",
)
VALUES = (
    None,
    True,
    "true",
    "",
    "0",
    " 1 ",
    0,
    -1,
    1.0,
    1e999,
    float("nan"),
    10**30,
    "\x00",
    "a\u00a0",
    "x" * 300,
    [],
    {},
    [{}],
    {"hw_disk_bus": "ide"},
    IMAGE,
    IMAGE.upper(),
    "http://glance/v2/images/x",
)
_BOUNDS = (1, 18, 19, 32, 36, 37, 41, 42, 48, 49, 52, 57, 63, 67, 74)
_LATER = (77, 85, 86, 87, 90, 93, 94, 96, 100, 999)
VERSIONS = (
    *("2.36", "2.1", "2.36", "2.96", None) * 6,
    *(f"2.{minor}" for minor in (*_BOUNDS, *_LATER)),
    "latest",
    "3.0",
    "x",
)
VERSION_HEADERS = (
    ("HTTP_OPENSTACK_API_VERSION", "compute {}"),
    ("HTTP_X_OPENSTACK_NOVA_API_VERSION", "{}"),
)
TYPES = (
    *("application/json",) * 24,
    "application/json; charset=utf-8",
    "application/vnd.openstack.compute+json",
    "application/xml",
    "text/plain",
    "",
)

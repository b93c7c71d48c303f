# SPDX-License-Identifier: Apache-2.0
"""The JSON schema of a file of policy tests."""

from typing import Any

from nova_vhard.common.json_schema import (
    BOOL,
    DATE,
    TEXT,
    TEXTS,
    array,
    keys,
    mapping,
)
from nova_vhard.policy.model import Mode
from nova_vhard.policy.verdict import ALLOW, DISABLED, REFUSE
from nova_vhard.request.described import LOOKED_AT

OUTCOMES = (ALLOW, str(Mode.WARN), REFUSE, str(Mode.AUDIT), DISABLED)

# Names are the cloud's own, so that any may stand here; values are text or,
# as YAML reads them, true and false.
_PROPERTIES = mapping({"type": ["string", "boolean"]})
_SPECS = mapping({"type": "string"})

_DEVICE = keys(
    device_type=TEXT,
    disk_bus=TEXT,
    source_type=TEXT,
    destination_type=TEXT,
    boot_index=TEXT,
    uuid=TEXT,
    volume_size=TEXT,
)
_PORT = keys("vnic_type", vnic_type=TEXT, id=TEXT)

CASE = keys(
    *("name", "operation", "expect"),
    name=TEXT,
    operation={"enum": list(LOOKED_AT)},
    project=TEXT,
    domain=TEXT,
    roles=TEXTS,
    image=keys(id=TEXT, disk_format=TEXT, properties=_PROPERTIES),
    volume=keys(properties=_PROPERTIES),
    flavor=keys(name=TEXT, id=TEXT, extra_specs=_SPECS),
    block_devices=array(_DEVICE),
    ports=array(_PORT),
    config_drive=BOOL,
    server=keys(
        id=TEXT,
        properties=_PROPERTIES,
        disk_format=TEXT,
        extra_specs=_SPECS,
        config_drive=BOOL,
        same_image=BOOL,
    ),
    expect=keys(
        "verdict",
        verdict={"enum": list(OUTCOMES)},
        rules=TEXTS,
        exemptions=TEXTS,
        host_checks=TEXTS,
    ),
)

SCHEMA: dict[str, Any] = keys(
    "cases",
    policy=TEXT,
    date=DATE,
    cases=array(CASE, least=1),
)

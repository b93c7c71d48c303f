# SPDX-License-Identifier: Apache-2.0
"""The JSON schema of a file of policy tests."""

from typing import Any

from nova_vhard.policy.model import Mode
from nova_vhard.policy.verdict import ALLOW, DISABLED, REFUSE
from nova_vhard.request.case import LOOKED_AT

OUTCOMES = (ALLOW, str(Mode.WARN), REFUSE, str(Mode.AUDIT), DISABLED)

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT}
_BOOL = {"type": "boolean"}

# Names are the cloud's own, so that any may stand here; values are text or,
# as YAML reads them, true and false.
_PROPERTIES = {
    "type": "object",
    "additionalProperties": {"type": ["string", "boolean"]},
}
_SPECS = {"type": "object", "additionalProperties": {"type": "string"}}


def _keys(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


_DEVICE = _keys(
    device_type=_TEXT,
    disk_bus=_TEXT,
    source_type=_TEXT,
    destination_type=_TEXT,
    boot_index=_TEXT,
    uuid=_TEXT,
    volume_size=_TEXT,
)
_PORT = _keys(("vnic_type",), vnic_type=_TEXT, id=_TEXT)

CASE = _keys(
    ("name", "operation", "expect"),
    name=_TEXT,
    operation={"enum": list(LOOKED_AT)},
    project=_TEXT,
    domain=_TEXT,
    roles=_TEXTS,
    image=_keys(id=_TEXT, disk_format=_TEXT, properties=_PROPERTIES),
    volume=_keys(properties=_PROPERTIES),
    flavor=_keys(name=_TEXT, id=_TEXT, extra_specs=_SPECS),
    block_devices={"type": "array", "items": _DEVICE},
    ports={"type": "array", "items": _PORT},
    config_drive=_BOOL,
    server=_keys(
        properties=_PROPERTIES,
        disk_format=_TEXT,
        extra_specs=_SPECS,
        config_drive=_BOOL,
        same_image=_BOOL,
    ),
    expect=_keys(
        ("verdict",),
        verdict={"enum": list(OUTCOMES)},
        rules=_TEXTS,
        exemptions=_TEXTS,
        host_checks=_TEXTS,
    ),
)

SCHEMA: dict[str, Any] = _keys(
    ("cases",),
    policy=_TEXT,
    date=_TEXT,
    cases={"type": "array", "items": CASE, "minItems": 1},
)

# SPDX-License-Identifier: Apache-2.0
"""The JSON schema of a policy file: every key has its place here."""

from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.passthrough import PORTS

MODES = ("enforce", "warn", "audit")

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT}
_SOME_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1}
_MODE = {"enum": list(MODES)}
_VALUES = {"type": "array", "items": {"type": ["string", "boolean"]}}
_HOURS = {
    "type": "string",
    "pattern": "^([2-9]|1[0-9]|2[0-4])$",
    "description": "no whole number of hours from 2 to 24",
}
_BOOL = {"type": "boolean"}


def _keys(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _needs(*names: str) -> dict[str, Any]:
    return {"required": list(names)}


# A file that extends another may give a rule a mode alone: that every rule
# has its allow list is checked on what they come to together.
_RULE = _keys(
    allow=_VALUES,
    mode=_MODE,
    explicit=_BOOL,
    replace={"type": "object", "additionalProperties": _TEXT},
    reason=_TEXT,
)

_EXEMPTION = _needs("id", "reason", "rules", "until") | _keys(
    id=_TEXT,
    reason=_TEXT,
    projects=_SOME_TEXTS,
    domains=_SOME_TEXTS,
    images=_SOME_TEXTS,
    flavors=_SOME_TEXTS,
    roles=_SOME_TEXTS,
    rules={
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "anyOf": [_VALUES, {"const": "*"}],
        },
    },
    until={
        "type": "string",
        "pattern": r"^\d{4}-\d{2}-\d{2}$",
        "description": "no date; write 2027-03-31",
    },
)

_PROJECT = _needs("mode") | _keys(
    mode=_MODE, projects=_SOME_TEXTS, domains=_SOME_TEXTS
)

SCHEMA: dict[str, Any] = _needs("version") | _keys(
    version={"enum": ["1"]},
    requires=_TEXT,
    enabled=_BOOL,
    mode=_MODE,
    extends=_TEXT,
    applies_to=_keys(hypervisor_type=_SOME_TEXTS),
    assume=_keys(
        virt_type={"enum": ["kvm", "qemu", "parallels", "lxc"]},
        architecture=_TEXT,
        machine_type={"type": "object", "additionalProperties": _TEXT},
        use_virtio_for_bridges=_BOOL,
        force_config_drive=_BOOL,
    ),
    guest_devices=_keys(**dict.fromkeys(KINDS, _RULE)),
    passthrough=_keys(
        allow=_keys(
            aliases={"anyOf": [_TEXTS, {"const": "*"}]},
            ports={
                "type": "array",
                "items": {"enum": list(PORTS)},
            },
            device_profiles={"anyOf": [_TEXTS, {"const": "*"}]},
            mdev={"anyOf": [_TEXTS, {"const": "*"}]},
        ),
        require=_TEXTS,
        mode=_MODE,
    ),
    hosts=_keys(require=_TEXTS, mode=_MODE, max_report_age=_HOURS),
    moves=_keys(guest_devices=_MODE, hosts=_MODE),
    projects={"type": "array", "items": _PROJECT},
    exemptions={"type": "array", "items": _EXEMPTION},
)

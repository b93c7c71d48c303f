# SPDX-License-Identifier: Apache-2.0
"""The JSON schema of a policy file: every key has its place here."""

from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.passthrough import PORTS
from nova_vhard.policy.json_schema import (
    BOOL,
    SOME_TEXTS,
    TEXT,
    TEXTS,
    array,
    keys,
    mapping,
)

MODES = ("enforce", "warn", "audit")

_MODE = {"enum": list(MODES)}
_VALUES = array({"type": ["string", "boolean"]})
_HOURS = {
    "type": "string",
    "pattern": "^([2-9]|1[0-9]|2[0-4])$",
    "description": "no whole number of hours from 2 to 24",
}
_ANY = {"anyOf": [TEXTS, {"const": "*"}]}

# A file that extends another may give a rule a mode alone: that every rule
# has its allow list is checked on what they come to together.
_RULE = keys(
    allow=_VALUES,
    mode=_MODE,
    explicit=BOOL,
    replace=mapping(TEXT),
    reason=TEXT,
)

_EXEMPTION = keys(
    *("id", "reason", "rules", "until"),
    id=TEXT,
    reason=TEXT,
    projects=SOME_TEXTS,
    domains=SOME_TEXTS,
    images=SOME_TEXTS,
    flavors=SOME_TEXTS,
    roles=SOME_TEXTS,
    rules={
        **mapping({"anyOf": [_VALUES, {"const": "*"}]}),
        "minProperties": 1,
    },
    until={
        "type": "string",
        "pattern": r"^\d{4}-\d{2}-\d{2}$",
        "description": "no date; write 2027-03-31",
    },
)

_PROJECT = keys("mode", mode=_MODE, projects=SOME_TEXTS, domains=SOME_TEXTS)

SCHEMA: dict[str, Any] = keys(
    "version",
    version={"enum": ["1"]},
    requires=TEXT,
    enabled=BOOL,
    mode=_MODE,
    extends=TEXT,
    applies_to=keys(hypervisor_type=SOME_TEXTS),
    assume=keys(
        virt_type={"enum": ["kvm", "qemu", "parallels", "lxc"]},
        architecture=TEXT,
        machine_type=mapping(TEXT),
        use_virtio_for_bridges=BOOL,
        force_config_drive=BOOL,
    ),
    guest_devices=keys(**dict.fromkeys(KINDS, _RULE)),
    passthrough=keys(
        allow=keys(
            aliases=_ANY,
            ports=array({"enum": list(PORTS)}),
            device_profiles=_ANY,
            mdev=_ANY,
        ),
        require=TEXTS,
        mode=_MODE,
    ),
    hosts=keys(require=TEXTS, mode=_MODE, max_report_age=_HOURS),
    moves=keys(guest_devices=_MODE, hosts=_MODE),
    projects=array(_PROJECT),
    exemptions=array(_EXEMPTION),
)

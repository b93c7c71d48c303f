# SPDX-License-Identifier: Apache-2.0
"""The JSON schema of a policy file: every key has its place here."""

from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.passthrough import PORTS
from nova_vhard.common.json_schema import (
    BOOL,
    NAME,
    NAME_LIMIT,
    NAMES,
    TEXT,
    array,
    keys,
    list_or_any,
    mapping,
    titled,
)

#: ``[libvirt] cpu_mode``.
CPU_MODES = ("host-model", "host-passthrough", "maximum", "custom", "none")
MODES = ("enforce", "warn", "audit")
HOT_PLUG = ("report", "detach")
TRUST = ("reported", "attested")
UNANSWERED = ("allow", "refuse")

#: Values of a rule: each replacement is compared with each allowed value.
_MOST = 256

#: Characters of a reason, and of a path.
_LONG = {**TEXT, "maxLength": 4096}

_MODE = {"enum": list(MODES)}
_VALUE = {"type": ["string", "boolean"], "maxLength": NAME_LIMIT}
_VALUES = titled(array(_VALUE), "a list of values")
_HOURS = {
    "type": "string",
    "pattern": r"^([2-9]|1[0-9]|2[0-4])\Z",
    "description": "no whole number of hours from 2 to 24",
    "title": "a whole number of hours from 2 to 24",
}
_ANY = list_or_any(NAME)
_CHECKS = titled(NAMES, "a list of checks and profiles")

# A file that extends another may give a rule a mode alone: that every rule
# has its allow list is checked on what they come to together.
_RULE = keys(
    allow={**_VALUES, "maxItems": _MOST},
    mode=_MODE,
    explicit=BOOL,
    replace={
        **mapping(NAME),
        "maxProperties": _MOST,
        "title": "a mapping of refused to allowed values",
    },
    reason=_LONG,
)

# Compared as it is written: a pattern would stand for nothing.
_LITERALS = array(
    {
        **NAME,
        "pattern": r"^[^*]*\Z",
        "description": "a pattern, which stands for nothing here: name each",
    },
    least=1,
)
_IDS = titled(_LITERALS, "a list of ids")
# Nova writes an id in one way, and it is compared as it is written.
_SERVER = {
    "type": "string",
    "pattern": r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z",
    "description": "no id of a server; write it as 'openstack server list' "
    "does: 155d900f-4e14-4e4c-a73d-069cbf4541e6",
    "title": "the id of a server",
}
_EXEMPTION = keys(
    *("id", "reason", "rules", "until"),
    id=NAME,
    reason=_LONG,
    projects=_IDS,
    domains=_IDS,
    images=_IDS,
    flavors=titled(_LITERALS, "a list of names or ids"),
    roles=titled(_LITERALS, "a list of names"),
    servers=titled(array(_SERVER, least=1), "a list of ids"),
    rules={
        **mapping(list_or_any(_VALUE)),
        "minProperties": 1,
        "title": 'a mapping of rule ids to lists of values or "*"',
    },
    until={
        "type": "string",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z",
        "description": "no date; write 2027-03-31",
        "title": "a date, as 2027-03-31",
    },
)

_PROJECT = keys("mode", mode=_MODE, projects=_IDS, domains=_IDS)

SCHEMA: dict[str, Any] = keys(
    "version",
    version={"enum": ["1"]},
    requires=titled(NAME, 'versions of nova-vhard, as ">=1.0"'),
    enabled=BOOL,
    mode=_MODE,
    extends=titled(_LONG, "baseline, scs, strict or the path of a file"),
    applies_to=keys(
        hypervisor_type=titled(_LITERALS, "a list of hypervisor types")
    ),
    assume=keys(
        virt_type={"enum": ["kvm", "qemu", "parallels", "lxc"]},
        architecture=NAME,
        machine_type=titled(
            mapping(NAME), "a mapping of architectures to machine types"
        ),
        use_virtio_for_bridges=BOOL,
        force_config_drive=BOOL,
        pointer_model={"enum": ["usbtablet", "ps2mouse", "none"]},
        cpu_mode={"enum": list(CPU_MODES)},
        libosinfo=BOOL,
    ),
    guest_devices=titled(
        keys(**dict.fromkeys(KINDS, _RULE)),
        "a mapping of device kinds to rules",
    ),
    passthrough=keys(
        allow=keys(
            aliases=_ANY,
            ports=titled(
                array({"enum": list(PORTS)}), "a list of kinds of ports"
            ),
            device_profiles=_ANY,
            mdev=_ANY,
        ),
        require=_CHECKS,
        mode=_MODE,
    ),
    hosts=keys(
        require=_CHECKS,
        mode=_MODE,
        max_report_age=_HOURS,
        trust={"enum": list(TRUST)},
    ),
    moves=keys(guest_devices=_MODE, hosts=_MODE),
    on_host=keys(
        mode=_MODE,
        hot_plug={"enum": list(HOT_PLUG)},
        unanswered={"enum": list(UNANSWERED)},
    ),
    projects=titled(
        array(_PROJECT), "a list of entries with mode, projects, domains"
    ),
    exemptions=titled(
        array(_EXEMPTION),
        "a list of exemptions with id, reason, rules, until",
    ),
)

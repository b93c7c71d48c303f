# SPDX-License-Identifier: Apache-2.0
"""The JSON schema of a policy file, with all its keys.

It uses two custom keywords, which ``nova_vhard.policy.check`` implements:

``device_value``
   A value that Nova knows for the named device kind.
``version_specifier``
   Versions of a package, as in PEP 440.
"""

from typing import Any

from nova_vhard.catalogue.checks import REQUIRABLE
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.kinds import DeviceKind
from nova_vhard.catalogue.passthrough import ONE_TIME_USE, PORTS
from nova_vhard.catalogue.profiles import PROFILES
from nova_vhard.common.json_schema import (
    BOOL,
    DATE,
    NAME,
    NAME_LIMIT,
    TEXT,
    Schema,
    array,
    keys,
    list_or_any,
    mapping,
    titled,
)
from nova_vhard.policy.model import HotPlug, Trust, Unanswered

#: ``[libvirt] cpu_mode``.
CPU_MODES = ("host-model", "host-passthrough", "custom", "none")
MODES = ("enforce", "warn", "audit")

#: Custom keywords.
KEYWORDS = ("device_value", "version_specifier")

# ``\Z`` in all patterns here, not ``$``, which also matches before a newline
# at the end.
_MODE = {"enum": list(MODES)}
# ``file`` takes back the mode that a rule has in the file below.
_RULE_MODE = {"enum": [*MODES, "file"]}
_VALUE = {"type": ["string", "boolean"], "maxLength": NAME_LIMIT}
# Text: the YAML loader makes no numbers. Two hours at least: a report is
# marked with its hour only, and with 1 each would be void at the full hour
# (``traits.hours``).
_HOURS = {
    "type": "string",
    "pattern": r"^([2-9]|1[0-9]|2[0-4])\Z",
    "title": "a whole number of hours from 2 to 24",
}
_ANY = list_or_any(NAME)
_ARCHITECTURE = {
    "enum": list(KINDS["architecture"].values),
    "title": "an architecture in Nova's spelling, such as x86_64 or aarch64",
}
_LISTED = "a check or profile that 'nova-vhard-reporter check' lists"
_CHECK = titled({"enum": [*REQUIRABLE, *PROFILES]}, _LISTED)
_DEVICE_CHECK = titled(
    {"enum": [*REQUIRABLE, *PROFILES, ONE_TIME_USE]},
    f"{ONE_TIME_USE}, or {_LISTED}",
)
_CHECKS = "a list of checks and profiles"


def _rule(kind: DeviceKind) -> Schema:
    """Return the schema of the rule of a device kind.

    ``allow`` is not required here, because a file that extends another may
    set only the mode. The merged policy is checked for it.
    """
    new = {
        **NAME,
        "pattern": r"^[^*?\[]*\Z",
        "title": "a single value, not a pattern",
        "device_value": kind.name,
    }
    old = {**new, "pattern": r"^(\*|[^*?\[]*)\Z"}
    return keys(
        allow=titled(
            array({**_VALUE, "device_value": kind.name}), "a list of values"
        ),
        mode=_RULE_MODE,
        explicit=BOOL
        if kind.image_properties
        else titled(
            {"enum": [False]}, "false, because no image property sets it"
        ),
        replace={
            **mapping(new),
            "propertyNames": {"maxLength": NAME_LIMIT, **old},
            "title": "a mapping of refused to allowed values",
        },
        reason=TEXT,
    )


# Compared as it is written: a pattern would stand for nothing.
_LITERALS = array(
    {
        **NAME,
        "pattern": r"^[^*]*\Z",
        "title": "a single name or ID, not a pattern",
    },
    least=1,
)
_IDS = titled(_LITERALS, "a list of ids")
# Nova writes an id in one way, and it is compared as it is written.
_SERVER = {
    "type": "string",
    "pattern": r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z",
    "title": "the ID of a server as 'openstack server list' shows it, such "
    "as 155d900f-4e14-4e4c-a73d-069cbf4541e6",
}
# A closed set of rule ids: a typing error in an exemption would otherwise lift
# nothing, and be found on the day when it is needed.
_RULES = keys(
    **{
        f"guest_devices.{name}": list_or_any({**_VALUE, "device_value": name})
        for name in KINDS
    },
    **{
        "passthrough.allow": list_or_any(_VALUE),
        "passthrough.require": list_or_any(_DEVICE_CHECK),
        "hosts.require": list_or_any(_CHECK),
    },
)
_EXEMPTION = keys(
    *("id", "reason", "rules", "until"),
    # reason and until are required: an exemption without a reason, or
    # without an end, becomes the policy.
    id=NAME,
    reason=TEXT,
    projects=_IDS,
    domains=_IDS,
    images=_IDS,
    flavors=titled(_LITERALS, "a list of names or ids"),
    roles=titled(_LITERALS, "a list of names"),
    servers=titled(array(_SERVER, least=1), "a list of ids"),
    rules={
        **_RULES,
        "minProperties": 1,
        "title": 'a mapping of rule ids to lists of values or "*"',
    },
    until=DATE,
)

_PROJECT = keys("mode", mode=_MODE, projects=_IDS, domains=_IDS)

SCHEMA: dict[str, Any] = keys(
    "version",
    version={"enum": ["1"]},
    requires={
        **TEXT,
        "version_specifier": True,
        "title": 'versions of nova-vhard, such as ">=1.0"',
    },
    enabled=BOOL,
    mode=_MODE,
    extends=titled(TEXT, "baseline, scs, strict or the path of a file"),
    applies_to=keys(
        hypervisor_type=titled(_LITERALS, "a list of hypervisor types")
    ),
    assume=keys(
        # What ``defaults`` follows. For other virt_types Nova picks other
        # buses.
        virt_type={"enum": ["kvm", "qemu"]},
        architecture=_ARCHITECTURE,
        machine_type={
            **mapping(NAME),
            "propertyNames": _ARCHITECTURE,
            "title": "a mapping of architectures to machine types",
        },
        use_virtio_for_bridges=BOOL,
        force_config_drive=BOOL,
        pointer_model={"enum": ["usbtablet", "ps2mouse", "none"]},
        cpu_mode={"enum": list(CPU_MODES)},
        libosinfo=BOOL,
    ),
    guest_devices=titled(
        keys(**{name: _rule(kind) for name, kind in KINDS.items()}),
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
        require=titled(array(_DEVICE_CHECK), _CHECKS),
        mode=_RULE_MODE,
    ),
    hosts=keys(
        require=titled(array(_CHECK), _CHECKS),
        mode=_RULE_MODE,
        max_report_age=_HOURS,
        trust={"enum": [*map(str, Trust)]},
    ),
    moves=keys(guest_devices=_MODE, hosts=_MODE),
    on_host=keys(
        mode=_MODE,
        hot_plug={"enum": [*map(str, HotPlug)]},
        unanswered={"enum": [*map(str, Unanswered)]},
    ),
    projects=titled(
        array(_PROJECT), "a list of entries with mode, projects, domains"
    ),
    exemptions=titled(
        array(_EXEMPTION),
        "a list of exemptions with id, reason, rules, until",
    ),
)

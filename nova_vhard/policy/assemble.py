# SPDX-License-Identifier: Apache-2.0
"""A Policy out of the plain data of its files."""

import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.passthrough import OF_DEVICES
from nova_vhard.catalogue.profiles import expand
from nova_vhard.policy.model import (
    Assume,
    DeviceRule,
    Exemption,
    GuardSettings,
    HostsRule,
    HotPlug,
    Mode,
    PassthroughRule,
    Policy,
    ProjectMode,
    Trust,
    Unanswered,
    Values,
)

#: Hypervisor types that are judged where the policy names none.
_JUDGED = ("QEMU", "KVM")
#: libvirt reports QEMU for a host with KVM, too: either word means both.
_LIBVIRT = frozenset(("qemu", "kvm"))
_SELECTORS = ("projects", "domains", "images", "flavors", "servers")


def policy(data: Mapping[str, Any], files: list[str]) -> Policy:
    """Return the Policy for content that has been validated.

    :param data: the merged content
    :param files: paths of the files that it was read from
    """
    # Sorted keys: the digest must be the same on every host, and must not
    # change if an operator only moves a section.
    content = json.dumps(data, sort_keys=True).encode()
    hosts = data.get("hosts", {})
    on_host = data.get("on_host", {})
    moves = data.get("moves", {})
    # HostState.hypervisor_type is whatever the driver reports. Case is folded
    # on both sides.
    listed = data.get("applies_to", {}).get("hypervisor_type", _JUDGED)
    types = frozenset(name.lower() for name in listed)
    return Policy(
        digest=hashlib.sha256(content).hexdigest()[:16],
        files=tuple(files),
        enabled=data.get("enabled", True),
        # Without a mode the policy enforces. The weaker defaults below concern
        # existing servers: to refuse a move, or a reboot on a host, causes an
        # outage, so the operator must opt in to it.
        mode=Mode(data.get("mode", Mode.ENFORCE)),
        hypervisor_types=(
            types if types.isdisjoint(_LIBVIRT) else types | _LIBVIRT
        ),
        assume=Assume(**data.get("assume", {})),
        guest_devices={
            name: DeviceRule(
                id=f"guest_devices.{name}",
                allow=_values(name, rule["allow"]),
                mode=_mode(rule),
                explicit=rule.get("explicit", False),
                replace={
                    # ``listed`` keeps ``*`` as a key. A new value is never a
                    # pattern (schema.py).
                    KINDS[name].listed(old): KINDS[name].canonical(new)
                    for old, new in rule.get("replace", {}).items()
                },
            )
            for name, rule in data.get("guest_devices", {}).items()
        },
        passthrough=_passthrough(data.get("passthrough")),
        hosts=HostsRule(
            # Checks only, no profiles: an exemption or a posture is about
            # single checks.
            require=expand(hosts.get("require", ())),
            mode=_mode(hosts),
            max_report_age=int(hosts.get("max_report_age", 2)),
            trust=Trust(hosts.get("trust", Trust.REPORTED)),
        ),
        moves_guest_devices=Mode(moves.get("guest_devices", Mode.WARN)),
        moves_hosts=Mode(moves.get("hosts", Mode.WARN)),
        on_host=GuardSettings(
            mode=Mode(on_host.get("mode", Mode.AUDIT)),
            hot_plug=HotPlug(on_host.get("hot_plug", HotPlug.REPORT)),
            unanswered=Unanswered(on_host.get("unanswered", Unanswered.ALLOW)),
        ),
        projects=tuple(
            ProjectMode(
                Mode(project["mode"]), **_sets(project, _SELECTORS[:2])
            )
            for project in data.get("projects", ())
        ),
        exemptions=tuple(
            Exemption(
                id=entry["id"],
                reason=entry["reason"],
                # The schema has checked the format and the calendar.
                until=datetime.date.fromisoformat(entry["until"]),
                rules={
                    # ``guest_devices.disk_bus`` has values of a device kind,
                    # ``hosts.require`` and ``passthrough.require`` names of
                    # checks, ``passthrough.allow`` names as they are.
                    rule: _values(rule.partition(".")[2], values)
                    for rule, values in entry["rules"].items()
                },
                # Keystone compares role names without case, and
                # ``subject.fold_roles`` folds those of the token.
                roles=frozenset(
                    role.lower() for role in entry.get("roles", ())
                ),
                **_sets(entry, _SELECTORS),
            )
            for entry in data.get("exemptions", ())
        ),
    )


def _sets(
    entry: Mapping[str, Any], names: tuple[str, ...]
) -> dict[str, frozenset[str]]:
    return {name: frozenset(entry.get(name, ())) for name in names}


def _values(kind: str, listed: Any) -> Values:
    if listed == "*":
        return Values(("*",))
    if kind == "require":
        return Values(tuple(sorted(expand(listed))))
    # Names of aliases and device profiles are the operator's own words: no
    # case folding, since Nova compares them as they are.
    if kind not in KINDS:
        return Values(tuple(str(value) for value in listed))
    return Values(tuple(KINDS[kind].listed(value) for value in listed))


def _mode(entry: Mapping[str, Any]) -> Mode | None:
    mode = entry.get("mode", "file")
    return None if mode == "file" else Mode(mode)


def _passthrough(entry: Mapping[str, Any] | None) -> PassthroughRule | None:
    if entry is None:
        return None
    allow = entry.get("allow", {})
    required = expand(entry.get("require", ()))
    return PassthroughRule(
        allow={kind: _values(kind, listed) for kind, listed in allow.items()},
        # A host cannot prove ``one_time_use`` for all of its devices, so
        # Placement must not be asked for it. The filter looks at each device.
        require=required - OF_DEVICES,
        mode=_mode(entry),
        of_devices=required & OF_DEVICES,
    )

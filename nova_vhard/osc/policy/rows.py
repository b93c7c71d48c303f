# SPDX-License-Identifier: Apache-2.0
"""The lines of ``openstack vhard policy show``."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.machines import NOVA_MACHINE_TYPES
from nova_vhard.common.problems import Path
from nova_vhard.policy import assemble, document, provenance
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.policy.schema import SCHEMA

DEFAULT = "default"
_NOTHING = "(nothing)"
_NOT_JUDGED = "(not judged)"


@dataclass(frozen=True)
class Row:
    """One key of a policy.

    :ivar value: None where nothing is judged
    :ivar mode: what happens where the rule is broken; None for no rule
    :ivar file: who says it: path of a file, or ``default``
    :ivar line: line in that file, from 1
    :ivar none: the word for no value
    """

    path: Path
    value: Any
    mode: Mode | None
    file: str
    line: int | None
    none: str = _NOTHING


def of_file(tree: provenance.Tree) -> Iterator[Row]:
    """Yield what one file says, in its own order."""
    for path, stated in provenance.values(tree):
        yield Row(path, stated.value, None, stated.file, stated.line)


def of_policy(reading: document.Reading) -> list[Row]:
    """Return the effective policy, in the order of the reference.

    :raises PolicyError: if it cannot be used
    """
    policy = reading.good()
    stated = {
        path: Row(path, item.value, _mode(policy, path), item.file, item.line)
        for path, item in provenance.values(reading.tree)
        if path[0] != "guest_devices" or path[-1] != "reason"
    }
    unsaid = {
        path: Row(path, value, _mode(policy, path), DEFAULT, None, _NOT_JUDGED)
        if value is None
        else Row(path, value, _mode(policy, path), DEFAULT, None)
        for path, value in _defaults(policy)
        if path not in stated
    }
    return sorted((stated | unsaid).values(), key=_place)


def _place(row: Row) -> tuple[int, int]:
    """Return what sorts by section, and kinds as in the catalogue.

    Everything else stays in the order in which it was said.
    """
    sections = list(SCHEMA["properties"])
    kinds = list(KINDS)
    second = row.path[1] if len(row.path) > 1 else None
    known = row.path[0] == "guest_devices"
    return (
        sections.index(str(row.path[0])),
        kinds.index(str(second)) if known else 0,
    )


def _mode(policy: Policy, path: Path) -> Mode | None:
    """Return the mode of a rule for projects without their own."""
    if path[0] == "guest_devices" and path[-1] == "allow":
        return policy.guest_devices[str(path[1])].mode or policy.mode
    if path[0] == "passthrough" and path[1:] and path[1] != "mode":
        rule = policy.passthrough
        return (rule.mode if rule else None) or policy.mode
    if path == ("hosts", "require"):
        return policy.hosts.mode or policy.mode
    return None


def _defaults(policy: Policy) -> Iterator[tuple[Path, Any]]:
    """Yield every default with its path; None for what is not judged."""
    bare = assemble.policy({}, [])
    yield ("enabled",), bare.enabled
    yield ("mode",), str(bare.mode)
    types = sorted(name.upper() for name in bare.hypervisor_types)
    yield ("applies_to", "hypervisor_type"), types
    for field in fields(bare.assume):
        if field.name != "machine_type":
            yield ("assume", field.name), getattr(bare.assume, field.name)
    for arch, machine in NOVA_MACHINE_TYPES.items():
        yield ("assume", "machine_type", arch), machine
    for kind in KINDS:
        if kind not in policy.guest_devices:
            yield ("guest_devices", kind), None
    if policy.passthrough is None:
        yield ("passthrough",), None
    else:
        allow = SCHEMA["properties"]["passthrough"]["properties"]["allow"]
        for kind in allow["properties"]:
            yield ("passthrough", "allow", kind), []
        yield ("passthrough", "require"), []
    yield ("hosts", "require"), []
    yield ("hosts", "max_report_age"), str(bare.hosts.max_report_age)
    yield ("hosts", "trust"), str(bare.hosts.trust)
    yield ("moves", "guest_devices"), str(bare.moves_guest_devices)
    yield ("moves", "hosts"), str(bare.moves_hosts)
    for key in fields(bare.on_host):
        yield ("on_host", key.name), str(getattr(bare.on_host, key.name))

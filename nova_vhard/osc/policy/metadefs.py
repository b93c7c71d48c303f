# SPDX-License-Identifier: Apache-2.0
"""Glance metadata definitions, restricted to the policy.

Pure functions: no cloud is accessed here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.kinds import DeviceKind
from nova_vhard.common.text import line
from nova_vhard.policy.model import DeviceRule, Policy

Definition = Mapping[str, Any]

#: Begins the sentence of a description that is ours.
MARK = "Allowed by this cloud's hardening policy:"

#: Namespaces of hypervisors that no policy of ours is about.
_OTHERS = ("OS::Compute::VMware", "OS::Compute::XenAPI")
_IMAGE = "OS::Glance::Image"
_LONG = 4096

_KIND_OF = {
    name: kind for kind in KINDS.values() for name in kind.image_properties
}


def judged(namespace: Definition, policy: Policy) -> Iterator[str]:
    """Yield the properties of a namespace that the policy says more about.

    :param namespace: as Glance answers it, with ``properties`` and
        ``resource_type_associations``
    """
    if str(namespace["namespace"]).startswith(_OTHERS):
        return
    prefix = _prefix(namespace)
    for name, definition in (namespace.get("properties") or {}).items():
        if prefix is None or _rule(f"{prefix}{name}", policy) is None:
            continue
        if narrowed(definition, f"{prefix}{name}", policy) != definition:
            yield name


def image_property(namespace: Definition, name: str) -> str:
    """Return what a property of a namespace is called on an image."""
    return f"{_prefix(namespace) or ''}{name}"


def narrowed(
    definition: Definition, name: str, policy: Policy
) -> dict[str, Any]:
    """Return a definition that offers what the policy allows.

    Definitions that are not strings, have no rule, or cannot be enumerated,
    such as machine types by a pattern, are unchanged.

    :param name: of the image property, ``hw_disk_bus``
    """
    rule = _rule(name, policy)
    if rule is None or definition.get("type") != "string":
        return dict(definition)
    values = _values(definition.get("enum"), *rule)
    if values is None:
        return dict(definition)
    listed = ", ".join(values) or "nothing"
    before, _, _ = str(definition.get("description") or "").partition(MARK)
    text = f"{before.strip()} {MARK} {listed}.".strip()
    return {**definition, "enum": values, "description": line(text, _LONG)}


def _rule(name: str, policy: Policy) -> tuple[DeviceKind, DeviceRule] | None:
    kind = _KIND_OF.get(name)
    rule = policy.guest_devices.get(kind.name) if kind else None
    return (kind, rule) if kind and rule else None


def _values(
    offered: list[str] | None, kind: DeviceKind, rule: DeviceRule
) -> list[str] | None:
    """Return the values to offer; None where nobody can list them.

    :param offered: those of the definition, None where it lists none
    """
    literals = list(rule.allow.literals)
    if offered is None:
        return literals if len(literals) == len(rule.allow.listed) else None
    kept = [item for item in offered if kind.canonical(item) in rule.allow]
    known = {kind.canonical(item) for item in kept}
    return kept + [item for item in literals if item not in known]


def _prefix(namespace: Definition) -> str | None:
    """Return the prefix of names on an image; None if not for images."""
    for association in namespace.get("resource_type_associations") or ():
        if association.get("name") == _IMAGE:
            return str(association.get("prefix") or "")
    return None

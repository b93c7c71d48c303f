# SPDX-License-Identifier: Apache-2.0
"""Glance's metadata definitions, and the file that restores them.

The file is written before anything is changed. It may list changes that were
not made, but lists every change that was made.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from osc_lib import exceptions

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.kinds import DeviceKind
from nova_vhard.common import files, source
from nova_vhard.common.text import clean, line
from nova_vhard.osc import paging
from nova_vhard.osc.image.changes import failed
from nova_vhard.osc.output import unwritable
from nova_vhard.policy.model import DeviceRule, Policy

VERSION = 1

RESTORED = "restored"
BEFORE, AFTER, OTHER = "as before", "as written", "changed since"

_NAMESPACES = "/v2/metadefs/namespaces"

Definition = Mapping[str, Any]

#: Begins the sentence that we add to a description.
MARK = "Allowed by this cloud's hardening policy:"

#: Namespaces of hypervisors that no policy of ours is about.
_OTHERS = ("OS::Compute::VMware", "OS::Compute::XenAPI")
_IMAGE = "OS::Glance::Image"
_LONG = 4096

_KIND_OF = {
    name: kind for kind in KINDS.values() for name in kind.image_properties
}


@dataclass(frozen=True)
class Change:
    """A change of one property's definition.

    :ivar before: what the API answered, as it answered it
    :ivar after: the definition that takes its place
    """

    namespace: str
    name: str
    before: str
    after: Mapping[str, Any]

    @property
    def was(self) -> list[str] | None:
        """The previously offered values; None if any value was offered."""
        values = json.loads(self.before).get("enum")
        return None if values is None else [clean(value) for value in values]


class Definitions:
    """The definitions of one Glance.

    :param images: glanceclient's images, whose HTTP client is used
    """

    def __init__(self, images: Any) -> None:
        self._http = images.http_client
        self.cloud = str(self._http.get_endpoint())

    def changes(self, policy: Policy) -> Iterator[Change]:
        """Yield what has to change for the policy."""
        for listed in paging.of_glance(
            self._http, f"{_NAMESPACES}?limit=100", "namespaces", "namespace"
        ):
            path = _path(str(listed["namespace"]))
            _, namespace = self._http.get(path)
            for name, on_image in judged(namespace, policy):
                before = self.text(namespace["namespace"], name)
                after = narrowed(json.loads(before), on_image, policy)
                yield Change(namespace["namespace"], name, before, after)

    def text(self, namespace: str, name: str) -> str:
        """Return a property's definition, as the API answers it."""
        response, _ = self._http.get(_path(namespace, name))
        return str(response.content.decode())

    def put(
        self, namespace: str, name: str, definition: Mapping[str, Any]
    ) -> None:
        """Replace a property's definition."""
        self._http.put(_path(namespace, name), data=dict(definition))


def _path(namespace: str, name: str | None = None) -> str:
    path = f"{_NAMESPACES}/{quote(namespace, safe='')}"
    if name is None:
        return path
    return f"{path}/properties/{quote(name, safe='')}"


def write(
    path: str, cloud: str, policy: str, changes: Sequence[Change]
) -> None:
    """Write the file, which is not there yet.

    :raises CommandError: if it is, or cannot be written
    """
    content = {
        "metadefs": VERSION,
        "cloud": cloud,
        "policy": policy,
        "properties": [asdict(change) for change in changes],
    }
    try:
        files.create(path, json.dumps(content, indent=1) + "\n", 0o600)
    except OSError as error:
        raise exceptions.CommandError(
            f"{unwritable(path, error)}; nothing was changed"
        ) from error


def read(path: str, cloud: str) -> list[Change]:
    """Return the changes of a file.

    :param cloud: URL of the Glance API to undo them in
    :raises CommandError: if the file is invalid, or from another cloud
    """
    try:
        content = json.loads(source.read_text(path, source.MAX_LIMIT))
        if content["metadefs"] != VERSION:
            raise ValueError("of another version")
        written_at = content["cloud"]
        changes = [Change(**entry) for entry in content["properties"]]
        for change in changes:
            json.loads(change.before)
    except source.UnreadableError as error:
        raise exceptions.CommandError(f"{path}: {error}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise exceptions.CommandError(
            f"{path}: was not written by policy metadefs"
        ) from error
    if written_at != cloud:
        raise exceptions.CommandError(
            f"{path}: was written for {clean(written_at, 255)}, not for "
            f"{cloud}: select its cloud with --os-cloud"
        )
    return changes


def state(definitions: Definitions, change: Change) -> str:
    """Return the current state of a change: one of the three words."""
    now = definitions.text(change.namespace, change.name)
    if now == change.before:
        return BEFORE
    return AFTER if json.loads(now) == change.after else OTHER


def undo(definitions: Definitions, change: Change) -> str:
    """Restore the API's earlier answer; return the result."""
    try:
        result = state(definitions, change)
        if result == BEFORE:
            return "as before already"
        if result == OTHER:
            return f"{OTHER}: left alone"
        before = json.loads(change.before)
        definitions.put(change.namespace, change.name, before)
        if state(definitions, change) == BEFORE:
            return RESTORED
    except paging.GLANCE_ERRORS as error:
        return failed(error)
    return "failed: the API still returns another definition"


def judged(namespace: Definition, policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield the properties of a namespace that the policy restricts further.

    Each is a pair: its name in the namespace, and its name on an image.

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
            yield name, f"{prefix}{name}"


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
    """Return the values to offer; None if they cannot be enumerated.

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
    prefixes = (
        str(each.get("prefix") or "")
        for each in namespace.get("resource_type_associations") or ()
        if each.get("name") == _IMAGE
    )
    return next(prefixes, None)

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

from nova_vhard.common import files, source
from nova_vhard.common.text import clean
from nova_vhard.osc.image.changes import ERRORS
from nova_vhard.osc.output import unwritable
from nova_vhard.osc.policy import metadefs
from nova_vhard.policy.model import Policy

VERSION = 1

_NAMESPACES = "/v2/metadefs/namespaces"
#: Pages of namespaces that are read, of 100 each.
_PAGES = 100


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
        """The values that were offered, None where any was."""
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
        for listed in self._namespaces():
            path = _path(str(listed["namespace"]))
            _, namespace = self._http.get(path)
            for name in metadefs.judged(namespace, policy):
                before = self.text(namespace["namespace"], name)
                on_image = metadefs.image_property(namespace, name)
                after = metadefs.narrowed(json.loads(before), on_image, policy)
                yield Change(namespace["namespace"], name, before, after)

    def _namespaces(self) -> Iterator[Mapping[str, Any]]:
        path = f"{_NAMESPACES}?limit=100"
        for _ in range(_PAGES):
            _, body = self._http.get(path)
            yield from body["namespaces"]
            path = body.get("next")
            if not path:
                return

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

    :param cloud: where they are to be undone
    :raises CommandError: if the file is invalid, or of another cloud
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
            f"{path}: no file that policy metadefs has written"
        ) from error
    if written_at != cloud:
        raise exceptions.CommandError(
            f"{path}: was written at {clean(written_at, 255)}, not {cloud}"
        )
    return changes


def state(definitions: Definitions, change: Change) -> str:
    """Return the current state of a change: one of the three words."""
    now = definitions.text(change.namespace, change.name)
    if now == change.before:
        return BEFORE
    return AFTER if json.loads(now) == change.after else OTHER


BEFORE, AFTER, OTHER = "as before", "as written", "changed since"


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
    except ERRORS as error:
        return f"failed: {clean(' '.join(str(error).split()), 200)}"
    return "failed: the API answers otherwise than before"


RESTORED = "restored"

# SPDX-License-Identifier: Apache-2.0
"""The methods of Nova's API that are judged, each with its reader.

A method is named by the class of its controller, its own name, and for an
action on a server the key in the body (``nova_router.Method``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nova_vhard.policy.subject import (
    ATTACH,
    BOOT,
    FLAVOR,
    REBUILD,
    RESCUE,
    RESIZE,
    SNAPSHOT,
    UNSHELVE,
    UPDATE,
)
from nova_vhard.request.changes import ChangeReader
from nova_vhard.request.lookups import Lookups
from nova_vhard.request.nova_api import ServerReader
from nova_vhard.request.server_request import ServerRequest

#: Look-ups, who asks, the variables of the path, and the body.
Reader = Callable[[Lookups, Any, Mapping[str, str], Any], ServerRequest | None]


@dataclass(frozen=True)
class Route:
    """A method that is judged.

    :ivar operation: what it does, see nova_vhard.policy.subject
    :ivar reader: what reads it; None for writes of flavors
    """

    operation: str
    reader: Reader | None = None


def _server(name: str, key: str = "id") -> Reader:
    """Return the reader of a request about a server that exists."""

    def read(
        find: Lookups, who: Any, ids: Mapping[str, str], body: Any
    ) -> ServerRequest | None:
        """Read a request about the server of the path."""
        reader = getattr(ServerReader(find, who), name)
        return reader(ids[key], body)  # type: ignore[no-any-return]

    return read


def _change(name: str, *keys: str, body: bool = True) -> Reader:
    """Return the reader of an attachment, or of an image's metadata."""

    def read(
        find: Lookups, who: Any, ids: Mapping[str, str], content: Any
    ) -> ServerRequest | None:
        """Read a request about what the path names."""
        reader = getattr(ChangeReader(find, who), name)
        arguments = [ids[key] for key in keys]
        return reader(*arguments, *([content] if body else []))  # type: ignore[no-any-return]

    return read


def _boot(
    find: Lookups, who: Any, _ids: Mapping[str, str], body: Any
) -> ServerRequest:
    return ServerReader(find, who).boot(body)


_ACTIONS = ("ServersController", "action")
_METADATA = "ImageMetadataController"
_SPECS = "FlavorExtraSpecsController"

ROUTES: Mapping[tuple[str, str, str | None], Route] = {
    ("ServersController", "create", None): Route(BOOT, _boot),
    (*_ACTIONS, "rebuild"): Route(REBUILD, _server("rebuild")),
    (*_ACTIONS, "rescue"): Route(RESCUE, _server("rescue")),
    (*_ACTIONS, "resize"): Route(RESIZE, _server("resize")),
    (*_ACTIONS, "unshelve"): Route(UNSHELVE, _server("unshelve")),
    (*_ACTIONS, "createImage"): Route(SNAPSHOT, _server("snapshot")),
    (*_ACTIONS, "createBackup"): Route(SNAPSHOT, _server("snapshot")),
    ("InterfaceAttachmentController", "create", None): Route(
        ATTACH, _change("attach_interface", "server_id")
    ),
    ("VolumeAttachmentController", "create", None): Route(
        ATTACH, _change("attach_volume", "server_id")
    ),
    (_METADATA, "create", None): Route(
        UPDATE, _change("add_metadata", "image_id")
    ),
    (_METADATA, "update", None): Route(
        UPDATE, _change("add_metadata", "image_id")
    ),
    (_METADATA, "update_all", None): Route(
        UPDATE, _change("replace_metadata", "image_id")
    ),
    (_METADATA, "delete", None): Route(
        UPDATE, _change("remove_metadata", "image_id", "id", body=False)
    ),
    (_SPECS, "create", None): Route(FLAVOR),
    (_SPECS, "update", None): Route(FLAVOR),
    (_SPECS, "delete", None): Route(FLAVOR),
}

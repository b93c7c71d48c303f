# SPDX-License-Identifier: Apache-2.0
"""The methods of Nova's API that are judged, each with its reader.

A method is named by the class of its controller, its own name, and for an
action on a server the key in the body (``nova_router.Method``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
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


@dataclass(frozen=True)
class _ByPathId:
    """Reads a request about what the path names.

    :ivar reader: class of the reader
    :ivar key: what the route calls the id in the path
    :ivar read: the reader's method
    """

    reader: type[Any]
    key: str
    read: Callable[[Any, str, Any], ServerRequest | None]

    def __call__(
        self, find: Lookups, who: Any, ids: Mapping[str, str], body: Any
    ) -> ServerRequest | None:
        """Read a request with that method."""
        return self.read(self.reader(find, who), ids[self.key], body)


_server = partial(_ByPathId, ServerReader, "id")
_attachment = partial(_ByPathId, ChangeReader, "server_id")
_metadata = partial(_ByPathId, ChangeReader, "image_id")
_snapshot = _server(ServerReader.snapshot)

_ACTIONS = ("ServersController", "action")
_METADATA = "ImageMetadataController"
_SPECS = "FlavorExtraSpecsController"

# Not listed: methods that add no device (reboot, start), methods that the
# scheduler judges from stored data (migrate, evacuate), and os-volumes_boot,
# whose controller is derived from that of servers. Check for each Nova release
# whether a new method belongs here.
ROUTES: Mapping[tuple[str, str, str | None], Route] = {
    ("ServersController", "create", None): Route(
        BOOT,
        lambda find, who, _, body: ServerReader(find, who).boot(body),
    ),
    (*_ACTIONS, "rebuild"): Route(REBUILD, _server(ServerReader.rebuild)),
    (*_ACTIONS, "rescue"): Route(RESCUE, _server(ServerReader.rescue)),
    (*_ACTIONS, "resize"): Route(RESIZE, _server(ServerReader.resize)),
    (*_ACTIONS, "unshelve"): Route(UNSHELVE, _server(ServerReader.unshelve)),
    (*_ACTIONS, "createImage"): Route(SNAPSHOT, _snapshot),
    (*_ACTIONS, "createBackup"): Route(SNAPSHOT, _snapshot),
    ("InterfaceAttachmentController", "create", None): Route(
        ATTACH, _attachment(ChangeReader.attach_interface)
    ),
    ("VolumeAttachmentController", "create", None): Route(
        ATTACH, _attachment(ChangeReader.attach_volume)
    ),
    ("ServerSharesController", "create", None): Route(
        ATTACH, _attachment(ChangeReader.attach_share)
    ),
    (_METADATA, "create", None): Route(
        UPDATE, _metadata(ChangeReader.add_metadata)
    ),
    (_METADATA, "update", None): Route(
        UPDATE, _metadata(ChangeReader.set_metadata)
    ),
    (_METADATA, "update_all", None): Route(
        UPDATE, _metadata(ChangeReader.replace_metadata)
    ),
    (_METADATA, "delete", None): Route(
        UPDATE,
        lambda find, who, ids, _: ChangeReader(find, who).remove_metadata(
            ids["image_id"], ids["id"]
        ),
    ),
    (_SPECS, "create", None): Route(FLAVOR),
    (_SPECS, "update", None): Route(FLAVOR),
    (_SPECS, "delete", None): Route(FLAVOR),
}

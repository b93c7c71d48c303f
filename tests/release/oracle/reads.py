# SPDX-License-Identifier: Apache-2.0
"""Who has read which object, and which domains were made.

The stack says whether it is the gate or Nova that reads.
"""

import sys
from dataclasses import dataclass, field
from typing import Any

IMAGE, VOLUME, SNAPSHOT, PORT = "image", "volume", "snapshot", "port"

#: Frames of these are the way to a service, not the reader.
_CLIENTS = ("nova.image.glance", "nova.volume.cinder")
_CLIENT_CALLS = ("API.show_port", "API._show_port", "API.list_ports")

#: Frames between the gate and Nova's API: their callees are Nova's.
_DISPATCH = ("webob.", "routes.")


@dataclass(frozen=True)
class Read:
    """One object that was read from a service.

    :ivar kind: IMAGE, VOLUME, SNAPSHOT or PORT
    :ivar name: its id, or the URL by which it was read
    :ivar request_id: of the context that it was read with
    :ivar reader: module and function; empty for the gate
    """

    kind: str
    name: str
    request_id: str
    reader: str

    @property
    def key(self) -> tuple[str, str]:
        """Return which object it is."""
        return self.kind, self.name


@dataclass
class Record:
    """Reads and domains recorded since the last reset.

    :ivar xml: server ID, and a domain or a device that is plugged into it
    """

    reads: list[Read] = field(default_factory=list)
    xml: list[tuple[str, str]] = field(default_factory=list)
    dispatched: set[str] = field(default_factory=set)

    def read(self, kind: str, name: Any, context: Any) -> None:
        """Note that the caller reads an object."""
        request_id = context.request_id if context is not None else ""
        self.reads.append(Read(kind, str(name), request_id, reader()))

    def domain(self, server: str) -> str:
        """Return the domain that was last made for a server."""
        result = [
            xml
            for owner, xml in self.xml
            if owner == server and xml.lstrip().startswith("<domain")
        ]
        return result[-1]

    def reset(self) -> None:
        """Forget the reads and requests, but not what servers have."""
        self.reads.clear()
        self.dispatched.clear()


def reader() -> str:
    """Return the innermost reader on the stack; "" if it is the gate."""
    frame = sys._getframe(1)
    result = "?"
    while frame:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("nova_vhard."):
            return ""
        if module.startswith(_DISPATCH):
            break
        name = frame.f_code.co_qualname
        if result == "?" and _may_read(module, name):
            result = f"{module}:{name}"
        frame = frame.f_back
    return result


def _may_read(module: str, name: str) -> bool:
    if not module.startswith("nova.") or module.startswith("nova.tests."):
        return False
    return module not in _CLIENTS and name not in _CLIENT_CALLS

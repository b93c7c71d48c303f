# SPDX-License-Identifier: Apache-2.0
"""Spies on the clients that both the gates and Nova use to read objects.

The stack says whether it is a gate or Nova that reads.
"""

import sys
from collections import namedtuple
from typing import Any

import fixtures
from nova.image import glance
from nova.network import neutron
from nova.volume import cinder

from tests.release.oracle.readers import HARMLESS, IMAGE, PORT, VOLUME

#: Frames of these are the way to a service, not the reader.
_CLIENTS = ("nova.image.glance", "nova.volume.cinder")
_CLIENT_CALLS = ("API.show_port", "API._show_port", "API.list_ports")

#: Frames between the gate and Nova's API: their callees are Nova's.
_DISPATCH = ("webob.", "routes.")


#: One object that was read from a service: IMAGE, VOLUME, PORT or a snapshot,
#: its id or URL, and module and function of the reader; "" for a gate.
Read = namedtuple("Read", "kind name reader")


class Spies(fixtures.Fixture):
    """Puts the spies into a Nova whose own fixtures are in place.

    :ivar reads: list of all reads; clear it before a request
    """

    def _setUp(self) -> None:
        self.reads: list[Read] = []
        self._listen(IMAGE, glance.API, "get")
        # the gate's own
        self._listen(IMAGE, glance.GlanceClientWrapper, "call")
        self._listen(PORT, neutron.API, "_show_port")
        # a mock of CinderFixture's is not bound
        self._listen(VOLUME, cinder.API, "get", unbound=1)
        self._listen("snapshot", cinder.API, "get_snapshot", unbound=1)

    def _listen(
        self, kind: str, owner: type, method: str, unbound: int = 0
    ) -> None:
        original = getattr(owner, method)

        def call(*args: Any, **more: Any) -> Any:
            (path, *_) = more.get("args") or args[2:]
            name = str(path).removeprefix("/v2/images/")
            self.reads.append(Read(kind, name, _reader()))
            return original(*args[unbound:], **more)

        path = f"{owner.__module__}.{owner.__qualname__}.{method}"
        self.useFixture(fixtures.MonkeyPatch(path, call))

    def unjudged(self) -> list[Read]:
        """Return the reads that matter and that no gate has made, too."""
        judged = {
            (each.kind, each.name) for each in self.reads if not each.reader
        }
        return [
            each
            for each in self.reads
            if each.reader
            and (each.kind, each.name) not in judged
            and (each.kind, each.reader) not in HARMLESS
        ]


def _reader() -> str:
    """Return the innermost reader on the stack; "" if it is a gate."""
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

# SPDX-License-Identifier: Apache-2.0
"""Who reads which image, volume, snapshot and port, and who makes which XML.

The spies stand at the interfaces of the services, so that they see the gate
and Nova alike; the stack says which of the two it is.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import fixtures
from nova.api.openstack import wsgi
from nova.image import glance
from nova.network import neutron
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.virt.libvirt import driver
from nova.volume import cinder

IMAGE, VOLUME, SNAPSHOT, PORT = "image", "volume", "snapshot", "port"

#: Frames of these are the way to a service, not the reader.
_CLIENTS = ("nova.image.glance", "nova.volume.cinder")
_CLIENT_CALLS = ("API.show_port", "API._show_port", "API.list_ports")

#: Between the gate and Nova's API: whatever is called by these is Nova.
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
    """What was seen since the last reset.

    :ivar xml: server id and domain, or a device that is plugged into it
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
        found = [
            xml
            for owner, xml in self.xml
            if owner == server and xml.lstrip().startswith("<domain")
        ]
        return found[-1]

    def reset(self) -> None:
        """Forget the reads and requests, but not what servers have."""
        self.reads.clear()
        self.dispatched.clear()


def reader() -> str:
    """Return the innermost reader on the stack; "" if it is the gate."""
    frame = sys._getframe(1)
    found = "?"
    while frame:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("nova_vhard."):
            return ""
        if module.startswith(_DISPATCH):
            break
        name = frame.f_code.co_qualname
        if found == "?" and _may_read(module, name):
            found = f"{module}:{name}"
        frame = frame.f_back
    return found


def _may_read(module: str, name: str) -> bool:
    if not module.startswith("nova.") or module.startswith("nova.tests."):
        return False
    return module not in _CLIENTS and name not in _CLIENT_CALLS


class Spies(fixtures.Fixture):
    """Puts the spies into a Nova whose own fixtures are in place."""

    def _setUp(self) -> None:
        self.record = Record()
        self._reads(glance.API, "get", IMAGE, 2)
        self._reads(neutron.API, "_show_port", PORT, 2)
        self._mocked(cinder.API.get, VOLUME)
        self._mocked(cinder.API.get_snapshot, SNAPSHOT)
        self._patch(glance.GlanceClientWrapper, "call", self._client_call)
        self._patch(wsgi.Resource, "_process_stack", self._dispatched)
        self._patch(driver.LibvirtDriver, "_get_guest_xml", self._guest_xml)
        self._patch(fakelibvirt.Domain, "attachDeviceFlags", self._plugged)

    def _patch(
        self, owner: type, name: str, wrap: Callable[[Any], Any]
    ) -> None:
        path = f"{owner.__module__}.{owner.__qualname__}.{name}"
        new = wrap(getattr(owner, name))
        self.useFixture(fixtures.MonkeyPatch(path, new))

    def _reads(self, owner: type, name: str, kind: str, place: int) -> None:
        """Note the object that a method reads; context comes first."""

        def wrap(original: Any) -> Any:
            def call(*args: Any, **more: Any) -> Any:
                self.record.read(kind, args[place], args[1])
                return original(*args, **more)

            return call

        self._patch(owner, name, wrap)

    def _mocked(self, mock: Any, kind: str) -> None:
        """Note what CinderFixture's mock, which is not bound, reads."""
        original = mock.side_effect

        def call(context: Any, name: str, *args: Any, **more: Any) -> Any:
            self.record.read(kind, name, context)
            return original(context, name, *args, **more)

        mock.side_effect = call

    def _client_call(self, original: Any) -> Any:
        """Note the image that Glance's own client is sent for."""

        def call(client: Any, context: Any, *args: Any, **more: Any) -> Any:
            (path, *_) = more.get("args") or args[-1]
            name = str(path).rpartition("/")[2]
            self.record.read(IMAGE, name, context)
            return original(client, context, *args, **more)

        return call

    def _dispatched(self, original: Any) -> Any:
        """Note a request that has come through to Nova's own API."""

        def call(resource: Any, request: Any, *args: Any, **more: Any) -> Any:
            context = request.environ["nova.context"]
            self.record.dispatched.add(context.request_id)
            return original(resource, request, *args, **more)

        return call

    def _guest_xml(self, original: Any) -> Any:
        def call(
            host: Any, context: Any, instance: Any, *args: Any, **more: Any
        ) -> Any:
            xml = original(host, context, instance, *args, **more)
            self.record.xml.append((instance.uuid, xml))
            return xml

        return call

    def _plugged(self, original: Any) -> Any:
        def call(domain: Any, xml: Any, *args: Any, **more: Any) -> Any:
            text = xml.decode() if isinstance(xml, bytes) else xml
            self.record.xml.append((domain.UUIDString(), text))
            return original(domain, xml, *args, **more)

        return call

# SPDX-License-Identifier: Apache-2.0
"""Spies at the interfaces of the services, where gate and Nova pass alike."""

from collections.abc import Callable
from typing import Any

import fixtures
from nova.api.openstack import wsgi
from nova.image import glance
from nova.network import neutron
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.virt.libvirt import driver
from nova.volume import cinder

from tests.release.oracle.reads import IMAGE, PORT, SNAPSHOT, VOLUME, Record


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

# SPDX-License-Identifier: Apache-2.0
"""Spies at the interfaces of the services, where gate and Nova pass alike."""

import functools
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

Note = Callable[..., None]


class Spies(fixtures.Fixture):
    """Puts the spies into a Nova whose own fixtures are in place."""

    def _setUp(self) -> None:
        self.record = Record()
        self._before(glance.API, "get", self._reads(IMAGE))
        self._before(neutron.API, "_show_port", self._reads(PORT))
        self._before(glance.GlanceClientWrapper, "call", self._asked)
        self._before(wsgi.Resource, "_process_stack", self._dispatched)
        self._before(fakelibvirt.Domain, "attachDeviceFlags", self._plugged)
        for mock, kind in (
            (cinder.API.get, VOLUME),
            (cinder.API.get_snapshot, SNAPSHOT),
        ):
            # CinderFixture's mock is not bound
            note = functools.partial(self._reads(kind), None)
            mock.side_effect = _noting(mock.side_effect, note)
        made = driver.LibvirtDriver._get_guest_xml

        def guest_xml(*args: Any, **more: Any) -> Any:
            xml = made(*args, **more)
            _, _, instance, *_ = args
            self.record.xml.append((instance.uuid, xml))
            return xml

        self._patch(driver.LibvirtDriver, "_get_guest_xml", guest_xml)

    def _patch(self, owner: type, name: str, new: Any) -> None:
        path = f"{owner.__module__}.{owner.__qualname__}.{name}"
        self.useFixture(fixtures.MonkeyPatch(path, new))

    def _before(self, owner: type, name: str, note: Note) -> None:
        """Call another function before a method, with its arguments."""
        self._patch(owner, name, _noting(getattr(owner, name), note))

    def _reads(self, kind: str) -> Note:
        """Return a note of the object that a method reads."""

        def note(
            _api: Any, context: Any, name: Any, *_: Any, **__: Any
        ) -> None:
            self.record.read(kind, name, context)

        return note

    def _asked(
        self, _client: Any, context: Any, *args: Any, **more: Any
    ) -> None:
        """Note the image that Glance's own client is sent for."""
        (path, *_) = more.get("args") or args[-1]
        self.record.read(IMAGE, str(path).rpartition("/")[2], context)

    def _dispatched(
        self, _resource: Any, request: Any, *_: Any, **__: Any
    ) -> None:
        """Note a request that has come through to Nova's own API."""
        context = request.environ["nova.context"]
        self.record.dispatched.add(context.request_id)

    def _plugged(self, domain: Any, xml: Any, *_: Any, **__: Any) -> None:
        text = xml.decode() if isinstance(xml, bytes) else xml
        self.record.xml.append((domain.UUIDString(), text))


def _noting(original: Any, note: Note) -> Any:
    def call(*args: Any, **more: Any) -> Any:
        note(*args, **more)
        return original(*args, **more)

    return call

# SPDX-License-Identifier: Apache-2.0
"""Base of the bypass tests: a witness, and the clouds.

A file of rows has one mixin with a test for each row, and a class derived
from it: a cloud with the gates, where each attempt must be refused and leave
nothing in the guest. ``tests/release/bypass`` has the same on unmodified Nova,
where it must succeed: an attempt that fails anyway would prove nothing.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import fixtures
import webob
from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional.nova import base, helpers

REFUSED = (400, 403)

#: Text in the XML of a guest that has a device; or, if no single text shows
#: it, a function that finds it in the XML of one guest.
Device = str | Callable[[str], bool]


def has(device: Device, xml: str) -> bool:
    """Return whether a guest, or a device plugged into it, has this."""
    return device(xml) if callable(device) else device in xml


def lsi_controller(xml: str) -> bool:
    """Return whether libvirt has to pick a SCSI controller: lsilogic.

    Nova writes a controller only where the image has hw_scsi_model.
    """
    return (
        xml.startswith("<domain")
        and 'bus="scsi"' in xml
        and 'model="virtio-scsi"' not in xml
    )


class Witness(fixtures.Fixture):
    """Writes down every device that Nova gives to libvirt.

    The domain of the fake libvirt forgets what Nova's own tests do not need
    (sound cards, watchdogs, controllers): this keeps the XML as it came.
    """

    def _setUp(self) -> None:
        self.texts: list[str] = []
        for owner, name in (
            (fakelibvirt.Connection, "defineXML"),
            (fakelibvirt.Domain, "attachDeviceFlags"),
        ):
            self._listen(owner, name)

    def _listen(self, owner: type, name: str) -> None:
        original = getattr(owner, name)

        def call(whom: Any, xml: Any, *rest: Any, **more: Any) -> Any:
            text = xml.decode() if isinstance(xml, bytes) else xml
            self.texts.append(text.replace("'", '"'))
            return original(whom, xml, *rest, **more)

        self.useFixture(fixtures.MonkeyPatch(_path(owner, name), call))


def _path(owner: type, name: str) -> str:
    return f"{owner.__module__}.{owner.__qualname__}.{name}"


class Ways(helpers.Helpers):
    """Mixin for a test case: one attempt, checked against its cloud.

    :cvar GUARDED: whether this cloud has the gates
    """

    GUARDED = True

    def setUp(self) -> None:
        self.witness = self.useFixture(Witness())
        super().setUp()

    def old(self, image: str, **more: Any) -> str:
        """Boot a server that is older than the policy."""
        self.write_policy("enabled: false\n")
        server = self.active(image, **more)
        self.write_policy(self.POLICY)  # type: ignore[attr-defined]
        return server

    def ends(
        self,
        response: webob.Response,
        *devices: Device,
        names: Iterable[str] = (),
    ) -> None:
        """Check that a request ended as it must in this cloud.

        :param devices: what the guest gets where nobody stops it
        :param names: what a refusal must name; then only 403 is one
        """
        assert response.status_int < 500, response.text
        if self.GUARDED:
            self._stopped(response, devices, tuple(names))
        else:
            assert response.status_int in (200, 202), response.text
            self.given(*devices)

    def boots(self, response: webob.Response, *devices: Device) -> None:
        """Check how a POST /servers ended: at the API, or in ERROR."""
        if response.status_int in REFUSED or not self.GUARDED:
            self.ends(response, *devices)
            return
        assert response.status_int == 202, response.text
        fault = self.fault(response.json["server"]["id"])
        assert "(allowed:" in fault, fault
        self.clean(*devices)

    def _stopped(
        self,
        response: webob.Response,
        devices: tuple[Device, ...],
        names: tuple[str, ...],
    ) -> None:
        expected = (403,) if names else REFUSED
        assert response.status_int in expected, response.text
        text = base.text(response)
        if names:
            assert [name for name in names if name not in text] == [], text
        else:
            assert "(allowed:" in text or "not accepted" in text, text
        self.settle()
        self.clean(*devices)

    def clean(self, *devices: Device) -> None:
        """Check that no guest has been given any of these devices."""
        assert [each for each in devices if self._seen(each)] == []

    def given(self, *devices: Device) -> None:
        """Wait until a guest has been given each of these devices."""
        for _ in range(helpers.WAIT_SECONDS * helpers.POLLS_A_SECOND):
            missing = [each for each in devices if not self._seen(each)]
            if not missing:
                return
            time.sleep(1 / helpers.POLLS_A_SECOND)
        xml = "\n".join(self.witness.texts)
        raise AssertionError(f"void: {missing} came to no guest:\n{xml}")

    def _seen(self, device: Device) -> bool:
        return any(has(device, xml) for xml in self.witness.texts)


class Guarded(Ways):
    """A cloud with every gate."""


class FilterAlone(Ways):
    """A cloud without the API gate: the filter refuses scheduled requests.

    Nova's API accepts each of these requests.
    """

    API_GATE = None

    def setUp(self) -> None:
        super().setUp()
        self.judged = self.decisions()

    def ends(
        self,
        response: webob.Response,
        *devices: Device,
        names: Iterable[str] = (),
    ) -> None:
        """Check that the filter has refused, and no guest has the device."""
        assert response.status_int in (200, 202), response.text
        self.settle()
        outcomes = [(each["gate"], each["outcome"]) for each in self.judged]
        assert outcomes[-1:] == [("scheduler", "refuse")]
        self.judged.clear()
        self.clean(*devices)

    def boots(self, response: webob.Response, *devices: Device) -> None:
        """Check that a POST /servers ended in ERROR, with the reason."""
        self.ends(response, *devices)
        fault = self.fault(response.json["server"]["id"])
        assert "(allowed:" in fault, fault


def cases(rows: type, case: type, *clouds: type) -> tuple[Any, ...]:
    """Return a test case for each cloud in which rows are tried.

    :param case: one of Nova's test cases
    """
    made = {"__module__": rows.__module__}
    return tuple(
        type(f"Test{cloud.__name__}{rows.__name__}", (rows, cloud, case), made)
        for cloud in clouds
    )

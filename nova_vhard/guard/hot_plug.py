# SPDX-License-Identifier: Apache-2.0
"""Devices that a guest gets, or that change, while it runs.

No hook is called for them. The guard sees them after the guest has them, and
takes from the guest what the policy refuses, where ``hot_plug`` says so.
"""

import threading
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean
from nova_vhard.guard.judge import Judge, Judgement
from nova_vhard.guard.libvirtd import (
    Connection,
    GuestGone,
    LibvirtError,
)
from nova_vhard.guard.metrics import DETACHED, KEPT, Metrics
from nova_vhard.policy.hosts import FLAVOR_REQUIRE, HOSTS_REQUIRE
from nova_vhard.policy.model import HotPlug as Treatment
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import ATTACH
from nova_vhard.policy.verdict import Verdict, ViolationKey

LOG = get_logger(__name__)

#: How often a guest is asked for a device; each time libvirt waits 5 seconds.
TRIES = 3
#: Devices that are being taken away at once.
MOST = 16


class HotPlug:
    """Takes away what running guests get and the policy refuses."""

    def __init__(self, judge: Judge, metrics: Metrics) -> None:
        self._judge = judge
        self._metrics = metrics
        self._slots = threading.Semaphore(MOST)

    def changed(
        self,
        connection: Connection,
        policy: Policy,
        before: bytes,
        after: bytes,
        judgement: Judgement,
    ) -> list[threading.Thread]:
        """Detach the devices because of which a guest is now refused.

        :param before: XML of the guest when it was last read
        :param after: its XML now
        :param judgement: of ``after``
        :returns: the threads that take devices away
        """
        guest = judgement.domain
        detaches = policy.on_host.hot_plug is Treatment.DETACH
        if guest is None or not (detaches and judgement.refused):
            return []
        domain = ElementTree.fromstring(after)  # noqa: S314 - libvirt's own
        old = ElementTree.fromstring(before)  # noqa: S314
        devices = domain.find("devices")
        # The domain id changes with each start. Devices that a guest has had
        # since its start are not detached.
        if devices is None or domain.get("id") != old.get("id"):
            return []

        def refusals(kept: list[Element]) -> set[ViolationKey]:
            """Return what is refused of the domain with these devices."""
            devices[:] = kept
            xml = ElementTree.tostring(domain)
            changed = self._judge.read(xml, ATTACH)
            return _of_devices(self._judge.verdict(policy, changed))

        threads: list[threading.Thread] = []
        every, had = list(devices), _devices(old)
        whole = _of_devices(judgement.verdict)
        for alias, device in _devices(domain).items():
            was = [had[alias]] if alias in had else []
            text = _text(device)
            if text in map(_text, was):
                continue
            others = [element for element in every if element is not device]
            # The guest would not be refused this if the device were as it was
            # before, or a guest with only this device would be.
            without = whole - refusals(others + was)
            alone = whole & refusals([device]) - refusals(was)
            if not without | alone:
                continue
            if not self._slots.acquire(blocking=False):
                self._kept(
                    guest.uuid, alias, f"{MOST} others are being taken away"
                )
                continue
            thread = threading.Thread(
                target=self._detach,
                args=(connection, guest.uuid, alias, text),
                daemon=True,
            )
            thread.start()
            threads.append(thread)
        return threads

    def _detach(
        self, connection: Connection, uuid: str, alias: str, device: str
    ) -> None:
        """Ask for a device several times; alert if the guest keeps it."""
        reason = "the guest does not release it"
        try:
            for _ in range(TRIES):
                try:
                    connection.detach(uuid, device)
                except LibvirtError as error:
                    reason = str(error)
                xml = connection.xml(uuid)
                # It is libvirt's own.
                if alias not in _devices(ElementTree.fromstring(xml)):  # noqa: S314
                    self._metrics.plugged(DETACHED)
                    LOG.warning("%s was taken from guest %s", alias, uuid)
                    return
            self._kept(uuid, alias, reason)
        except GuestGone:
            LOG.info("Guest %s has ended with %s", uuid, alias)
        except Exception as error:  # noqa: BLE001 - a thread of its own
            self._kept(uuid, alias, str(error))
        finally:
            self._slots.release()

    def _kept(self, uuid: str, alias: str, reason: str) -> None:
        self._metrics.plugged(KEPT)
        LOG.error(
            "Guest %s keeps %s, which the policy refuses: %s",
            uuid,
            clean(alias),
            reason,
        )


def _of_devices(verdict: Verdict) -> set[ViolationKey]:
    """Return the refusals that a device can be the reason of."""
    return {
        key
        for violation in verdict.refusals
        # What every guest of a host, or of a flavor, needs: no device's fault.
        if violation.rules not in ((HOSTS_REQUIRE,), (FLAVOR_REQUIRE,))
        for key in violation.keys
    }


def _devices(domain: Element) -> dict[str, Element]:
    """Return the devices of a guest that runs, by their aliases."""
    return {
        alias.get("name", ""): device
        for device in domain.iterfind("devices/*")
        for alias in device.iterfind("alias")
    }


def _text(device: Element) -> str:
    """Return a device's element, without the space behind it."""
    return ElementTree.tostring(device, encoding="unicode").strip()

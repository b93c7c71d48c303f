# SPDX-License-Identifier: Apache-2.0
"""Devices that are plugged into running guests: no hook is called for them.

libvirt tells of one after the guest has it. It is judged then, and taken from
the guest where the policy says so.
"""

import threading
from xml.etree import ElementTree

from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean
from nova_vhard.node.guard import judge as judging
from nova_vhard.node.guard.judge import Judge, Judgement
from nova_vhard.node.guard.libvirtd import (
    Connection,
    GuestGone,
    LibvirtError,
)
from nova_vhard.node.guard.metrics import DETACHED, KEPT, Metrics
from nova_vhard.policy.hosts import FLAVOR_REQUIRE, HOSTS_REQUIRE
from nova_vhard.policy.model import HotPlug as Treatment
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import ATTACH
from nova_vhard.policy.verdict import Verdict, ViolationKey
from nova_vhard.request.domain import DomainError

LOG = get_logger(__name__)

#: How often a guest is asked for a device; each time libvirt waits 5 seconds.
TRIES = 3
#: Devices that are being taken away at once.
MOST = 16

# What every guest of a host, or of a flavor, needs: no device's fault.
_OF_HOSTS = ((HOSTS_REQUIRE,), (FLAVOR_REQUIRE,))


class HotPlug:
    """Judges what is plugged in, and takes away what is refused."""

    def __init__(self, judge: Judge, metrics: Metrics) -> None:
        self._judge = judge
        self._metrics = metrics
        self._slots = threading.Semaphore(MOST)

    def added(
        self, connection: Connection, policy: Policy, uuid: str, alias: str
    ) -> threading.Thread | None:
        """Judge a guest that has got a device.

        :returns: the thread that takes it away again, if one does
        :raises LibvirtError: if libvirt does not answer
        """
        try:
            xml = connection.xml(uuid)
        except GuestGone:
            return None
        judgement = self._judge.judge(policy, xml, ATTACH)
        self._metrics.decided(ATTACH, judgement.verdict.outcome)
        if (
            not judgement.refused
            or policy.on_host.hot_plug is not Treatment.DETACH
        ):
            return None
        device = self._refused_device(policy, xml, alias, judgement)
        if device is None:
            return None
        return self._take_away(connection, uuid, alias, device)

    def _refused_device(
        self, policy: Policy, xml: bytes, alias: str, judgement: Judgement
    ) -> str | None:
        """Return a device's element, if the refusal is because of it.

        It is where the guest is refused what it would not be refused without
        the device, or what a guest without any device would not be.
        """
        domain = ElementTree.fromstring(xml)  # noqa: S314 - libvirt's own
        devices = domain.find("devices")
        if devices is None:
            return None
        every = list(devices)
        device = next(
            (element for element in every if _is(element, alias)), None
        )
        if device is None:
            return None
        others = [element for element in every if element is not device]

        def refusals(kept: list[ElementTree.Element]) -> set[ViolationKey]:
            """Return what is refused of the domain as it is now."""
            devices[:] = kept
            return self._refusals(policy, ElementTree.tostring(domain))

        whole = _of_devices(judgement.verdict)
        try:
            without = whole - refusals(others)
            alone = whole & refusals([device]) - refusals([])
        except DomainError:
            # The whole guest could not be read either.
            return None
        if not without | alone:
            return None
        return ElementTree.tostring(device, encoding="unicode")

    def _refusals(self, policy: Policy, xml: bytes) -> set[ViolationKey]:
        """Return what is refused of a guest, but for what its host lacks.

        :raises DomainError: if it cannot be read
        """
        domain = judging.read(xml, ATTACH)
        return _of_devices(self._judge.verdict(policy, domain))

    def _take_away(
        self, connection: Connection, uuid: str, alias: str, device: str
    ) -> threading.Thread | None:
        if not self._slots.acquire(blocking=False):
            self._kept(uuid, alias, f"{MOST} others are being taken away")
            return None
        thread = threading.Thread(
            target=self._detach,
            args=(connection, uuid, alias, device),
            daemon=True,
        )
        thread.start()
        return thread

    def _detach(
        self, connection: Connection, uuid: str, alias: str, device: str
    ) -> None:
        """Ask for a device several times; alert if the guest keeps it."""
        reason = "the guest does not give it up"
        try:
            for _ in range(TRIES):
                try:
                    connection.detach(uuid, device)
                except GuestGone:
                    return
                except LibvirtError as error:
                    reason = str(error)
                if not _has(connection, uuid, alias):
                    self._metrics.plugged(DETACHED)
                    LOG.warning("%s was taken from guest %s", alias, uuid)
                    return
            self._kept(uuid, alias, reason)
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
        if violation.rules not in _OF_HOSTS
        for key in violation.keys
    }


def _has(connection: Connection, uuid: str, alias: str) -> bool:
    """Return whether a running guest has a device.

    :raises LibvirtError: if libvirt does not say
    """
    try:
        xml = connection.xml(uuid)
    except GuestGone:
        return False
    domain = ElementTree.fromstring(xml)  # noqa: S314 - libvirt's own
    return any(_is(device, alias) for device in domain.iterfind("devices/*"))


def _is(device: ElementTree.Element, alias: str) -> bool:
    return any(name.get("name") == alias for name in device.iter("alias"))

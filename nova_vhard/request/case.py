# SPDX-License-Identifier: Apache-2.0
"""A described request, judged without a cloud.

It is put together the way the gates put theirs together, from the same parts.
What Nova, Glance, Cinder or Neutron would be asked for is in the description.
"""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from nova_vhard.catalogue.passthrough import ONE_TIME_USE
from nova_vhard.policy.hardware import HardwareRequest, Passthrough
from nova_vhard.policy.hosts import demands, one_time_use
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.policy.subject import (
    BOOT,
    MOVE,
    REBUILD,
    RESCUE,
    RESIZE,
    UPLOAD,
    Subject,
)
from nova_vhard.policy.verdict import Verdict, evaluate, violated
from nova_vhard.request import block_device, parts, passthrough

#: What is looked at in each operation, beyond who asks. Of the flavor of a
#: rescue only the name and id count, by which exemptions are chosen.
LOOKED_AT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        BOOT: frozenset(
            (
                "image",
                "volume",
                "flavor",
                "block_devices",
                "ports",
                "config_drive",
            )
        ),
        UPLOAD: frozenset(("image",)),
        MOVE: frozenset(("image", "volume", "flavor", "ports")),
        REBUILD: frozenset(("image", "flavor", "server")),
        RESCUE: frozenset(("image", "flavor", "server")),
        RESIZE: frozenset(("flavor", "server")),
    }
)

#: Operations in which a host is chosen.
_PLACED = frozenset((BOOT, MOVE, RESIZE))

_BODY = "block_device_mapping_v2"
_EMPTY = HardwareRequest(devices=frozenset())

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A described request, read.

    :ivar request: what is asked for
    :ivar subject: who asks
    :ivar had: what the server has already; its violations are a move's
    :ivar scheduled: what the scheduler judges as new, whatever it had
    """

    request: HardwareRequest
    subject: Subject
    had: tuple[HardwareRequest, ...] = ()
    scheduled: tuple[HardwareRequest, ...] = ()

    def verdict(self, policy: Policy, today: datetime.date) -> Verdict:
        """Return what all gates together say.

        :param today: the day (UTC) by which exemptions are judged
        """
        owned = [passthrough.owned(one) for one in self.had]
        had, scheduled = (
            violated(policy, requests, self.subject, today)
            for requests in (owned, self.scheduled)
        )
        already = had - scheduled
        return evaluate(policy, self.request, self.subject, today, already)

    def host_checks(
        self, policy: Policy, today: datetime.date
    ) -> frozenset[str]:
        """Return what a host, or its devices, must have proven."""
        if self.subject.operation not in _PLACED:
            return frozenset()
        subject = self.subject
        if subject.operation == RESIZE:
            subject = replace(subject, operation=MOVE)
        found = demands(policy, self.request, subject, today)
        checks = frozenset[str]().union(
            *(one.checks for one in found if one.mode is Mode.ENFORCE)
        )
        mode = one_time_use(policy, self.request, subject, today)
        return checks | {ONE_TIME_USE} if mode is Mode.ENFORCE else checks


def read(data: Data) -> Case:
    """Read a description.

    :param data: keys of ``LOOKED_AT`` for its operation, and ``operation``,
        ``project``, ``domain``, ``roles``; all but the first may be missing
    """
    operation = data["operation"]
    specs = data.get("flavor", {}).get("extra_specs", {})
    subject = _subject(data)
    if operation == RESIZE:
        server = _server(data)
        now = data.get("server", {}).get("extra_specs", {})
        request = parts.with_specs(server, specs)
        request = replace(request, host_checks=passthrough.host_checks(specs))
        return Case(request, subject, (parts.with_specs(server, now),))
    request = image = _image(data)
    had: tuple[HardwareRequest, ...] = ()
    if "server" in data:
        had = (_server(data),)
        request = request.plus(reasons=_kept(data))
    if operation == RESCUE:
        return Case(_rescued(request, data), subject, had)
    of_flavor = parts.with_specs(_EMPTY, specs)
    if operation == REBUILD:
        kinds = frozenset(wish.kind for wish in of_flavor.wishes)
        had = (*had, replace(of_flavor, only=kinds))
    request = parts.with_specs(request, specs).plus(*_devices(data))
    request = replace(
        request,
        passthrough=(*request.passthrough, *_ports(data)),
        host_checks=passthrough.host_checks(specs),
    )
    if operation == MOVE:
        # A server that is moved has everything already.
        return Case(request, subject, (request,))
    if operation == REBUILD and not _own_image(data):
        return Case(request, subject, had, (image,))
    return Case(request, subject, had)


def _subject(data: Data) -> Subject:
    flavor = data.get("flavor", {})
    return Subject(
        operation=data["operation"],
        project=data.get("project"),
        domain=data.get("domain"),
        roles=frozenset(role.lower() for role in data.get("roles", ())),
        image=data.get("image", {}).get("id"),
        flavor=flavor.get("name"),
        flavor_id=flavor.get("id"),
    )


def _image(data: Data) -> HardwareRequest:
    if "volume" in data:
        properties = data["volume"].get("properties", {})
        volume = {"volume_image_metadata": properties}
        return parts.read(parts.of_volume(volume) or {})
    if "image" in data:
        return parts.read(data["image"])
    return HardwareRequest()


def _server(data: Data) -> HardwareRequest:
    """Return what a server has, as its stored image metadata says."""
    server = data.get("server", {})
    return parts.read(server).plus(reasons=_kept(data))


def _own_image(data: Data) -> bool:
    return bool(data.get("server", {}).get("same_image"))


def _kept(data: Data) -> list[tuple[str, str]]:
    drive = data["server"].get("config_drive") if "server" in data else False
    return [parts.KEPT_CONFIG_DRIVE] if drive else []


def _rescued(request: HardwareRequest, data: Data) -> HardwareRequest:
    """Return the request of a rescue; a stable one keeps the disks."""
    image = data.get("image", {})
    request = request.plus(reasons=parts.rescue_devices(image))
    properties = image.get("properties", {})
    if "hw_rescue_bus" in properties or "hw_rescue_device" in properties:
        request = request.plus(_server(data).wishes)
    return request


def _devices(data: Data) -> tuple[Any, list[tuple[str, str]]]:
    wishes, reasons = block_device.read(data.get("block_devices", []), _BODY)
    if data.get("config_drive"):
        reasons.append(parts.CONFIG_DRIVE)
    return wishes, reasons


def _ports(data: Data) -> Iterator[Passthrough]:
    for port in data.get("ports", ()):
        known = {"vnic_type": port} if isinstance(port, str) else port
        asked = passthrough.of_port(
            {
                "binding:vnic_type": known["vnic_type"],
                "id": known.get("id", "PORT"),
            }
        )
        if asked is not None:
            yield asked

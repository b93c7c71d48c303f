# SPDX-License-Identifier: Apache-2.0
"""The one-time-use devices of a cloud, as Placement knows them."""

from collections.abc import Iterator
from dataclasses import dataclass

from osc_lib import exceptions

from nova_vhard.catalogue import device_words, traits
from nova_vhard.common import pci
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean
from nova_vhard.placement.client import (
    Conflict,
    Placement,
    Provider,
    ProviderNotFound,
)
from nova_vhard.placement.devices import View, view

LOG = get_logger(__name__)


@dataclass(frozen=True)
class FleetDevice:
    """A device of a host.

    :ivar root: provider of its host
    :ivar words: the cleaner's reports on it, and the requests for it
    """

    address: str
    root: Provider
    view: View
    words: frozenset[str]

    @property
    def asked(self) -> list[str]:
        """Pending requests of operators."""
        requests = map(device_words.request_of, self.words)
        return sorted(request[0] for request in requests if request)

    @property
    def reported(self) -> list[str]:
        """The cleaner's reports on the device."""
        return sorted(
            word for word in self.words if not device_words.request_of(word)
        )

    @property
    def status(self) -> str:
        """``in use``, ``available`` or ``reserved``."""
        if self.view.consumers:
            return "in use"
        return "reserved" if self.view.reserved else "available"

    @property
    def why(self) -> str:
        """Why it is not available, and pending requests; may be empty."""
        parts = [
            f"{item}: {device_words.WORDS.get(item, 'an unknown word')}"
            for item in self.reported
        ]
        parts += [f"{item}: requested" for item in self.asked]
        if not parts and self.status == "reserved":
            parts = ["no cleaner has reported on it"]
        return "; ".join(parts)


def devices(placement: Placement, host: str = "") -> Iterator[FleetDevice]:
    """Yield the devices of a host, or of all hosts, in order of their names.

    :raises PlacementError: without an answer that makes sense
    """
    roots: dict[str, tuple[Provider, frozenset[str]]] = {}
    result = placement.below_roots(traits.ONE_TIME_USE)
    for provider, uuid in sorted(result, key=lambda item: item[0].name):
        name, _, suffix = provider.name.rpartition("_")
        address = pci.address(suffix)
        if not (name and address) or (host and name != host):
            continue
        try:
            if uuid not in roots:
                root = placement.provider(uuid=uuid)
                roots[uuid] = root, placement.traits_of(uuid)[0]
            root, ours = roots[uuid]
            words = (device_words.device_of(item) or ("", "") for item in ours)
            yield FleetDevice(
                address,
                root,
                view(placement, provider),
                frozenset(word for at, word in words if at == address),
            )
        except ProviderNotFound:
            continue  # deleted since then
        except Conflict as error:
            # A host's own login can cause this. List the others.
            LOG.warning("Device not listed: %s", error)


def find(placement: Placement, host: str, address: str) -> FleetDevice:
    """Return one device.

    :raises osc_lib.exceptions.CommandError: if there is none
    :raises PlacementError: without an answer that makes sense
    """
    for device in devices(placement, host):
        if device.address == address.lower():
            return device
    raise exceptions.CommandError(
        f"host {clean(host)} has no one-time-use device {clean(address)}; "
        "see openstack vhard device list"
    )

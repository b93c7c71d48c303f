# SPDX-License-Identifier: Apache-2.0
"""The devices that a policy judges are those that Nova gives.

Each example is a guest on a host.  Nova's own code says which devices it
gets; the readers and ``policy/defaults.py`` say which of them are judged.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.request import image as image_reader
from nova_vhard.request import nova_api
from nova_vhard.request.compose import with_specs
from tests import seeds
from tests.release.differential import choices, nova_devices, nova_host
from tests.release.differential.compare import (
    check_defaults,
    check_given,
    judged,
)

TRIED: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def nova() -> Iterator[None]:
    """Let Nova's code run without Nova's services."""
    with nova_host.nova_at_rest():
        yield


def asked_for(guest: choices.Guest) -> HardwareRequest:
    """Read a guest as the gate of the Nova API does."""
    body = {
        "block_device_mapping_v2": guest.devices,
        "config_drive": guest.config_drive,
    }
    request = image_reader.read(guest.properties, guest.disk_format)
    request = with_specs(request, guest.specs)
    return request.plus(*nova_api.in_body(body))


def check(guest: choices.Guest) -> None:
    """Compare the two."""
    result = nova_devices.given(guest)
    if result is None:
        TRIED["refused"] += 1
        return
    TRIED["given"] += 1
    given, picked = result
    request = asked_for(guest)
    check_given(given, request, guest.host)
    if "scsi_model" not in given and _has_scsi(given):
        # libvirt's own choice, which Nova does not know
        assert judged(request, guest.host)["scsi_model"]
    check_defaults(picked, request, guest.host)


def _has_scsi(given: nova_devices.Given) -> bool:
    kinds = ("disk_bus", "cdrom_bus")
    return any("scsi" in given[kind] for kind in kinds)


@seeds.searched(choices.guests(), 500)
def search(guest: choices.Guest) -> None:
    TRIED["examples"] += 1
    check(guest)


def test_search_of_devices() -> None:
    """Guests: every device that Nova gives is judged, and no other default.

    Many of what is generated must be made by Nova, or nothing is proven.
    """
    search()
    print(TRIED)
    assert TRIED["given"] > TRIED["examples"] / 4, TRIED

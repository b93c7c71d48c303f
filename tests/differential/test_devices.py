# SPDX-License-Identifier: Apache-2.0
"""The devices that a policy judges are those that Nova gives.

Each example is a guest on a host.  Nova's own code says which devices it
gets; the readers and ``policy/defaults.py`` say which of them are judged.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from nova_vhard.policy.defaults import implied
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.request import flavor as flavor_reader
from nova_vhard.request import image as image_reader
from nova_vhard.request import nova_api
from tests import seeds
from tests.differential import nova_devices, nova_host, wishes

TRIED: Counter[str] = Counter()
UNKNOWN = {"disk_bus", "vif_model"}


@pytest.fixture(scope="module", autouse=True)
def nova() -> Iterator[None]:
    """Let Nova's code run without Nova's services."""
    with nova_host.nova_at_rest():
        yield


def asked_for(guest: wishes.Guest) -> HardwareRequest:
    """Read a guest as the gate of the Nova API does."""
    body = {
        "block_device_mapping_v2": guest.devices,
        "config_drive": guest.config_drive,
    }
    request = image_reader.read(guest.properties, guest.disk_format)
    request = request.plus(flavor_reader.read(guest.specs))
    return request.plus(*nova_api.in_body(body))


def judged(request: HardwareRequest, host: Any) -> dict[str, set[Any]]:
    """Return every value that a policy would judge, by kind."""
    found: dict[str, set[Any]] = {}
    for wish in (*request.wishes, *implied(request, host)):
        found.setdefault(wish.kind, set()).add(wish.value)
    return found


def check(guest: wishes.Guest) -> None:
    """Compare the two."""
    found = nova_devices.given(guest)
    if found is None:
        TRIED["refused"] += 1
        return
    TRIED["given"] += 1
    given, picked = found
    request = asked_for(guest)
    seen = judged(request, guest.host)
    for kind, values in given.items():
        known = seen.get(kind, set())
        if None in known and values != {None}:
            # what libosinfo picks, and nothing else, may be unknown
            assert kind in UNKNOWN, (kind, values, known)
            assert request.os_distro, (kind, values, known)
            continue
        assert values <= known, (kind, values, known)
    if "scsi_model" not in given and _has_scsi(given):
        # libvirt's own choice, which Nova does not know
        assert seen["scsi_model"]
    for wish in implied(request, guest.host):
        if wish.value is not None and wish.kind != "scsi_model":
            assert wish.value in picked[wish.kind], (wish, picked)


def _has_scsi(given: nova_devices.Given) -> bool:
    kinds = ("disk_bus", "cdrom_bus")
    return any("scsi" in given[kind] for kind in kinds)


@seeds.searched(wishes.guests(), 1500)
def search(guest: wishes.Guest) -> None:
    TRIED["examples"] += 1
    check(guest)


def test_search_of_devices() -> None:
    """Guests: every device that Nova gives is judged, and no other default.

    Many of what is generated must be made by Nova, or nothing is proven.
    """
    search()
    print(TRIED)
    assert TRIED["given"] > TRIED["examples"] / 4, TRIED

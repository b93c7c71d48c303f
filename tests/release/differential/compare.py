# SPDX-License-Identifier: Apache-2.0
"""Comparison of the gate's view of a guest with Nova's."""

from typing import Any

from nova_vhard.policy.defaults import implied, names_of, with_assumed
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.request import image as image_reader
from nova_vhard.request import nova_api
from nova_vhard.request.compose import with_specs
from tests.release.differential.choices import Guest

#: What libosinfo picks, and nobody knows here.
UNKNOWN = {"disk_bus", "vif_model"}

#: What is judged where the flavor is known.
BY_FLAVOR = {"rng", "rng_model"}

#: What libvirt or QEMU picks, which Nova does not know.
NOT_NOVAS = {"pmu", "scsi_model", "usb_model"}

Given = dict[str, set[str]]


def asked_for(guest: Guest) -> HardwareRequest:
    """Read a guest as the gate of the Nova API does."""
    body = {
        "block_device_mapping_v2": guest.devices,
        "config_drive": guest.config_drive,
    }
    request = image_reader.read(guest.properties, guest.disk_format)
    request = with_specs(request, guest.specs)
    return request.plus(*nova_api.in_body(body))


def judged(request: HardwareRequest, host: Any) -> dict[str, set[Any]]:
    """Return every value that a policy would judge, by kind."""
    request = with_assumed(request, host)
    result: dict[str, set[Any]] = {}
    for wish in (*request.choices, *implied(request, host)):
        if names_of(wish, request):
            result.setdefault(wish.kind, set()).add(wish.value)
    return result


def check_given(given: Given, request: HardwareRequest, host: Any) -> None:
    """Check that whatever Nova gives is judged."""
    seen = judged(request, host)
    unread = set() if request.has_flavor else BY_FLAVOR
    for kind in given.keys() - unread:
        values = given[kind]
        known = seen.get(kind, set())
        if None in known and values != {None}:
            # what libosinfo picks, and nothing else, may be unknown
            assert kind in UNKNOWN, (kind, values, known)
            assert request.os_distro, (kind, values, known)
            continue
        assert values <= known, (kind, values, known)


def check_defaults(picked: Given, request: HardwareRequest, host: Any) -> None:
    """Check that what is taken for a default is what Nova picks."""
    for wish in implied(with_assumed(request, host), host):
        if wish.value is not None and wish.kind not in NOT_NOVAS:
            assert wish.value in picked[wish.kind], (wish, picked)

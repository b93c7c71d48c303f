# SPDX-License-Identifier: Apache-2.0
"""Tests that a host's device providers are found by their names alone."""

from types import SimpleNamespace

import pytest

from nova_vhard.placement import devices
from nova_vhard.placement.client import Provider

ROOT = Provider("r", "compute1")
DEVICE = Provider("d", "compute1_0000:0A:00.0")


def offered(*providers):
    below = [(provider, ROOT.uuid) for provider in providers]
    placement = SimpleNamespace(below_roots=lambda trait, root: below)
    return devices.offered(placement, ROOT)


def test_a_device_is_named_by_its_host_and_its_address():
    ((device,), faults) = offered(DEVICE)
    assert (device.address, device.provider) == ("0000:0a:00.0", DEVICE)
    assert not faults


@pytest.mark.parametrize(
    "name",
    [
        "0000:0A:00.0",
        "compute10_0000:0A:00.0",
        "compute1_compute1_0000:0A:00.0",
        "compute1_0000:0a:00.0",
        "compute1_0A:00.0",
        "compute1_",
        "compute1",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_no_other_name_takes_a_devices_place(name, first):
    other = Provider("o", name)
    pair = (other, DEVICE) if first else (DEVICE, other)
    ((device,), (fault,)) = offered(*pair)
    assert device.provider == DEVICE
    assert "provider o" in fault

# SPDX-License-Identifier: Apache-2.0
"""Tests that a host's device providers are found by their names alone."""

from types import SimpleNamespace

import pytest

from nova_vhard.placement import devices
from nova_vhard.placement.client import Provider

ROOT = Provider("r", "compute1")
DEVICE = Provider("d", "compute1_0000:0A:00.0")


@pytest.mark.parametrize(
    "name",
    [
        # None at all.
        None,
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
    pair = [DEVICE, *([Provider("o", name)] if name else ())]
    below = [(each, ROOT.uuid) for each in pair[:: -1 if first else 1]]
    placement = SimpleNamespace(below_roots=lambda trait, root: below)
    ((device,), faults) = devices.offered(placement, ROOT)
    assert (device.address, device.provider) == ("0000:0a:00.0", DEVICE)
    assert ["provider o" in each for each in faults] == [True] * bool(name)

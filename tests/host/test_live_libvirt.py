# SPDX-License-Identifier: Apache-2.0
"""libvirt's own test driver, by libvirt-python and by virsh."""

import shutil

import pytest

from nova_vhard.host.libvirt.libvirt import LiveLibvirt, VirshLibvirt
from nova_vhard.host.root import Unreadable

UNREACHABLE = "qemu+unix:///system?socket=/nowhere"


@pytest.mark.parametrize("kind", [LiveLibvirt, VirshLibvirt])
def test_a_live_libvirt(kind):
    """libvirt's own test driver always has one guest."""
    if kind is VirshLibvirt and not shutil.which("virsh"):
        pytest.skip("libvirt-clients is not installed")
    asked = kind("test:///default")
    (result,) = asked.running()
    assert (result.name, len(result.uuid)) == ("test", 36)
    assert asked.capabilities().tag == "capabilities"
    with pytest.raises(Unreadable, match="nowhere") as caught:
        kind(UNREACHABLE).running()
    assert "Start libvirtd" in caught.value.step

# SPDX-License-Identifier: Apache-2.0
"""libvirt's own test driver, by libvirt-python and by virsh."""

import shutil

import pytest

from nova_vhard.host.libvirt.libvirt import LiveLibvirt, VirshLibvirt
from nova_vhard.host.root import Unreadable

UNREACHABLE = "qemu+unix:///system?socket=/nowhere"


def test_a_live_libvirt():
    """libvirt's own test driver, which always has one guest."""
    (result,) = LiveLibvirt("test:///default").running()
    assert result.name == "test"
    assert len(result.uuid) == 36
    with pytest.raises(Unreadable, match="nowhere"):
        LiveLibvirt(UNREACHABLE).running()


@pytest.mark.skipif(
    shutil.which("virsh") is None, reason="libvirt-clients is not installed"
)
def test_virsh_in_place_of_libvirt_python():
    asked = VirshLibvirt("test:///default")
    (result,) = asked.running()
    assert result.name == "test"
    assert len(result.uuid) == 36
    assert asked.capabilities().tag == "capabilities"
    with pytest.raises(Unreadable, match="nowhere") as caught:
        VirshLibvirt(UNREACHABLE).capabilities()
    assert "Start libvirtd" in caught.value.step

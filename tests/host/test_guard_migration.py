# SPDX-License-Identifier: Apache-2.0
"""A guest that comes by live migration from a host without a guard."""

import contextlib

import libvirt
import pytest

from tests.host import daemon
from tests.host.guard import Guard, wait
from tests.host.test_guard import REFUSED, overlay, policy

FLAGS = (
    libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_PEER2PEER
    | libvirt.VIR_MIGRATE_UNSAFE
)


@pytest.fixture(scope="module")
def source(place):
    with daemon.Libvirt(place / "source", host="source") as running:
        yield running


@pytest.fixture(scope="module")
def target(place):
    with daemon.Libvirt(place / "target", host="target") as running:
        yield running


@pytest.fixture(scope="module")
def guard(place, target):
    result = Guard(
        place / "target-guard", target.hooks, target.own_uri, target.pid_file
    )
    result.policy(policy())
    result.start()
    assert result.command("install").returncode == 0
    wait(lambda: result.command("probe").returncode == 0)
    yield result
    result.kill()


@pytest.fixture
def guest(source):
    """Return a guest whose disk the policy refuses."""
    text = source.describe("moves", bus="sata")
    text = text.replace("</disk>", "<shareable/></disk>")
    with contextlib.closing(source.connect()) as connection:
        yield connection.createXML(text)


@pytest.fixture
def based(source):
    """Return a guest whose image is based on a file that Nova does not put."""
    with daemon.folder() as elsewhere:
        (elsewhere / "raw").write_bytes(bytes(1 << 20))
        text = overlay(source, "based", elsewhere / "raw")
        with contextlib.closing(source.connect()) as connection:
            yield connection.createXML(text)


def test_what_an_image_is_based_on_is_found_out_at_the_target(
    guard, based, place, target
):
    """The XML that comes does not tell it, so it is not what it had."""
    guard.policy(policy())
    with pytest.raises(libvirt.libvirtError, match="is not in a folder"):
        move(based, place, target)
    assert based.isActive()
    assert guard.outcomes()[-2:] == [("move", "allow"), ("start", "refuse")]
    with contextlib.closing(target.connect()) as connection:
        assert connection.listAllDomains() == []


def move(guest, place, target):
    # QEMU's user makes its socket there.
    folder = place / "moves"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    parameters = {libvirt.VIR_MIGRATE_PARAM_URI: f"unix://{folder}/one"}
    guest.migrateToURI3(target.own_uri, parameters, FLAGS)


def test_a_guest_that_comes_is_judged_by_moves(guard, guest, place, target):
    guard.policy(policy() + "moves: {guest_devices: enforce}\n")
    uuid = guest.UUIDString()

    with pytest.raises(libvirt.libvirtError, match=REFUSED):
        move(guest, place, target)
    assert guest.isActive()
    assert ("move", "refuse") in guard.outcomes()
    guard.policy(policy())
    move(guest, place, target)
    with contextlib.closing(target.connect()) as connection:
        moved = connection.lookupByUUIDString(uuid)
        assert moved.isActive()
        outcomes = guard.outcomes()
        assert outcomes[-2:] == [("move", "warn"), ("start", "warn")]
        # It has what it had on the other host.
        assert "bus='sata'" in moved.XMLDesc(0)
        moved.destroy()

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
    folder = place / "target-guard"
    result = Guard(folder, target.hooks, target.own_uri, target.pid_file)
    result.policy(policy())
    result.install()
    wait(lambda: result.command("probe").returncode == 0)
    yield result
    result.kill()


@pytest.fixture
def move(source, target, place):
    """Return a function that moves a guest; it starts at the source."""
    # QEMU's user makes its socket there.
    folder = place / "moves"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    parameters = {libvirt.VIR_MIGRATE_PARAM_URI: f"unix://{folder}/one"}
    with contextlib.closing(source.connect()) as connection:

        def started(text):
            guest = connection.createXML(text)

            def moved():
                guest.migrateToURI3(target.own_uri, parameters, FLAGS)

            return guest, moved

        yield started


def test_what_an_image_is_based_on_is_found_out_at_the_target(
    guard, move, source, target
):
    """The XML that comes does not tell it, so it is not what it had."""
    with daemon.folder() as elsewhere:
        (elsewhere / "raw").write_bytes(bytes(1 << 20))
        based, moves = move(overlay(source, "based", elsewhere / "raw"))
        with pytest.raises(libvirt.libvirtError, match="is not in a folder"):
            moves()
    assert based.isActive()
    assert guard.outcomes()[-2:] == [("move", "allow"), ("start", "refuse")]
    with contextlib.closing(target.connect()) as connection:
        assert connection.listAllDomains() == []


def test_a_guest_that_comes_is_judged_by_moves(guard, move, source, target):
    text = source.describe("moves", bus="sata")
    guest, moves = move(text.replace("</disk>", "<shareable/></disk>"))
    guard.policy(policy() + "moves: {guest_devices: enforce}\n")
    with pytest.raises(libvirt.libvirtError, match=REFUSED):
        moves()
    assert guest.isActive()
    assert ("move", "refuse") in guard.outcomes()
    guard.policy(policy())
    uuid = guest.UUIDString()
    moves()
    outcomes = guard.outcomes()
    assert outcomes[-2:] == [("move", "warn"), ("start", "warn")]
    with contextlib.closing(target.connect()) as connection:
        moved = connection.lookupByUUIDString(uuid)
        # It has what it had on the other host.
        assert moved.isActive() and "bus='sata'" in moved.XMLDesc(0)

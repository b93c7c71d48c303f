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


@pytest.fixture
def hosts(place):
    with (
        daemon.Libvirt(place / "source", host="source") as source,
        daemon.Libvirt(place / "target", host="target") as target,
    ):
        yield source, target


@pytest.fixture
def guard(place, hosts):
    _, target = hosts
    with Guard(place / "target-guard", target).installed(policy()) as result:
        wait(result.is_asked)
        yield result


def test_an_incoming_guest_is_judged_by_moves(guard, hosts, place):
    source, target = hosts
    # QEMU's user makes its socket there.
    folder = place / "moves"
    folder.mkdir()
    folder.chmod(0o777)
    parameters = {libvirt.VIR_MIGRATE_PARAM_URI: f"unix://{folder}/one"}
    # The XML of the source does not name the backing file of an image.
    with (
        daemon.folder() as elsewhere,
        contextlib.closing(source.connect()) as connection,
    ):
        (elsewhere / "raw").write_bytes(bytes(1 << 20))
        based = connection.createXML(
            overlay(source, "based", elsewhere / "raw")
        )
        text = source.describe("moves", bus="sata")
        text = text.replace("</disk>", "<shareable/></disk>")
        guest = connection.createXML(text)
        for each, more, said, last in (
            (
                based,
                "",
                "is not in a folder",
                [("move", "allow"), ("start", "refuse")],
            ),
            (
                guest,
                "moves: {guest_devices: enforce}\n",
                REFUSED,
                [("move", "refuse")],
            ),
        ):
            guard.policy(policy() + more)
            with pytest.raises(libvirt.libvirtError, match=said):
                each.migrateToURI3(target.own_uri, parameters, FLAGS)
            assert each.isActive()
            assert guard.outcomes()[-len(last) :] == last
        guard.policy(policy())
        guest.migrateToURI3(target.own_uri, parameters, FLAGS)
    assert guard.outcomes()[-2:] == [("move", "warn"), ("start", "warn")]
    with contextlib.closing(target.connect()) as connection:
        (moved,) = connection.listAllDomains()
        # It has the same devices as on the other host.
        assert moved.isActive() and "bus='sata'" in moved.XMLDesc(0)

# SPDX-License-Identifier: Apache-2.0
"""Live migration between Debian's QEMU and the minimal one, both ways."""

import pytest

from tests.qemu import build
from tests.qemu.machine import Machine

E1000 = ("-device", "e1000,bus=pcie.0,addr=7,romfile=")


@pytest.fixture(scope="module")
def machine(emulator):
    """Return the newest machine type of both, as libvirt would write it."""
    result = [
        {each for each in build.machines(binary) if each.startswith("pc-q35-")}
        for binary in (emulator, build.SYSTEM)
    ]
    common = result[0] & result[1]
    assert common == result[0], "the two differ in their machine types"
    return max(common, key=lambda each: [int(x) for x in each[7:].split(".")])


@pytest.mark.parametrize("way", ["to-minimal", "to-full"])
def test_a_guest_of_novas_is_moved(emulator, place, machine, way):
    binaries = [build.SYSTEM, emulator]
    source, target = binaries if way == "to-minimal" else binaries[::-1]
    path = place / f"{way}.migrate"
    listen = ("-incoming", f"unix:{path}")
    with (
        Machine(target, place, f"{way}-b", machine, *listen) as after,
        Machine(source, place, f"{way}-a", machine) as before,
    ):
        assert before.status() == "running"
        assert before.migrate(path) == "completed"
        assert after.status() == "running"
        assert before.status() == "postmigrate"


def test_one_with_a_refused_device_stays_where_it_is(emulator, place, machine):
    """The target does not start, before anything of the guest is sent."""
    path = place / "refused.migrate"
    listen = ("-incoming", f"unix:{path}")
    with Machine(build.SYSTEM, place, "refused-a", machine, *E1000) as before:
        assert before.status() == "running"
        target = Machine(
            emulator, place, "refused-b", machine, *E1000, *listen
        )
        assert "'e1000' is not a valid device model name" in target.output()
        assert before.status() == "running"

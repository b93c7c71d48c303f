# SPDX-License-Identifier: Apache-2.0
"""The cloud itself: nobody outside of this machine can reach it."""

import contextlib
import os
import pathlib

_PROC = pathlib.Path("/proc")
_LISTENING = "0A"
# As the kernel writes 127.0.0.1 and ::1, in the bytes' order of the machine.
_LOOPBACK = {"0100007F", "00000000000000000000000001000000"}


def test_everything_listens_on_loopback_only(cloud):
    # given the inodes of the sockets that its processes have open
    sockets = set()
    for pid in cloud.daemons.leftover():
        for each in (_PROC / str(pid)).glob("fd/*"):
            with contextlib.suppress(OSError):
                sockets.add(os.readlink(each))
    result = []
    # when
    for table in ("tcp", "tcp6"):
        text = (_PROC / "net" / table).read_text()
        for line in text.splitlines()[1:]:
            fields = line.split()
            local, state, inode = fields[1], fields[3], fields[9]
            if state == _LISTENING and f"socket:[{inode}]" in sockets:
                result.append(local.split(":")[0])
    # then
    # Nobody has wanted Horizon, and Nova without gates.
    assert len(result) >= len(cloud.facts.ports) - 2
    assert set(result) <= _LOOPBACK


def test_the_passwords_are_its_owners_only(cloud):
    for name in ("clouds.yaml", "cloud.json", "nova/nova.conf"):
        assert (cloud.place.root / name).stat().st_mode & 0o077 == 0


def test_a_wrong_password_of_placement_is_named(cloud):
    # given what Keystone does not take
    home = cloud.place.home("nova")
    text = (home / "nova.conf").read_text()
    (home / "wrong.conf").write_text(f"{text}[placement]\npassword = wrong\n")
    # when
    wrong = cloud.check("wrong.conf")["Placement"]
    # then
    assert "correct the login in group [placement] of nova.conf" in wrong
    assert "Placement" not in cloud.check()

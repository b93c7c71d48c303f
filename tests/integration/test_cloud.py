# SPDX-License-Identifier: Apache-2.0
"""The cloud itself: nobody outside of this machine can reach it."""

import psutil


def test_everything_listens_on_loopback_only(cloud):
    ours = set(cloud.daemons.leftover())
    addresses = [
        each.laddr.ip
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.pid in ours
    ]
    # Nobody has wanted Horizon, and Nova without gates.
    assert len(addresses) >= len(cloud.facts.ports) - 2
    assert set(addresses) <= {"127.0.0.1", "::1"}


def test_the_passwords_are_its_owners_only(cloud):
    for name in ("clouds.yaml", "cloud.json", "nova/nova.conf"):
        assert (cloud.place.root / name).stat().st_mode & 0o077 == 0


def test_a_wrong_password_of_placement_is_named(cloud):
    home = cloud.place.home("nova")
    text = (home / "nova.conf").read_text()
    (home / "wrong.conf").write_text(f"{text}[placement]\npassword = wrong\n")
    wrong = cloud.check("wrong.conf")["Placement"]
    assert "correct the login in group [placement] of nova.conf" in wrong
    assert "Placement" not in cloud.check()

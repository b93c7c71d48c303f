# SPDX-License-Identifier: Apache-2.0
"""A host that boots: libvirt starts its guests before there is a guard."""

import contextlib
import socket

import libvirt
import pytest

from tests.host import daemon
from tests.host.guard import Guard, wait
from tests.host.test_guard import policy

#: Guests that libvirt starts by itself.
MANY = 3


@pytest.fixture(scope="module")
def alerts(place):
    """Return the socket of the host's log."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as result:
        result.bind(str(place / "log"))
        result.settimeout(60)
        yield result


@pytest.fixture(scope="module")
def host(place, alerts):
    """Return a host whose guests start with it."""
    mounts = {"/dev/log": place / "log"}
    with daemon.Libvirt(place / "booting", mounts) as running:
        with contextlib.closing(running.connect()) as connection:
            for number in range(MANY):
                text = running.describe(f"boots{number}", bus="sata")
                connection.defineXML(text).setAutostart(1)
        yield running


@pytest.fixture(scope="module")
def guard(place, host):
    late = Guard(place / "late", host.hooks, host.own_uri, host.pid_file)
    assert late.command("install").returncode == 0
    yield late
    late.kill()


def boot(host, alerts):
    """Boot a host; return how many guests run, and the ends of alerts."""
    host.boot_again()
    # Until all have been tried nobody else is answered.
    with contextlib.closing(host.connect()) as connection:
        active = libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE
        count = len(connection.listAllDomains(active))
    texts = [alerts.recv(4096).decode() for _ in range(MANY)]
    return count, {text.rsplit("' ", 1)[-1] for text in texts}


def test_guests_start_before_their_guard_and_are_adopted(host, guard, alerts):
    assert boot(host, alerts) == (MANY, {"starts unjudged"})
    # The guard comes up last: it knows none of them.
    guard.policy(policy())
    guard.start()
    wait(lambda: f"{MANY} guests count as started before" in guard.log())
    assert guard.outcomes() == [("attach", "warn")] * MANY
    # Where the policy says so none starts without a guard.
    guard.policy(policy(unanswered="refuse"))
    guard.kill()
    assert boot(host, alerts) == (0, {"is refused"})

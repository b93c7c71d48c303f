# SPDX-License-Identifier: Apache-2.0
"""A host that boots: libvirt starts its guests before there is a guard."""

import collections
import contextlib
import socket
import threading
import time
from xml.etree import ElementTree

import libvirt
import pytest

from tests.host import daemon
from tests.host.guard import Guard, wait
from tests.host.test_guard import policy

#: Guests that libvirt starts by itself.
MANY = 50
#: Seconds for all of them.
PATIENCE = 300
LOG = "/dev/log"
#: What a guest's processor executes first, below 4 GiB: cli, hlt.
_ROM_SIZE, _RESET, _HALT = 1 << 16, -16, b"\xfa\xf4"


class Alerts:
    """Messages that programs write to the host's log until the block ends.

    :param path: path of the socket
    :ivar texts: all messages received
    """

    def __init__(self, path):
        self.texts = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._socket.shutdown(socket.SHUT_RD)
        self._thread.join()
        self._socket.close()

    def _read(self):
        while data := self._socket.recv(4096):
            self.texts.append(data.decode())

    def outcomes(self):
        """Return how often each word that ends an alert has come."""
        words = [text.rsplit("' ", 1)[-1] for text in self.texts]
        self.texts.clear()
        return collections.Counter(words)


@pytest.fixture(scope="module")
def alerts(place):
    with Alerts(place / "log") as reading:
        yield reading


@pytest.fixture(scope="module")
def host(place, alerts):
    with daemon.Libvirt(place / "booting", {LOG: place / "log"}) as running:
        yield running


@pytest.fixture(scope="module")
def guests(place, host):
    """Define guests that start with the host, and never do anything."""
    rom = place / "halt.rom"
    content = bytearray(_ROM_SIZE)
    content[_RESET : _RESET + len(_HALT)] = _HALT
    rom.write_bytes(content)
    with contextlib.closing(host.connect()) as connection:
        for number in range(MANY):
            text = host.describe(f"boots{number}", bus="sata")
            domain = ElementTree.fromstring(text)
            loader = ElementTree.SubElement(domain.find("os"), "loader")
            loader.set("type", "rom")
            loader.text = str(rom)
            domain.find("memory").text = "2"
            text = ElementTree.tostring(domain, encoding="unicode")
            connection.defineXML(text).setAutostart(1)
    yield
    with contextlib.closing(host.connect()) as connection:
        for domain in connection.listAllDomains():
            domain.setAutostart(0)


@pytest.fixture(scope="module")
def guard(place, host):
    late = Guard(place / "late", host.hooks, host.own_uri, host.pid_file)
    assert late.command("install").returncode == 0
    yield late
    late.kill()


def boot(host):
    """Boot a host; return how many of its guests run then."""
    host.boot_again()
    # Until all have been tried nobody else is answered.
    with contextlib.closing(host.connect()) as connection:
        return len(
            connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        )


def test_guests_start_before_their_guard_and_are_adopted(
    host, guard, guests, alerts
):
    begin = time.monotonic()
    assert boot(host) == MANY
    wait(lambda: len(alerts.texts) >= MANY)
    assert alerts.outcomes() == {"starts unjudged": MANY}
    print(f"{MANY} guests at boot: {time.monotonic() - begin:.1f} s")
    # The guard comes up last: it knows none of them.
    guard.policy(policy())
    guard.start()
    wait(lambda: len(guard.outcomes()) >= MANY, PATIENCE)
    assert guard.outcomes() == [("attach", "warn")] * MANY
    wait(lambda: f"{MANY} guests count as started before" in guard.log())


def test_where_the_policy_says_so_none_starts_without_a_guard(
    host, guard, guests, alerts
):
    guard.policy(policy(unanswered="refuse"))
    guard.kill()
    assert boot(host) == 0
    wait(lambda: len(alerts.texts) >= MANY)
    assert alerts.outcomes() == {"is refused": MANY}

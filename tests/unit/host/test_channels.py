# SPDX-License-Identifier: Apache-2.0
"""Channels out of a host, beside the cases in cases/channels.yaml."""

import os
import shutil
import socket

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import listeners, socket_units
from nova_vhard.host.libvirt.socket_units import Units
from nova_vhard.host.qemu import consoles
from nova_vhard.host.root import HostRoot
from tests.trees import build, facts
from tests.unit.host.hardened import ANY, WHOLE, process, tcp

#: libvirt's options for Nova's [spice] require_secure.
SECURE = ",".join(
    f"tls-channel={each}"
    for each in (
        *("main", "display", "inputs", "cursor", "playback", "record"),
        *("smartcard", "usbredir"),
    )
)
UNIT = "/etc/systemd/system/libvirtd-tcp.socket"
VENDOR = "/usr/lib/systemd/system/libvirtd-tcp.socket"
STREAM = "[Socket]\nListenStream={}\n"
RESET = "[Socket]\nListenStream=\n"


@pytest.mark.parametrize(
    ("units", "ports"),
    [
        ({VENDOR: STREAM.format(1)}, {1}),
        ({VENDOR: STREAM.format(1), UNIT: STREAM.format(2)}, {2}),
        ({VENDOR: STREAM.format(1), UNIT: "-> /dev/null"}, set()),
        ({VENDOR: STREAM.format(1), UNIT: ""}, set()),
        ({UNIT: "[Socket]\nListenStream=1\nListenStream=[::]:2\n"}, {1, 2}),
        ({UNIT: "[Socket]\n  ListenStream\t=  0.0.0.0:1 \n"}, {1}),
        ({UNIT: "[Socket]\nListenStream= \\\n  1\n"}, {1}),
        ({UNIT: "[Socket]\nListenStream= \\\n# 1\n; 2\n  3\n"}, {3}),
        ({UNIT: "[Socket]\n# \\\nListenStream=1\n"}, {1}),
        ({UNIT: "[Unit]\nListenStream=1\n[Socket]\n"}, set()),
        ({UNIT: "ListenStream=1\n"}, set()),
        # Taken back, and what comes behind.
        ({UNIT: f"{STREAM.format(1)}ListenStream=\n"}, set()),
        ({UNIT: f"{STREAM.format(1)}ListenStream=\nListenStream=2\n"}, {2}),
        ({UNIT: f"{STREAM.format(1)}ListenDatagram=\n"}, set()),
        ({VENDOR: STREAM.format(1), f"{UNIT}.d/x.conf": RESET}, set()),
        ({UNIT: STREAM.format(1), f"{VENDOR}.d/x.conf": RESET}, set()),
        (
            {
                VENDOR: STREAM.format(1),
                f"{UNIT}.d/20.conf": STREAM.format(3),
                f"{VENDOR}.d/10.conf": f"{RESET}ListenStream=2\n",
            },
            {2, 3},
        ),
        (
            {
                VENDOR: STREAM.format(1),
                f"{UNIT}.d/10.conf": STREAM.format(3),
                f"{VENDOR}.d/20.conf": f"{RESET}ListenStream=2\n",
            },
            {2},
        ),
        # The first drop-in of a name counts, and masks the others.
        (
            {
                UNIT: STREAM.format(1),
                f"{UNIT}.d/x.conf": STREAM.format(2),
                f"{VENDOR}.d/x.conf": RESET,
            },
            {1, 2},
        ),
        (
            {
                UNIT: STREAM.format(1),
                f"{UNIT}.d/x.conf": "-> /dev/null",
                f"{VENDOR}.d/x.conf": RESET,
            },
            {1},
        ),
        ({UNIT: STREAM.format(1), f"{UNIT}.d/x": RESET}, {1}),
        # Those of more than one unit.
        (
            {
                UNIT: STREAM.format(1),
                "/etc/systemd/system/libvirtd-.socket.d/x.conf": RESET,
            },
            set(),
        ),
        (
            {
                UNIT: STREAM.format(1),
                "/run/systemd/system/socket.d/x.conf": STREAM.format(2),
            },
            {1, 2},
        ),
        ({"/etc/systemd/system/other.socket": STREAM.format(1)}, set()),
    ],
)
def test_drop_ins_as_systemd_merges_them(tmp_path, units, ports):
    root = HostRoot(build(tmp_path, {**units, "/dev/null": ""}))
    assert socket_units.read(root) == Units(frozenset(ports))


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ("7F000001", "127.0.0.1"),
        # Not 127.0.0.10, which is loopback.
        ("0A00007F", "10.0.0.127"),
        ("00000000000000000000000000000001", "::1"),
        ("FE800000000000000000000000000001", "fe80::1"),
    ],
)
def test_a_host_whose_words_begin_with_the_highest_byte(
    tmp_path, words, address
):
    content = {
        "/proc/cpuinfo": "vendor_id       : IBM/S390\n",
        "/proc/50/net/tcp": tcp((words, 16509, 1)),
    }
    (item,) = listeners.read(Host(HostRoot(build(tmp_path, content))), "50")
    assert (item.address, item.port) == (address, 16509)


def test_a_table_is_read_once_for_each_network(tmp_path):
    content = {f"/proc/{pid}/net/tcp": tcp((ANY, pid, 1)) for pid in (50, 60)}
    host = Host(HostRoot(build(tmp_path, content)))
    (tmp_path / "proc/51/net").mkdir(parents=True)
    (tmp_path / "proc/51/net/tcp").hardlink_to(tmp_path / "proc/50/net/tcp")
    seen = {}
    for pid in ("50", "51", "60"):
        seen[pid] = listeners.read(host, pid)[0].port
        (tmp_path / "proc/50/net/tcp").write_text("read already")
    assert seen == {"50": 50, "51": 50, "60": 60}


@pytest.mark.parametrize(
    ("family", "address", "local"),
    [
        (socket.AF_INET, "127.0.0.1", True),
        (socket.AF_INET, "0.0.0.0", False),
        (socket.AF_INET6, "::1", True),
        (socket.AF_INET6, "::", False),
        (socket.AF_INET6, "::ffff:127.0.0.1", True),
    ],
)
def test_a_listener_of_this_process_is_read_as_it_is(family, address, local):
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen()
        port = server.getsockname()[1]
        pid = str(os.getpid())
        result = listeners.read(Host(), pid)
        (mine,) = [each for each in result if each.port == port]
        assert mine.local is local
        assert mine.inode in listeners.sockets(HostRoot(), pid)


X509 = (
    '{{"qom-type":"tls-creds-x509","id":"t","dir":"/etc/pki/libvirt-vnc",'
    '"endpoint":"server","verify-peer":{}}}'
)
OBJECT = ("-object", "rng-random,id=t", "-object", "iothread,id=u", "-name")


@pytest.mark.parametrize(
    ("words", "closed"),
    [
        (("-vnc", "127.0.0.1:0,audiodev=audio1"), [True]),
        (("-vnc", "[::1]:0"), [True]),
        (("-vnc", "0.0.0.0:0"), [False]),
        (("-vnc", ":0"), [False]),
        (("--vnc", ":0"), [False]),
        (("-vnc", "vnc=unix:/run/x.sock"), [True]),
        # Encrypted is not authenticated.
        (("-vnc", ":0,tls-creds=t"), [False]),
        ((*OBJECT, "t", "-vnc", ":0,tls-creds=t"), [False]),
        *(
            (("-object", credentials, "-vnc", ":0,tls-creds=t"), [closed])
            for credentials, closed in (
                (X509.format("true"), True),
                (X509.format("false"), False),
                (X509.format("true").replace("x509", "anon"), False),
                (X509.format("true").replace('"t"', '"u"'), False),
                ("tls-creds-x509,id=t,endpoint=server", True),
                ("tls-creds-x509,id=t,verify-peer=yes", True),
                ("tls-creds-x509,id=t,verify-peer=off", False),
                ("tls-creds-x509,id=t,verify-peer=no", False),
            )
        ),
        (("-vnc", ":0,tls-creds=t,sasl=on"), [True]),
        (("-vnc", ":0,tls-creds=t,sasl"), [True]),
        (("-vnc", ":0,tls-creds=t,sasl=off"), [False]),
        (("-vnc", ":0,tls-creds=t,password=on"), [True]),
        (("-vnc", ":0,tls-creds=t,password=off"), [False]),
        (("-vnc", ":0,tls-creds=t,password-secret=s"), [True]),
        (("-vnc", ":0,password=on,sasl=on"), [False]),
        (("-vnc", "none"), []),
        (("-display", "vnc=:0"), [False]),
        (("-display", "none"), []),
        (("-spice", "port=5900,addr=127.0.0.1"), [True]),
        (("-spice", "port=5900,addr=0.0.0.0"), [False]),
        (("-spice", "port=5900"), [False]),
        (("-spice", "port=5900,tls-port=5901,addr=::"), [False]),
        (("-spice", "port=0,tls-port=5901,addr=::"), [True]),
        (("-spice", "port=1,tls-port=2,tls-channel=default"), [True]),
        (
            (
                "-spice",
                "port=1,tls-port=2,tls-channel=default,"
                "plaintext-channel=display",
            ),
            [False],
        ),
        (("-vnc", "127.0.0.1:0,websocket=5700"), [True]),
        (("-vnc", "127.0.0.1:0,websocket=on"), [True]),
        (("-vnc", "127.0.0.1:0,websocket=127.0.0.1:5700"), [True, True]),
        (("-vnc", "127.0.0.1:0,websocket=0.0.0.0:5700"), [True, False]),
        (("-vnc", "127.0.0.1:0,websocket=:5700"), [True, False]),
        # QEMU takes the host of the one address, and every address without.
        (("-vnc", "unix:/x,websocket=5700"), [True, False]),
        (
            ("-vnc", "127.0.0.1:0,vnc=127.0.0.1:1,websocket=5700"),
            [True, True, False],
        ),
        (("-vnc", "127.0.0.1:0,vnc=127.0.0.1:1,websocket=off"), [True, True]),
        (("-spice", f"port=1,tls-port=2,{SECURE}"), [True]),
        (("-spice", f"port=1,tls-port=2,{SECURE[:-10]}"), [False]),
        (("-vnc", "127.0.0.1:0,vnc=0.0.0.0:1"), [True, False]),
        (("-vnc", ":0,tls-creds=t,vnc=:1"), [False, False]),
        (("-vnc", ":0,tls-creds=t,sasl=on,vnc=:1"), [True, True]),
        (("-vnc", "127.0.0.1:0,tls-creds=t,vnc=:1"), [True, False]),
        (("-spice", "unix=on,addr=/run/x.sock"), [True]),
        (("-spice", "tls-port=1,disable-ticketing=on"), [False]),
        (("-spice", "tls-port=1,disable-ticketing"), [False]),
        (("-spice", "tls-port=1,disable-ticketing=off"), [True]),
        (("-spice", "tls-port=1,disable-ticketing=on,sasl=on"), [True]),
        (("-spice", "port=1,addr=::1,disable-ticketing=on"), [True]),
        (("-spice", "gl=on,disable-ticketing=on"), [True]),
        (("-vnc", ":0", "-spice", "port=1,addr=127.0.0.1"), [False, True]),
        ((), []),
    ],
)
def test_consoles_of_a_command_line(words, closed):
    result = consoles.read(("qemu", *words))
    assert [not each.gap for each in result] == closed


@pytest.mark.parametrize("name", ["migration_encrypted", "guest_cage"])
def test_daemons_that_end_while_they_are_looked_at(
    tmp_path, monkeypatch, name
):
    """The next one reads what is there: it is judged, and not nobody."""
    content = {
        **WHOLE,
        **process(1, ["/sbin/init"]),
        **process(50, ["/usr/sbin/libvirtd"]),
        **facts(),
        "/etc/libvirt/qemu.conf": "seccomp_sandbox = 0\n",
    }
    host = Host(HostRoot(build(tmp_path, content)))
    read = HostRoot.peek

    def gone(self, path):
        if path == "/proc/50/mountinfo":
            shutil.rmtree(tmp_path / "proc/50", ignore_errors=True)
        return read(self, path)

    monkeypatch.setattr(HostRoot, "peek", gone)
    (check,) = [each for each in report.load() if each.name == name]
    assert check.run(host).status is Status.FAIL

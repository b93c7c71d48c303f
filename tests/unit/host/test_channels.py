# SPDX-License-Identifier: Apache-2.0
"""Channels out of a host: migrations, libvirt's daemon, guest consoles."""

import json
import os
import shutil
import socket

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import libvirt, listeners, socket_units
from nova_vhard.host.libvirt.socket_units import Units
from nova_vhard.host.qemu import consoles
from nova_vhard.host.root import HostRoot
from tests.trees import FACTS, build, facts
from tests.unit.host.hardened import (
    ANY,
    BAD,
    GOOD,
    LOOPBACK,
    WHOLE,
    guest,
    process,
    tcp,
)

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
CHECKS = {each.name: each for each in report.load()}

#: libvirt's options for Nova's [spice] require_secure.
SECURE = ",".join(
    f"tls-channel={each}"
    for each in (
        *("main", "display", "inputs", "cursor", "playback", "record"),
        *("smartcard", "usbredir"),
    )
)

NEW = (
    "cpu_mitigations",
    "smt",
    "memory_sharing",
    "nested_off",
    "microcode",
    "guest_cage",
    "migration_encrypted",
    "libvirt_not_exposed",
    "console_encrypted",
)


def run(name, root, **more):
    result = CHECKS[name].run(Host(HostRoot(str(root)), **more))
    assert "check failed" not in result.reason
    assert bool(result.remediation) == (result.status in (FAIL, UNKNOWN))
    assert result.evidence or result.status is UNKNOWN
    return result


@pytest.mark.parametrize(("content", "status"), [(GOOD, PASS), (BAD, FAIL)])
def test_the_good_host_and_the_bad(tmp_path, content, status):
    """Nothing of the good host is open, and nothing of the bad is closed."""
    root = build(tmp_path, content)
    result = {name: run(name, root) for name in NEW}
    assert {name: each.status for name, each in result.items()} == (
        dict.fromkeys(NEW, status)
    )


NATIVE = {"live_migration_with_native_tls": True}
TUNNEL = {"live_migration_tunnelled": True}


@pytest.mark.parametrize(
    ("settings", "text", "status"),
    [
        (NATIVE, "", PASS),
        ({}, "", FAIL),
        ({}, "migrate_tls_force = 1\n", PASS),
        ({}, "migrate_tls_force = 2\n", UNKNOWN),
        (TUNNEL, "", FAIL),
        ({**TUNNEL, "live_migration_scheme": "tls"}, "", PASS),
        ({**TUNNEL, "live_migration_scheme": "ssh"}, "", PASS),
        ({**TUNNEL, "live_migration_uri": "qemu+tls"}, "", PASS),
        # libvirt takes TLS for qemu://%s/system.
        ({**TUNNEL, "live_migration_uri": "qemu"}, "", PASS),
        ({**TUNNEL, "live_migration_uri": "unknown"}, "", FAIL),
        # The URI wins.
        (
            {
                **TUNNEL,
                "live_migration_uri": "qemu+tcp",
                "live_migration_scheme": "tls",
            },
            "",
            FAIL,
        ),
        # Without the tunnel the memory is sent over a separate connection.
        ({"live_migration_scheme": "tls"}, "", FAIL),
    ],
)
def test_migrations(tmp_path, settings, text, status):
    content = {
        **WHOLE,
        **process(1, "/sbin/init"),
        **facts(libvirt=settings),
        "/etc/libvirt/qemu.conf": text,
    }
    root = build(tmp_path, content)
    assert run("migration_encrypted", root).status is status


def test_what_an_older_pre_step_left_is_unknown(tmp_path):
    left = json.loads(facts()[FACTS])
    del left["vnc"]
    content = {**WHOLE, **process(1, "/sbin/init"), FACTS: json.dumps(left)}
    root = build(tmp_path, content)
    for name in ("migration_encrypted", "console_encrypted"):
        result = run(name, root)
        assert result.status is UNKNOWN
        assert "nova-vhard-reporter facts" in result.remediation


DAEMON = "/usr/sbin/libvirtd"
CONF = "/etc/libvirt/libvirtd.conf"
UNIT = "/etc/systemd/system/libvirtd-tcp.socket"
PROXY = "/etc/libvirt/virtproxyd.conf"
TLS = "/etc/systemd/system/virtproxyd-tls.socket"
STREAM = "[Socket]\nListenStream={}\n"
WANTS = "/etc/systemd/system/sockets.target.wants"


def daemon(*listening, words=(), **more):
    return {
        **WHOLE,
        **process(1, "/sbin/init"),
        **process(50, DAEMON, *words, listening=listening, **more),
    }


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (daemon(), PASS),
        (daemon((ANY, 22, 1), (ANY, 16514, 2)), PASS),
        (daemon((LOOPBACK, 16509, 1)), PASS),
        (daemon((ANY, 16509, 1)), FAIL),
        (daemon(("0A00000A", 16509, 1)), FAIL),
        # Another port, by the configuration that the daemon reads.
        ({**daemon((ANY, 17000, 1)), CONF: 'tcp_port = "17000"\n'}, FAIL),
        (
            {
                **daemon((ANY, 17000, 1), words=("--config", "/etc/x.conf")),
                "/etc/x.conf": 'tcp_port = "17000"\n',
            },
            FAIL,
        ),
        (
            {
                **daemon((ANY, 17000, 1), words=("--config=/etc/x.conf",)),
                "/etc/x.conf": 'tcp_port = "17000"\n',
            },
            FAIL,
        ),
        # By its sockets, as root sees them.
        (
            {
                **daemon((ANY, 17000, 7)),
                "/proc/50/fd/9": "-> socket:[7]",
            },
            FAIL,
        ),
        (
            {
                **daemon((ANY, 17000, 7)),
                "/proc/50/fd/9": "-> socket:[7]",
                CONF: 'tls_port = "17000"\n',
            },
            PASS,
        ),
        # getopt joins short options, and takes long ones cut short.
        *(
            (
                {
                    **daemon((ANY, 17000, 1), words=words),
                    "/etc/x.conf": 'tcp_port = "17000"\n',
                },
                FAIL,
            )
            for words in (
                ("-f/etc/x.conf",),
                ("-lf", "/etc/x.conf"),
                ("-p", "/run/x", "--conf", "/etc/x.conf"),
                ("--config=/etc/y.conf", "-d", "-f", "/etc/x.conf"),
            )
        ),
        ({**daemon(words=("--novel",))}, UNKNOWN),
        ({**daemon(words=("--timeout", "120"))}, PASS),
        # By the units, where systemd listens at another port.
        (
            {
                **daemon((ANY, 17000, 1)),
                f"{UNIT}.d/x.conf": "[Socket]\nListenStream=\n"
                "ListenStream = 0.0.0.0:17000\n",
            },
            FAIL,
        ),
        (
            {
                **daemon((ANY, 16514, 1)),
                UNIT: "[Socket]\nListenStream=16514\n",
            },
            FAIL,
        ),
        (
            {
                **daemon((ANY, 17000, 1)),
                UNIT: "-> /dev/null",
                UNIT.replace("-tcp", "-tls"): "[Socket]\nListenStream=17000\n",
                UNIT.replace("-tcp", ""): "[Socket]\nListenStream=/run/x\n",
            },
            PASS,
        ),
        # TLS for everybody.
        (
            {
                **daemon((ANY, 16514, 1)),
                CONF: "tls_no_verify_certificate = 1\n",
            },
            FAIL,
        ),
        (
            {
                **daemon((LOOPBACK, 16514, 1)),
                CONF: "tls_no_verify_certificate = 1\n",
            },
            PASS,
        ),
        (
            {
                **daemon((ANY, 16514, 1)),
                CONF: 'tls_no_verify_certificate = 1\nauth_tls = "sasl"\n',
            },
            PASS,
        ),
        # By the socket of TLS, whatever the file says.
        *(
            (
                {
                    **daemon((ANY, 443, 7)),
                    "/proc/50/fd/9": "-> socket:[7]",
                    f"{TLS}.d/x.conf": "[Socket]\nListenStream=443\n",
                    CONF: text,
                },
                status,
            )
            for text, status in (
                ("", PASS),
                ("tls_no_verify_certificate = 1\n", FAIL),
            )
        ),
        # For everybody, by a daemon that systemd starts when one comes.
        *(
            (
                {
                    **WHOLE,
                    **process(1, "/sbin/init", listening=[(where, port, 1)]),
                    PROXY: "tls_no_verify_certificate = 1\n",
                    CONF: "",
                    **more,
                },
                status,
            )
            for where, port, more, status in (
                (ANY, 16514, {}, FAIL),
                (LOOPBACK, 16514, {}, PASS),
                (ANY, 443, {}, PASS),
                (ANY, 443, {f"{TLS}.d/x.conf": STREAM.format(443)}, FAIL),
                (ANY, 16514, {PROXY: "auth_tls = many\n"}, UNKNOWN),
                # The sockets of another one are those that are opened.
                (ANY, 16514, {f"{WANTS}/virtproxyd-tls.socket": ""}, FAIL),
                (ANY, 16514, {f"{WANTS}/libvirtd-tls.socket": ""}, PASS),
                # One runs already, by its own configuration.
                (ANY, 16514, process(50, DAEMON), PASS),
            )
        ),
        # Another daemon may be out of sight.
        (
            {
                key: text
                for key, text in daemon().items()
                if key != "/proc/2/comm"
            },
            UNKNOWN,
        ),
        ({**daemon(), CONF: "tcp_port = many\n"}, UNKNOWN),
        ({**daemon(), "/proc/50/net/tcp": "sl\nnonsense\n"}, UNKNOWN),
        ({**WHOLE, **process(1, "/sbin/init")}, PASS),
        # A systemd socket, for a daemon that does not run yet.
        (
            {
                **WHOLE,
                **process(1, "/sbin/init", listening=[(ANY, 16509, 1)]),
            },
            FAIL,
        ),
        # Any user may listen there.
        (
            {
                **WHOLE,
                **process(1, "/sbin/init"),
                "/proc/1/net/tcp": tcp((ANY, 16509, 1)).replace(
                    "     0        0 1 ", "  1000        0 1 "
                ),
            },
            PASS,
        ),
        (process(1, "/sbin/init"), UNKNOWN),
    ],
)
def test_libvirts_listeners(tmp_path, content, status):
    root = build(tmp_path, content)
    # Before the daemon started.
    for path in (tmp_path / "etc").rglob("*.conf"):
        os.utime(path, (1, 1))
    assert run("libvirt_not_exposed", root).status is status


VENDOR = "/usr/lib/systemd/system/libvirtd-tcp.socket"
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


def test_a_configuration_that_the_daemon_has_not_read(tmp_path):
    root = build(tmp_path, {**daemon(), CONF: 'tcp_port = "17000"\n'})
    result = run("libvirt_not_exposed", root)
    assert result.status is UNKNOWN
    assert "changed since" in result.reason


@pytest.mark.parametrize("denied", ["/proc/50/net/tcp", CONF])
def test_listeners_that_cannot_be_read(tmp_path, denied):
    errors = json.dumps([[denied, "EACCES"]])
    content = {**daemon(), CONF: "", "/ERRORS.json": errors}
    root = build(tmp_path, content)
    assert run("libvirt_not_exposed", root).status is UNKNOWN


@pytest.mark.parametrize(("port", "status"), [(16509, FAIL), (22, UNKNOWN)])
def test_a_daemon_in_a_container_whose_files_are_out_of_sight(
    tmp_path, port, status
):
    """Its configuration is not the one here; the default port still tells."""
    other = "40 1 0:9 / / rw - overlay overlay rw\n"
    content = {
        **daemon((ANY, port, 1)),
        "/proc/50/mountinfo": other,
        CONF: 'tcp_port = "17000"\n',
    }
    root = build(tmp_path, content)
    os.utime(tmp_path / CONF.lstrip("/"), (1, 1))
    assert run("libvirt_not_exposed", root).status is status


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


def test_the_guest_that_is_open_is_named(tmp_path):
    content = {**GOOD, **guest(71, "-vnc", ":1")}
    result = run("console_encrypted", build(tmp_path, content))
    assert result.status is FAIL
    assert result.reason == "open to the network: vm71"
    assert result.evidence[0] == "/proc/71/cmdline: vnc :1, open (vm71)"


VNC = {"enabled": True, "server_listen": "10.0.0.1"}
NONE = {"enabled": False, "server_listen": "10.0.0.1"}


@pytest.mark.parametrize(
    ("groups", "text", "status"),
    [
        ({}, "", PASS),
        ({"vnc": NONE}, "", PASS),
        ({"vnc": VNC}, "", FAIL),
        ({"vnc": VNC}, "vnc_tls = 1\n", FAIL),
        ({"vnc": VNC}, "vnc_tls_x509_verify = 1\n", FAIL),
        ({"vnc": VNC}, "vnc_tls = 1\nvnc_tls_x509_verify = 0\n", FAIL),
        ({"vnc": VNC}, "vnc_tls = 1\nvnc_tls_x509_verify = 1\n", PASS),
        ({"vnc": VNC}, "vnc_tls = 1\ndefault_tls_x509_verify = 1\n", PASS),
        (
            {"vnc": VNC},
            "vnc_tls = 1\ndefault_tls_x509_verify = 1\n"
            "vnc_tls_x509_verify = 0\n",
            FAIL,
        ),
        ({"vnc": VNC}, "vnc_tls = 1\nvnc_sasl = 1\n", PASS),
        ({"vnc": VNC}, 'vnc_tls = 1\nvnc_password = "x"\n', PASS),
        ({"vnc": VNC}, 'vnc_sasl = 1\nvnc_password = "x"\n', FAIL),
        ({"spice": VNC}, "", FAIL),
        (
            {"vnc": VNC, "spice": VNC},
            "vnc_tls = 1\nvnc_tls_x509_verify = 1\n",
            FAIL,
        ),
    ],
)
def test_without_a_guest_the_settings_are_what_there_is(
    tmp_path, groups, text, status
):
    content = {
        **WHOLE,
        **process(1, "/sbin/init"),
        **facts(consoles=groups),
        "/etc/libvirt/qemu.conf": text,
    }
    result = run("console_encrypted", build(tmp_path, content))
    assert result.status is status
    assert "no guest is running" in result.reason


def test_without_a_guest_and_without_all_processes(tmp_path):
    content = {**process(1, "/sbin/init"), **facts()}
    root = build(tmp_path, content)
    assert run("console_encrypted", root).status is UNKNOWN
    gone = libvirt.NoLibvirt("it is not there")
    assert run("console_encrypted", root, libvirt=gone).status is UNKNOWN


@pytest.mark.parametrize("name", ["guest_cage", "console_encrypted"])
@pytest.mark.parametrize(
    ("left_out", "status"), [("", PASS), ("/proc/2/comm", UNKNOWN)]
)
def test_guests_that_neither_procfs_nor_libvirt_shows(
    tmp_path, name, left_out, status
):
    """A guest that is seen is not all there is, in a PID namespace."""
    content = {key: text for key, text in GOOD.items() if key != left_out}
    result = run(name, build(tmp_path, content))
    assert result.status is status
    if status is UNKNOWN:
        assert result.reason == "neither libvirt nor /proc shows all guests"
        assert "PID namespace" in result.remediation


@pytest.mark.parametrize("name", ["migration_encrypted", "guest_cage"])
def test_daemons_that_end_while_they_are_looked_at(
    tmp_path, monkeypatch, name
):
    """The next one reads what is there: it is judged, and not nobody."""
    content = {
        **daemon(),
        **facts(),
        "/etc/libvirt/qemu.conf": "seccomp_sandbox = 0\n",
    }
    root = build(tmp_path, content)
    read = HostRoot.peek

    def gone(self, path):
        if path == "/proc/50/mountinfo":
            shutil.rmtree(tmp_path / "proc/50", ignore_errors=True)
        return read(self, path)

    monkeypatch.setattr(HostRoot, "peek", gone)
    assert run(name, root).status is FAIL

# SPDX-License-Identifier: Apache-2.0
"""Parsers for texts of the kernel, systemd and QEMU."""

import os
import re
import socket

import pytest

from nova_vhard.host import module_parameters
from nova_vhard.host.cpu import cpu_threads, guest_cpus, vulnerabilities
from nova_vhard.host.cpu.vulnerabilities import State
from nova_vhard.host.host import Host
from nova_vhard.host.iommu import interrupts
from nova_vhard.host.libvirt import listeners, socket_units
from nova_vhard.host.libvirt.socket_units import Units
from nova_vhard.host.qemu import consoles
from nova_vhard.host.root import HostRoot, Unreadable
from tests.trees import build
from tests.unit.host.hardened import ANY, tcp

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
        # A reset, and the addresses after it.
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
        # The first drop-in with a name masks the others.
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
        # Drop-ins for several units.
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
        # Encryption does not authenticate the client.
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
        # A tenant chooses the command line of a kernel.
        (("-append", "-vnc", "-device", "x"), []),
        (("-append", "-append", "-vnc", ":0"), [False]),
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
        # QEMU uses the host of a single address, otherwise all addresses.
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


FUNCTION = "/sys/bus/pci/devices/0000:00:00.2"
IOMMU = {f"{FUNCTION}/class": "0x080600\n"}
CARD = {f"{FUNCTION}/class": "0x020000\n"}
KINDS = ("remapped", "translated", "direct", "strange")


@pytest.mark.parametrize(
    ("line", "more", "kind"),
    [
        ("PCI-MSI-0000:00:00.2 0-edge AMD-Vi", IOMMU, ""),
        # On older kernels, the number has domain, bus, device and function.
        ("PCI-MSI 4096-edge AMD-Vi", IOMMU, ""),
        # The driver chooses the name of the action.
        ("PCI-MSI-0000:00:00.2 0-edge AMD-Vi", CARD, "direct"),
        ("PCI-MSI 4096-edge AMD-Vi", CARD, "direct"),
        ("PCI-MSI 6144-edge AMD-Vi", IOMMU, "direct"),
        ("PCI-MSI-0000:00:00.2 0-edge eth0", IOMMU, ""),
        ("PCI-MSI-0000:00:05.0 0-edge AMD-Vi", IOMMU, "direct"),
        ("PCI-MSI-edge AMD-Vi", IOMMU, "direct"),
        ("IR-PCI-MSIX-0000:00:00.2 1-edge eth", CARD, "remapped"),
        ("IR-IO-APIC 2-edge timer", {}, "remapped"),
        ("IO-APIC 2-edge timer", {}, "direct"),
        ("IO-APIC-edge timer", {}, "direct"),
        ("DMAR-MSI 0-edge dmar0", {}, ""),
        ("HPET-MSI 0-edge hpet0", {}, ""),
        ("IOMMU-MSI 368-edge AMD-Vi0-Evt", {}, ""),
        ("ITS-PCI-MSIX-0000:00:02.0 0 Edge pciehp", {}, "translated"),
        ("ITS-MSI 16384 Edge nvme0q0", {}, "translated"),
        ("ITS-pMSI 0 Edge x", {}, "translated"),
        ("GICv2m-PCI-MSIX-0000:00:02.0 0 Edge pciehp", {}, "direct"),
        ("MSI 16384 Edge nvme0q0", {}, "direct"),
        ("HV-PCI-MSIX-0001:00:02.0 0-edge mlx5", {}, "strange"),
        # Before Linux 6.17, and since then.
        ("VMD-MSI 0-edge nvme0q0", {}, ""),
        ("VMD-PCI-MSIX-10000:e1:00.0 0-edge nvme0q0", {}, ""),
        (f"PCI-MSI {'9' * 5000}-edge eth0", {}, "direct"),
        ("PCI-MSI ²-edge eth0", {}, "direct"),
        # Unknown controllers with several words in their names.
        ("Hyper-V PCIe MSI 540528640-edge mlx5", {}, "strange"),
        ("X-Gene1 MSI 5 Edge eth0", {}, "strange"),
        ("GICv3 27 Level an MSI driver", {}, ""),
        ("xen-pirq -ioapic-edge i8042", {}, ""),
        ("GICv3 27 Level arch_timer", {}, ""),
    ],
)
def test_a_line(tmp_path, line, more, kind):
    text = f"   CPU0 CPU1\n 24:  0  7  {line}\nLOC: 1 2 Local PCI-MSI\n"
    root = HostRoot(build(tmp_path, {"/proc/interrupts": text} | more))
    lines = interrupts.read(root)
    found = {name: len(getattr(lines, name)) for name in KINDS}
    assert found == {name: name == kind for name in KINDS}


def test_the_last_line_of_a_machine_with_many_processors(tmp_path):
    columns = "          0" * 512
    text = "".join(
        f"{number:4}:{columns}  IR-PCI-MSIX-0000:01:00.0 0-edge x\n"
        for number in range(300)
    )
    last = f" 300:{columns}  PCI-MSIX-0000:02:00.0 0-edge y\n"
    root = HostRoot(build(tmp_path, {"/proc/interrupts": text + last}))
    lines = interrupts.read(root)
    assert (len(lines.remapped), len(lines.direct)) == (300, 1)


PLACE = "/etc/modprobe.d/vfio.conf"
BUILT_IN = {
    "/proc/sys/kernel/osrelease": "6.8.0\n",
    "/lib/modules/6.8.0/modules.builtin": "kernel/a.ko\nkernel/x/m-x.ko\n",
}


@pytest.mark.parametrize(
    ("cmdline", "more", "on"),
    [
        ("m_x.unsafe=1", {}, True),
        ("m_x.unsafe=on", {}, True),
        ("m_x.unsafe=yes", {}, True),
        ("m_x.unsafe=T", {}, True),
        ("m_x.unsafe=enable", {}, True),
        ("m_x.unsafe=E", {}, True),
        ("m_x.unsafe=oN", {}, True),
        ("m_x.unsafe=disable", {}, False),
        ("m_x.unsafe=false", {}, False),
        # The kernel refuses these.
        ("m_x.unsafe=o", {}, False),
        ("m_x.unsafe=", {}, False),
        ("m_x.unsafe=2", {}, False),
        ("m_x.unsafe", {}, True),
        ("m-x.un-safe m-x.unsafe", {}, True),
        ('"m_x.unsafe=1"', {}, True),
        ("m_x.unsafe=off", {}, False),
        ("m_x.unsafe=of", {}, False),
        ("m_x.unsafe=0 m_x.unsafe=N", {}, False),
        ("m_x.unsafely=1 xm_x.unsafe=1", {}, False),
        ('a="b m_x.unsafe=1"', {}, False),
        # The arguments after "--" are for init.
        ("quiet -- m_x.unsafe=1", {}, False),
        ("", {PLACE: "options m-x unsafe=1\n"}, True),
        ("", {PLACE: "options m_x a=0 \\\n  unsafe\n"}, True),
        ("", {PLACE: "options m_x unsafe=enable\n"}, True),
        ("", {PLACE: "options m_x unsafe=0\n# options m_x unsafe=1"}, False),
        ("", {PLACE: "options m_y unsafe=1\n"}, False),
        ("", {"/etc/modprobe.d/x": "options m_x unsafe=1\n"}, False),
        ("", {"/usr/lib/modprobe.d/a.conf": "options m_x unsafe=1\n"}, True),
        # The first file with a name counts, even if it is empty.
        (
            "",
            {
                PLACE: "-> /dev/null",
                "/usr/lib/modprobe.d/vfio.conf": "options m_x unsafe=1\n",
            },
            False,
        ),
        (
            "",
            {PLACE: "install m_x /sbin/modprobe -i m_x unsafe=1\n"},
            True,
        ),
        (
            "",
            {PLACE: "install m_x /bin/sh -c 'modprobe -i m_x unsafe=1;:'\n"},
            True,
        ),
        (
            "",
            {PLACE: 'install m_x sh -c "modprobe -i m_x unsafe=0 a=1"\n'},
            False,
        ),
        # modprobe does not configure built-in modules.
        ("", {PLACE: "options m_x unsafe=1\n", **BUILT_IN}, False),
        ("", {PLACE: "options m_y unsafe=1\n", **BUILT_IN}, False),
        ("m_x.unsafe=1", BUILT_IN, True),
        (
            "",
            {
                PLACE: "options m_x unsafe=1\n",
                **BUILT_IN,
                "/proc/sys/kernel/osrelease": "6.9.0\n",
            },
            True,
        ),
        ("", {"/sys/module/m_x/parameters/unsafe": "Y\n"}, True),
        ("", {"/sys/module/m_x/parameters/unsafe": "N\n"}, False),
    ],
)
def test_a_parameter(tmp_path, cmdline, more, on):
    content = {"/proc/cmdline": f"{cmdline}\n", "/dev/null": ""} | more
    root = HostRoot(build(tmp_path, content))
    assert module_parameters.is_on(root, "m_x", "unsafe") is on
    assert bool(root.evidence.lines()) >= on


def test_a_configuration_that_cannot_be_read_is_no_answer(tmp_path):
    content = {
        "/proc/cmdline": "",
        PLACE: "options m_x unsafe=1",
        "/ERRORS.json": '[["/etc/modprobe.d", "EACCES"]]',
    }
    root = HostRoot(build(tmp_path, content))
    with pytest.raises(Unreadable):
        module_parameters.is_on(root, "m_x", "unsafe")


@pytest.mark.parametrize(
    ("text", "apart", "state"),
    [
        ("Not affected", False, State.CLOSED),
        ("Mitigation: CSV2, BHB", False, State.CLOSED),
        ("Mitigation: CSV2, but not BHB", False, State.OPEN),
        ("KVM: Mitigation: VMX disabled", False, State.CLOSED),
        ("Processor vulnerable", False, State.OPEN),
        ("Vulnerable: Clear CPU buffers attempted, no microcode", 0, "open"),
        ("Mitigation: Clear CPU buffers; SMT vulnerable", False, State.OPEN),
        ("Mitigation: Clear CPU buffers; SMT vulnerable", True, State.CLOSED),
        ("Vulnerable; SMT vulnerable", True, State.OPEN),
        (
            "Mitigation: Clear CPU buffers; SMT Host state unknown",
            True,
            State.UNKNOWN,
        ),
        ("Unknown: Dependent on hypervisor status", False, State.UNKNOWN),
        ("Mitigation: Retpolines; BHI: Vulnerable, KVM: SW loop", 0, "closed"),
        ("Mitigation: Retpolines; BHI: Vulnerable", False, State.OPEN),
        # spectre_v2_user=off: no barrier between two guests
        ("Mitigation: Retpolines; IBPB: disabled; RSB filling", 0, "open"),
        ("Mitigation: Retpolines; IBPB: conditional", False, State.CLOSED),
        # kernels before 6.6
        ("Mitigation: safe RET, no microcode", True, State.OPEN),
        # tsa=user: buffers are not cleared when a guest exits
        ("Mitigation: Clear CPU buffers: user/kernel boundary", 0, "open"),
        ("Mitigation: Clear CPU buffers: VM", False, State.CLOSED),
        # indirect_target_selection=vmexit: guests need no mitigation
        ("Mitigation: Vulnerable, KVM: Not affected", False, State.CLOSED),
        ("Vulnerable, KVM: Not affected", False, State.CLOSED),
        ("Vulnerable, KVM: Vulnerable", False, State.OPEN),
        # gather_data_sampling=force: AVX, which leaks the data, is disabled
        ("Mitigation: AVX disabled, no microcode", False, State.CLOSED),
        ("Something new", False, State.UNKNOWN),
        ("", False, State.UNKNOWN),
        # The text does not mention the barrier between guests.
        *(
            (text, None, state)
            for text, state in (
                # the processor or the outer hypervisor has no barrier
                ("Mitigation: Retpolines; STIBP: disabled", State.OPEN),
                ("Mitigation: Full generic retpoline", State.OPEN),
                (
                    "Mitigation: Enhanced / Automatic IBRS; RSB filling",
                    State.OPEN,
                ),
                ("Mitigation: LFENCE", State.OPEN),
                ("Mitigation: Retpolines; IBPB: disabled", State.OPEN),
                ("Mitigation: Retpolines; IBPB: always-on", State.CLOSED),
                # kernels before 4.19
                (
                    "Mitigation: Full generic retpoline, IBPB, IBRS_FW",
                    State.CLOSED,
                ),
                # other architectures, which have no such barrier
                ("Mitigation: CSV2, BHB", State.CLOSED),
                ("Mitigation: Software count cache flush", State.CLOSED),
                ("Mitigation: execute trampolines", State.CLOSED),
                ("Not affected", State.CLOSED),
            )
        ),
    ],
)
def test_the_kernels_words(text, apart, state):
    """The state of mds, or of spectre_v2, where SMT does not matter."""
    name = "spectre_v2" if apart is None else "mds"
    assert vulnerabilities.state(name, text, bool(apart)) is State(state)


def test_retbleed_needs_no_barrier_of_its_own():
    found = vulnerabilities.state("retbleed", "Mitigation: IBRS")
    assert found is State.CLOSED


def test_a_list_that_is_longer_than_any_kernels():
    """The parser would take minutes to expand the list."""
    with pytest.raises(ValueError, match="more processors"):
        cpu_threads.cpu_set("0-99999," * 60_000)


def test_a_process_that_lists_no_processors_is_not_judged(monkeypatch):
    """A missing list must not be taken for a list of no processors."""
    root = HostRoot()
    (listed,) = guest_cpus._of_process(root, str(os.getpid()))
    assert cpu_threads.cpu_set(listed) >= os.sched_getaffinity(0)
    monkeypatch.setattr(guest_cpus, "_ALLOWED", re.compile("another word"))
    with pytest.raises(Unreadable, match="lists no processors"):
        guest_cpus._of_process(root, str(os.getpid()))

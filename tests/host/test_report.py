# SPDX-License-Identifier: Apache-2.0
"""Every check on this machine, with a guest that runs."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
from xml.etree import ElementTree

import pytest

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.host.libvirt.libvirt import LiveLibvirt, VirshLibvirt
from nova_vhard.host.root import Unreadable
from tests import elf_files
from tests.host import daemon
from tests.host.reporter import Reporter

CONFINING = {"selinux", "apparmor"}
DEVICES = pathlib.Path("/sys/bus/pci/devices")


@pytest.fixture
def capabilities(libvirtd):
    with contextlib.closing(libvirtd.connect()) as connection:
        return ElementTree.fromstring(connection.getCapabilities())


@pytest.fixture
def confined(capabilities):
    """Return PASS if libvirt has a driver that confines guests, or FAIL."""
    models = capabilities.iterfind("host/secmodel/model")
    found = CONFINING & {each.text for each in models}
    return "PASS" if found else "FAIL"


def text(result):
    return "\n".join([result["reason"], *result["evidence"]])


@pytest.mark.parametrize("name", CHECKS)
def test_there_is_evidence_or_what_could_not_be_read(results, name):
    result = results[name]
    assert "the check failed" not in result["reason"]
    if result["status"] == "UNKNOWN":
        assert re.search(r"/\w+|libvirt", text(result)), result
    else:
        assert result["evidence"], result
    bad = result["status"] in ("FAIL", "UNKNOWN")
    assert bool(result["remediation"]) == bad


def test_the_emulators_are_those_that_libvirt_names(results, capabilities):
    named = {
        each.text for each in capabilities.iterfind("guest/arch/emulator")
    }
    assert "/usr/bin/qemu-system-x86_64" in named
    pattern = re.compile(r"^(\S+/qemu-system-\w+)[: ]", re.MULTILINE)
    checks = [name for name in CHECKS if name.startswith("qemu_")]
    shown = {
        name: set(pattern.findall("\n".join(results[name]["evidence"])))
        for name in checks
    }
    assert shown == dict.fromkeys(checks, named)


def test_the_guest_is_found_in_procfs(results, guest):
    (line,) = [x for x in results["mac_guests"]["evidence"] if "(tiny)" in x]
    pid = re.match(r"/proc/(\d+)/", line)[1]
    command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    assert command[command.index(b"-uuid") + 1].decode() == guest


def test_known_results_of_this_machine(results, confined):
    assert list(results) == list(CHECKS)
    aslr = pathlib.Path("/proc/sys/kernel/randomize_va_space").read_text()
    expected = {
        "mac_guests": confined,
        "mac_confinement": confined,
        "kernel_aslr": "PASS" if aslr.strip() == "2" else "FAIL",
        # Nova is as the policy assumes, and does not use TLS.
        "nova_defaults": "PASS",
        "passthrough_disabled": "PASS",
        "migration_encrypted": "FAIL",
        # An ordinary build has too many devices.
        "qemu_minimal": "FAIL",
        "libvirt_not_exposed": "PASS",
    }
    assert {name: results[name]["status"] for name in expected} == expected
    omitted = "omit rtl8139: needed only for rtl8139 (vif_model)"
    assert omitted in results["qemu_minimal"]["evidence"]


def test_a_tpm_is_found_where_there_is_one(results):
    there = [each.name for each in pathlib.Path("/sys/class/tpm").glob("tpm*")]
    evidence = text(results["tpm_measured_boot"])
    assert all(each in evidence for each in there or ["there is no TPM"])


@pytest.mark.parametrize("kind", [LiveLibvirt, VirshLibvirt])
def test_a_live_libvirt(kind):
    """libvirt's own test driver always has one guest."""
    asked = kind("test:///default")
    (result,) = asked.running()
    assert (result.name, len(result.uuid)) == ("test", 36)
    assert asked.capabilities().tag == "capabilities"
    with pytest.raises(Unreadable, match="nowhere") as caught:
        kind("qemu+unix:///system?socket=/nowhere").running()
    assert "Start libvirtd" in caught.value.step


# Hosts that are broken on purpose.

VNC = "<graphics type='vnc' listen='{}' port='{}'/>"
#: Lines of qemu.conf, and the evidence of guest_cage about such a guest.
OPEN = """\
seccomp_sandbox = 0
user = "root"
group = "root"
clear_emulator_capabilities = 0
namespaces = []
"""
LACKS = (
    "runs as root",
    "has capabilities",
    "has no system call filter",
    "has no own mount namespace",
)


DEVICES_GROUP = pathlib.Path("/sys/fs/cgroup/devices")


@contextlib.contextmanager
def closed_devices(pid):
    """Close the devices of a process, where version 1 of cgroups has them."""
    if not DEVICES_GROUP.is_dir():
        yield
        return
    group = DEVICES_GROUP / f"nova-vhard-{pid}"
    group.mkdir()
    try:
        (group / "devices.deny").write_text("a")
        (group / "devices.allow").write_text("c 1:3 rwm")
        (group / "cgroup.procs").write_text(pid)
        yield
    finally:
        (DEVICES_GROUP / "cgroup.procs").write_text(pid)
        group.rmdir()


def test_a_guest_as_it_should_be(reporter, libvirtd, results):
    said = text(results["guest_cage"])
    assert "CapEff 0000000000000000, NoNewPrivs 1, Seccomp 2" in said
    assert "mountinfo: own mount namespace" in said
    pid = re.search(r"/proc/(\d+)/status: .*\(tiny\)", said)[1]
    with closed_devices(pid):
        caged = reporter.check()["guest_cage"]
    assert caged["status"] == "PASS", caged
    libvirtd.start("shown", devices=VNC.format("127.0.0.1", 5977))
    try:
        result = reporter.check()["console_encrypted"]
    finally:
        libvirtd.end("shown")
    assert result["status"] == "PASS"
    assert "(shown)" in text(result) and "vnc 127.0.0.1:77, " in text(result)


def test_a_host_that_is_open(place):
    """One guest, its console and libvirt's daemon lack all protection."""
    folder = place / "open"
    folder.mkdir()
    (folder / "qemu.conf").write_text(OPEN)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mounts = {"/etc/libvirt/qemu.conf": folder / "qemu.conf"}
    host = daemon.Libvirt(folder / "libvirt", mounts, tcp_port=port)
    with host:
        devices = VNC.format("0.0.0.0", 5978)
        host.start("loose", "<seclabel type='none'/>", devices=devices)
        answer = Reporter(folder / "reporter", host.uri).check()
    for name, *said in (
        ("guest_cage", "(loose)", *LACKS),
        ("mac_guests", "(loose)"),
        ("console_encrypted", "(loose)", "vnc 0.0.0.0:78, "),
        ("libvirt_not_exposed", f"0.0.0.0 port {port}"),
    ):
        shown = text(answer[name])
        assert answer[name]["status"] == "FAIL", answer[name]
        assert [part for part in said if part not in shown] == []


class Unprivileged(Reporter):
    """A reporter without capabilities, which cannot read what root can."""

    def command(self, *words):
        """Return the command line of a subcommand."""
        return [
            *("setpriv", "--bounding-set=-all", "--inh-caps=-all"),
            *super().command(*words),
        ]


def test_a_binary_that_was_replaced(reporter, libvirtd, place):
    """It had neither RELRO nor NX; the one in its place is good."""
    weak, good = place / "replaced" / "qemu-weak", place / "replaced" / "good"
    weak.parent.mkdir()
    for path in (weak, good):
        shutil.copy("/usr/bin/qemu-system-x86_64", path)
    elf_files.change_header(weak, elf_files.PT_GNU_STACK, flags=7)
    elf_files.change_header(weak, 0x6474E552, type=elf_files.PT_NULL)
    libvirtd.start("old", devices=f"<emulator>{weak}</emulator>")
    try:
        os.replace(good, weak)
        result = reporter.check()
        theirs = Unprivileged(place / "user", libvirtd.uri).check()
    finally:
        libvirtd.end("old")
    for name in ("qemu_relro", "qemu_nx"):
        assert f"{weak} (deleted) (guest old, process " in text(result[name])
        # Only root can open a file that no longer has a name.
        said = result[name]["status"], theirs[name]["status"]
        assert said == ("FAIL", "UNKNOWN"), theirs[name]


def test_a_device_that_is_offered(place, libvirtd):
    """Each PCI device of this machine; or one that is not there."""
    offering = Reporter(place / "offering", libvirtd.uri)
    there = sorted(each.name for each in DEVICES.glob("*"))
    address = there[-1] if there else "0000:ff:1f.7"
    offering.facts({"address": address})
    result = offering.check()
    said = address if there else "matches no device of this host"
    assert said in text(result["passthrough_isolated"])
    if there:
        groups = DEVICES / address / "iommu_group"
        assert (result["iommu"]["status"] == "FAIL") >= (not groups.exists())
        assert address in text(result["passthrough_disabled"])

# SPDX-License-Identifier: Apache-2.0
"""Guests as procfs and libvirt show them: real processes, a real libvirt."""

import contextlib
import datetime
import importlib.util
import os
import shutil
import subprocess
from xml.etree import ElementTree

import pytest

from nova_vhard.host import guests, report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import domains
from nova_vhard.host.libvirt import libvirt as library
from nova_vhard.host.libvirt.libvirt import (
    CapturedLibvirt,
    LiveLibvirt,
    VirshLibvirt,
    of_tree,
)
from nova_vhard.host.root import HostRoot, Unreadable
from tests.trees import build
from tests.unit.host import mac_trees

UUID = "a979368e-e466-4c94-8d47-9c6b625d612c"


@contextlib.contextmanager
def process(tmp_path, *words):
    """Run a process whose file has an emulator's name."""
    program = tmp_path / "qemu-system-x86_64"
    shutil.copy(shutil.which("sleep"), program)
    command = ["renamed", "60", *words]
    running = subprocess.Popen(
        command, executable=program, stderr=subprocess.DEVNULL
    )
    try:
        yield str(running.pid)
    finally:
        running.kill()
        running.wait()


def test_a_live_process_is_known_by_its_file(tmp_path):
    with process(tmp_path) as pid:
        result = {each.pid: each for each in guests.table(Host()).guests}
        assert result[pid].name == f"process {pid}"
        # A kernel without a security module has no labels: that is said.
        assert result[pid].label or "attr/current: " in result[pid].trouble
    assert pid not in {each.pid for each in guests.table(Host()).guests}


class Changing(HostRoot):
    """A host on which something happens before a guest's label is read."""

    happens = None

    def peek(self, path):
        if path.endswith("/attr/current") and self.happens:
            happens, self.happens = self.happens, None
            happens()
        return super().peek(path)


def command(name):
    return f"/usr/bin/qemu-kvm\0-name\0guest={name},x=y\0-uuid\0{UUID}\0"


TREE = {
    "/proc/7/cmdline": command("first"),
    "/proc/7/attr/current": "label\0",
    "/proc/self": "-> 7",
}


def test_a_guest_that_ends_meanwhile_is_none(tmp_path):
    root = Changing(build(tmp_path, TREE))
    root.happens = lambda: shutil.rmtree(tmp_path / "proc/7")
    assert guests.table(Host(root)) == guests.Table(())


def test_a_process_that_becomes_another_is_read_again(tmp_path):
    """Its PID is reused by another guest."""
    root = Changing(build(tmp_path, TREE))
    root.happens = lambda: build(
        tmp_path, {"/proc/7/cmdline": command("second")}
    )
    (guest,) = guests.table(Host(root)).guests
    assert (guest.name, guest.uuid, guest.label) == ("second", UUID, "label")


@pytest.mark.parametrize(
    ("users", "counts"),
    [
        ("0 0 0 0", True),
        ("1000 1000 1000 1000", False),
        # set-user-ID, by a user who has picked its words
        ("1000 0 0 0", False),
        # root in a container of a user's own
        ("100000 100000 100000 100000", False),
        # A capture that has kept no status.
        (None, True),
    ],
)
@pytest.mark.parametrize("name", ["libvirtd", "virtqemud", "libvirt_lxc"])
def test_a_daemon_of_libvirt_is_one_that_root_runs(
    tmp_path, name, users, counts
):
    files = {"/proc/7/cmdline": f"/tmp/{name}\0", "/proc/7/comm": f"{name}\n"}
    if users:
        files["/proc/7/status"] = f"Name:\t{name}\nUid:\t{users}\nGid:\t0\n"
    root = HostRoot(build(tmp_path, files))
    if name == "libvirt_lxc":
        error = pytest.raises(Unreadable, match="is a container")
        with error if counts else contextlib.nullcontext():
            assert guests.table(Host(root)) == guests.Table(())
    else:
        found = [("7", name)] if counts else []
        assert [*guests.daemon_pids(root)] == found


SECMODEL = """
<capabilities><host>
  <secmodel><model>{}</model><baselabel type='kvm'>{}</baselabel></secmodel>
</host></capabilities>
"""
NUMBERS = ("dac", "+64055:+64055")


@pytest.mark.parametrize(
    ("said", "own", "user", "command", "seen"),
    [
        (NUMBERS, "", 64055, "qemu-kvm", True),
        (NUMBERS, "", 1000, "qemu-kvm", False),
        (NUMBERS, "", 1000, "qemu-kvm -machine q35", False),
        # As an administrator runs it without libvirt
        (NUMBERS, "", 0, "qemu-kvm", True),
        # Any user picks the words of a program such as sudo.
        (NUMBERS, "", 0, "sudo -machine q35", False),
        (("dac", "+0:+0"), "", 0, "wrapped -machine q35", True),
        # It was started before qemu.conf was changed, or has its own user.
        (NUMBERS, "+1000:+1000", 1000, "qemu-kvm", True),
        # libvirt does not say it, or not in numbers.
        (("selinux", "x"), "", 1000, "qemu-kvm", True),
        (("dac", "qemu:qemu"), "", 1000, "qemu-kvm", True),
        (NUMBERS, "a:a", 1000, "qemu-kvm", True),
        (None, "", 1000, "qemu-kvm", True),
    ],
)
def test_a_guest_is_one_that_a_user_of_libvirts_runs(
    tmp_path, said, own, user, command, seen
):
    """Any user may start a QEMU, and takes no host out of service so."""
    line = "\0".join((*command.split(), "-uuid", UUID, ""))
    domain = f"<domain><uuid>x</uuid><seclabel model='dac'><label>{own}"
    files = {
        "/proc/7/cmdline": line,
        "/proc/7/attr/current": "label",
        "/proc/7/status": f"Name:\tx\nUid:\t{user}\t{user}\t0\t0\n",
        "/CMD/virsh-list": "x\n",
        "/CMD/virsh-dumpxml-x": f"{domain}</label></seclabel></domain>",
    }
    if said:
        files["/CMD/virsh-capabilities"] = SECMODEL.format(*said)
    root = HostRoot(build(tmp_path, files))
    table = guests.table(Host(root, CapturedLibvirt(root)))
    assert bool(table.guests) is seen


@pytest.fixture
def walks(tmp_path, monkeypatch):
    """Return what lists processes, of this process and those it forks."""
    seen, real = tmp_path / "walks", os.listdir

    def listdir(path="."):
        if str(path).endswith("/proc"):
            with open(seen, "a") as file:
                file.write(f"{path}\n")
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    seen.touch()
    return lambda: seen.read_text().splitlines()


def test_one_walk_through_proc_a_round(tmp_path, walks):
    """By all checks, in a process of their own, on a host with guests."""
    root = HostRoot(str(mac_trees.apparmor("enforce", tmp_path)))
    for rounds in (1, 2):
        current = report.inspect(
            Host(HostRoot(root.root), CapturedLibvirt(root)),
            datetime.datetime.now(datetime.UTC),
            report.load(),
        )
        judged = {item.check: item.status for item in current.results}
        assert judged["mac_guests"] is Status.FAIL
        assert walks() == [f"{root.root}/proc"] * rounds


def test_a_guest_that_started_since_is_looked_for_again(tmp_path, walks):
    place = tmp_path / "host"
    root = HostRoot(build(place, {"/proc/2/comm": "kthreadd\n"}))
    assert (
        guests.table(Host(root))
        == guests.table(Host(root))
        == guests.Table(())
    )
    assert len(walks()) == 1
    build(place, TREE)
    assert not guests.table(Host(root)).guests
    (guest,) = guests.table(Host(root), having={UUID}).guests
    assert (guest.uuid, len(walks())) == (UUID, 2)


def test_what_a_user_may_write_is_not_taken_for_an_option(tmp_path):
    evil = "-append\0-machine\0none\0-uuid\0x\0"
    content = {
        **TREE,
        "/proc/7/cmdline": f"{command('a')}-machine\0q35,x=y\0{evil}",
    }
    (guest,) = guests.table(Host(HostRoot(build(tmp_path, content)))).guests
    assert guest.uuid == UUID


def test_daemons_are_named_with_their_labels(tmp_path):
    content = {
        "/proc/5/cmdline": "/usr/sbin/virtqemud\0--timeout\0120\0",
        "/proc/5/attr/current": "system_u:system_r:virtqemud_t:s0\0",
        "/proc/6/cmdline": "/usr/sbin/libvirtd\0",
    }
    root = HostRoot(build(tmp_path, content))
    assert list(guests.daemons(root)) == [
        "/proc/5/attr/current: system_u:system_r:virtqemud_t:s0 (virtqemud)"
    ]


XML = """
<domain>
  <name>a</name><uuid>A979368E-E466-4C94-8D47-9C6B625D612C</uuid>
  <devices>
    <disk type='file' device='disk'>
      <source file='/i/disk'/>
      <backingStore type='file'>
        <source file='/i/_base/1'/>
        <backingStore/>
      </backingStore>
    </disk>
    <disk type='block' device='disk'>
      <source dev='/dev/dm-1'/><shareable/>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='rbd' name='vms/x'/>
    </disk>
    <disk type='file' device='cdrom'><readonly/></disk>
    <disk type='file' device='cdrom'>
      <source file='/i/cd'/><readonly/>
    </disk>
  </devices>
  <seclabel type='dynamic' model='selinux'><label>l</label></seclabel>
  <seclabel type='none' model='dac'/>
</domain>
"""


def test_a_domain():
    assert domains.parse(ElementTree.fromstring(XML)) == domains.Domain(
        UUID,
        "a",
        {"selinux": "l", "dac": ""},
        (
            domains.Disk("/i/disk"),
            domains.Disk("/i/_base/1", readonly=True),
            domains.Disk("/dev/dm-1", block=True, shareable=True),
            domains.Disk("/i/cd", readonly=True),
        ),
        elsewhere=1,
    )


def test_a_capture_without_a_list_knows_nothing_of_guests(tmp_path):
    root = build(tmp_path, {f"/CMD/virsh-dumpxml-{UUID}": XML})
    with pytest.raises(Unreadable, match="virsh-list"):
        CapturedLibvirt(HostRoot(root)).running()
    build(tmp_path, {"/CMD/virsh-list": f"{UUID}\n\n"})
    (result,) = CapturedLibvirt(HostRoot(root)).running()
    assert result.name == "a"


UNREACHABLE = "qemu+unix:///system?socket=/nowhere"


def test_without_any_client_of_libvirts(monkeypatch):
    monkeypatch.setattr(library, "_VIRSH", "/nowhere")
    with pytest.raises(Unreadable, match="nor virsh") as caught:
        VirshLibvirt(UNREACHABLE).running()
    assert "libvirt-clients" in caught.value.step


def test_libvirt_is_asked_by_what_is_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert isinstance(of_tree(HostRoot(), None), VirshLibvirt)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert isinstance(of_tree(HostRoot(), None), LiveLibvirt)


MORE = """
<domain>
  <name>a</name><uuid>u</uuid>
  <os><nvram type='file'><source file='/n/vars'/></nvram></os>
  <devices>
    <emulator>/opt/qemu</emulator>
    <disk type='file' device='disk'>
      <source file='/i/disk'>
        <dataStore type='file'><source file='/i/data'/></dataStore>
      </source>
      <mirror type='block' job='copy'><source dev='/dev/dm-9'/></mirror>
    </disk>
    <filesystem type='mount'>
      <driver type='virtiofs'/><source dir='/shared'/>
    </filesystem>
  </devices>
</domain>
"""


def test_whatever_a_guest_writes_is_an_image():
    result = domains.parse(ElementTree.fromstring(MORE))
    assert result.emulator == "/opt/qemu"
    assert result.disks == (
        domains.Disk("/i/disk"),
        domains.Disk("/i/data"),
        domains.Disk("/dev/dm-9", block=True),
        domains.Disk("/n/vars"),
        domains.Disk("/shared", folder=True),
    )
    old = MORE.replace(
        "<nvram type='file'><source file='/n/vars'/>", "<nvram>/v"
    )
    assert (
        domains.Disk("/v") in domains.parse(ElementTree.fromstring(old)).disks
    )

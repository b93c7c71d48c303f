# SPDX-License-Identifier: Apache-2.0
"""Guests and daemons, their mounts and files: real processes, a real libvirt.

The table of hosts is in cases/running.yaml.
"""

import contextlib
import datetime
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from unittest import mock
from xml.etree import ElementTree

import pytest

from nova_vhard.host import guests, report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import domains, libvirt, running
from nova_vhard.host.libvirt.libvirt import CapturedLibvirt, of_tree
from nova_vhard.host.root import HostRoot, Unreadable
from tests import elf_files
from tests.trees import build, capabilities
from tests.unit.guard.domains import until
from tests.unit.host import mac_trees
from tests.unit.host.hardened import QEMU, process
from tests.unit.host.test_cases import CHECKS

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
UUID = "a979368e-e466-4c94-8d47-9c6b625d612c"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@contextlib.contextmanager
def started(*words, **how):
    """Run a process, and yield its PID."""
    child = subprocess.Popen(words, **how)
    try:
        yield child.pid
    finally:
        child.kill()
        child.wait()


def test_a_live_process_is_known_by_its_file(tmp_path):
    program = tmp_path / "qemu-system-x86_64"
    shutil.copy(shutil.which("sleep"), program)
    with started("renamed", "60", executable=program) as number:
        pid = str(number)
        result = {each.pid: each for each in guests.table(Host()).guests}
        assert result[pid].name == f"process {pid}"
        # Without a security module there is no label, which is reported.
        assert result[pid].label or "attr/current: " in result[pid].trouble
    assert pid not in {each.pid for each in guests.table(Host()).guests}


class Changing(HostRoot):
    """A host on which a guest changes before its label is read.

    :ivar happens: new command line of the process; "" ends the process
    """

    happens = None

    def peek(self, path, *limit):
        if path.endswith("/attr/current") and self.happens is not None:
            line, self.happens = self.happens, None
            place = pathlib.Path(self.root, "proc/7")
            (place / "cmdline").write_text(line)
            if not line:
                shutil.rmtree(place)
        return super().peek(path, *limit)


def command(name):
    return f"/usr/bin/qemu-kvm\0-name\0guest={name},x=y\0-uuid\0{UUID}\0"


EVIL = "-machine\0q35,x=y\0-append\0-machine\0none\0-uuid\0x\0"
TREE = {
    "/proc/7/cmdline": command("first"),
    "/proc/7/attr/current": "label\0",
    "/proc/self": "-> 7",
}


@pytest.mark.parametrize(
    ("line", "happens", "found"),
    [
        (command("first"), "", []),
        # Its PID is reused by another guest.
        (command("first"), command("second"), [("second", UUID, "label")]),
        # Text that a user controls is not parsed as an option.
        (command("a") + EVIL, None, [("a", UUID, "label")]),
    ],
    ids=["ends while it is read", "becomes another", "evil words"],
)
def test_a_guest_by_its_command_line(tmp_path, line, happens, found):
    root = Changing(build(tmp_path, TREE | {"/proc/7/cmdline": line}))
    root.happens = happens
    table = guests.table(Host(root)).guests
    assert [(each.name, each.uuid, each.label) for each in table] == found


@pytest.mark.parametrize(
    ("users", "counts"),
    [
        ("0 0 0 0", True),
        ("1000 1000 1000 1000", False),
        # set-user-ID, started by a user who chose the arguments
        ("1000 0 0 0", False),
        # sudo, before it asks for a password
        ("0 0 0 0\nGid:\t1000 0 0 0", False),
        # root in a user's own container
        ("100000 100000 100000 100000", False),
        # A capture without the status file.
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
        (NUMBERS, "", (64055, 64055), "qemu-kvm", True),
        (NUMBERS, "", (1000, 1000), "qemu-kvm", False),
        (NUMBERS, "", (1000, 1000), "qemu-kvm -machine q35", False),
        # Started by an administrator without libvirt.
        (NUMBERS, "", (0, 0), "qemu-kvm", True),
        # Any user can choose the arguments of a program such as sudo.
        (NUMBERS, "", (0, 0), "sudo -machine q35", False),
        # sudo by another name: it is root's before it asks for a password.
        (NUMBERS, "", (0, 1000), "qemu-kvm -machine q35", False),
        (("dac", "+0:+0"), "", (0, 0), "wrapped -machine q35", True),
        # The guest is older than a change of qemu.conf, or has its own user.
        (NUMBERS, "+1000:+1000", (1000, 1000), "qemu-kvm", True),
        # libvirt does not report the user, or not as a number.
        (("selinux", "x"), "", (1000, 1000), "qemu-kvm", True),
        (("dac", "qemu:qemu"), "", (1000, 1000), "qemu-kvm", True),
        (NUMBERS, "a:a", (1000, 1000), "qemu-kvm", True),
        (None, "", (1000, 1000), "qemu-kvm", True),
    ],
)
def test_a_guest_is_one_that_a_user_of_libvirts_runs(
    tmp_path, said, own, user, command, seen
):
    """A user who starts QEMU must not be able to disable the host."""
    line = "\0".join((*command.split(), "-uuid", UUID, ""))
    domain = f"<domain><uuid>x</uuid><seclabel model='dac'><label>{own}"
    files = {
        "/proc/7/cmdline": line,
        "/proc/7/attr/current": "label",
        "/proc/7/status": "Uid:\t{0}\t{0}\t0\t0\nGid:\t{1}\t0\t0\t0\n".format(
            *user
        ),
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
    """Return a function that lists all readings of /proc by our processes."""
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
    """All checks run in their own process on a host with guests."""
    root = HostRoot(str(mac_trees.apparmor("enforce", tmp_path)))
    now = datetime.datetime.now(datetime.UTC)
    # Python 3.11 lists folders while the tree is laid.
    for rounds in range(len(walks()) + 1, len(walks()) + 3):
        host = Host(HostRoot(root.root), CapturedLibvirt(root))
        results = report.inspect(host, now, report.load()).results
        judged = {item.check: item.status for item in results}
        assert judged["mac_guests"] is FAIL
        assert len(walks()) == rounds


def test_a_guest_that_started_since_is_looked_for_again(tmp_path, walks):
    place = tmp_path / "host"
    root = HostRoot(build(place, {"/proc/2/comm": "kthreadd\n"}))
    tables = [guests.table(Host(root)) for _ in range(2)]
    assert (tables, len(walks())) == ([guests.Table(())] * 2, 1)
    build(place, TREE)
    assert not guests.table(Host(root)).guests
    (guest,) = guests.table(Host(root), having={UUID}).guests
    assert (guest.uuid, len(walks())) == (UUID, 2)


def test_daemons_are_named_with_their_labels(tmp_path):
    content = {
        "/proc/5/cmdline": "/usr/sbin/virtqemud\0--timeout\0120\0",
        "/proc/5/attr/current": "system_u:system_r:virtqemud_t:s0\0",
        "/proc/6/cmdline": "/usr/sbin/libvirtd\0",
        # Of any user, as are thousands more: a bounded part of it is kept.
        "/proc/7/cmdline": "/" + "x" * 300 + "\0y" * 500_000,
        "/proc/7/comm": "xxx\n",
    }
    root = HostRoot(build(tmp_path, content))
    assert (list(guests.daemons(root)), guests.processes(root)["7"]) == (
        ["/proc/5/attr/current: system_u:system_r:virtqemud_t:s0 (virtqemud)"],
        ("x" * 255, "xxx"),
    )


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
OLD = MORE.replace("<nvram type='file'><source file='/n/vars'/>", "<nvram>/v")


def test_a_domain():
    """Every file that a guest can write is an image."""
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
    for text, nvram in ((MORE, "/n/vars"), (OLD, "/v")):
        result = domains.parse(ElementTree.fromstring(text))
        assert result.emulator == "/opt/qemu"
        assert result.disks == (
            domains.Disk("/i/disk"),
            domains.Disk("/i/data"),
            domains.Disk("/dev/dm-9", block=True),
            domains.Disk(nvram),
            domains.Disk("/shared", folder=True),
        )


def test_a_capture_without_a_list_knows_nothing_of_guests(tmp_path):
    root = build(tmp_path, {f"/CMD/virsh-dumpxml-{UUID}": XML})
    with pytest.raises(Unreadable, match="virsh-list"):
        CapturedLibvirt(HostRoot(root)).running()
    build(tmp_path, {"/CMD/virsh-list": f"{UUID}\n\n"})
    (result,) = CapturedLibvirt(HostRoot(root)).running()
    assert result.name == "a"


def test_without_any_client_of_libvirts(monkeypatch):
    monkeypatch.setattr(libvirt, "_VIRSH", "/nowhere")
    with pytest.raises(Unreadable, match="nor virsh") as caught:
        libvirt.VirshLibvirt("qemu:///system").running()
    assert "libvirt-clients" in caught.value.step


def test_libvirt_is_asked_by_what_is_installed(monkeypatch):
    for find, kind in (
        ({}.get, libvirt.VirshLibvirt),
        (str, libvirt.LiveLibvirt),
    ):
        monkeypatch.setattr(importlib.util, "find_spec", find)
        assert isinstance(of_tree(HostRoot(), None), kind)


HERE = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
CONTAINER = "700 1 0:55 / / rw,relatime - overlay overlay rw\n"
BOUND = "701 700 254:1 /etc/libvirt /etc/libvirt rw - ext4 /dev/vda1 rw\n"
GOOD, WEAK = ("-fstack-protector-all",), ("-fno-stack-protector",)
WAITS = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"


def named(*paths):
    """Return a mock of libvirt that names emulators, and has no guest."""
    answer = ElementTree.fromstring(capabilities(*map(str, paths)))
    return mock.Mock(capabilities=lambda: answer, running=list)


def test_where_a_file_is_bound_into_a_container_it_is_the_same(tmp_path):
    content = {
        "/proc/1/mountinfo": HERE,
        **process(5, ["/usr/sbin/libvirtd"]),
        "/proc/5/mountinfo": CONTAINER + BOUND,
    }
    host = Host(HostRoot(build(tmp_path, content)))
    (target,) = running.Running(host).of_daemon("/etc/libvirt/qemu.conf")
    assert target.root is host.root


@pytest.mark.parametrize(
    ("mounts", "path", "expected"),
    [
        (HERE, "/usr/bin/x", ("254:1", "/usr/bin/x")),
        (HERE + BOUND, "/etc/libvirt/x", ("254:1", "/etc/libvirt/x")),
        (CONTAINER + BOUND, "/etc/libvirtd", ("0:55", "/etc/libvirtd")),
        ("1 0 0:9 /@ / rw - btrfs x rw\n", "/usr", ("0:9", "/@/usr")),
        (HERE + HERE.replace("254:1", "254:2"), "/a", ("254:2", "/a")),
        (
            HERE + r"2 1 8:1 / /a\040b rw - ext4 x rw",
            "/a b/c",
            ("8:1", "/c"),
        ),
        # A backslash that escapes nothing.
        (
            HERE + "23 22 8:2 / /a\\9\\040b\\777 rw - ext4 /dev/vdb rw\n",
            "/a\\9 b\\777/c",
            ("8:2", "/c"),
        ),
        ("", "/usr", None),
    ],
)
def test_places(tmp_path, mounts, path, expected):
    root = HostRoot(build(tmp_path, {"/proc/3/mountinfo": mounts}))
    assert running.place(running.mounts(root, "3"), path) == expected


@pytest.mark.parametrize(
    ("more", "status"),
    [({}, UNKNOWN), ({"/proc/2/comm": "kthreadd\n"}, PASS)],
    ids=["part", "whole"],
)
def test_without_a_whole_table_a_daemon_may_run_elsewhere(
    tmp_path, more, status
):
    good = elf_files.made(64, "<", [b"__stack_chk_fail", b"__memcpy_chk"])
    content = {QEMU: good, "/proc/1/mountinfo": HERE, **more}
    host = Host(HostRoot(build(tmp_path, content)), named(QEMU))
    assert CHECKS["qemu_canary"].run(host).status is status


def test_a_file_that_a_newer_link_leads_to(tmp_path):
    """A process that started before the link read another file."""
    place, path = tmp_path / "old.conf", tmp_path / "folder/qemu.conf"
    build(tmp_path, {"/old.conf": "", "/folder": None})
    first = running.changed(HostRoot(), str(place))
    time.sleep(0.05)
    links = {"/other": "-> folder", "/folder/qemu.conf": "-> ../old.conf"}
    build(tmp_path, links | {"/etc/x": "-> /old.conf"})
    made = os.lstat(path).st_ctime_ns / 1e9
    assert running.changed(HostRoot(), str(path)) == made > first
    way = str(tmp_path / "other/qemu.conf")
    assert running.changed(HostRoot(), way) >= made
    assert running.changed(HostRoot(), str(place)) == first
    # The time of a link in a copy is that of the copy.
    os.utime(place, (1, 1))
    assert running.changed(HostRoot(str(tmp_path)), "/etc/x") == 1


# Real processes on this machine.


@pytest.fixture
def put(tmp_path):
    """Return a function that compiles a program that waits."""

    def made(name, *flags):
        place = tmp_path / "bin" / name
        place.parent.mkdir(exist_ok=True)
        source = elf_files.LIBRARY + WAITS
        place.write_bytes(elf_files.compiled(*flags, source=source))
        place.chmod(0o755)
        return place

    return made


def test_what_a_daemon_read_and_is_gone(tmp_path):
    """It may have read one that confines nobody."""
    build(tmp_path, {"/qemu.conf": ""})
    time.sleep(0.1)
    newer = []
    with started("sleep", "60") as pid:
        for names in (
            ("qemu.conf", "other.conf"),
            ("qemu.conf", "none/qemu.conf"),
        ):
            for name in names:
                path, roots = str(tmp_path / name), (HostRoot(), HostRoot())
                newer.append(running.is_newer(*roots, str(pid), path))
            time.sleep(0.1)
            (tmp_path / "qemu.conf").unlink(missing_ok=True)
    assert newer == [False, False, True, False]


def runs(path, pid):
    """Wait until a process runs this program."""
    until(lambda: path.name in os.readlink(f"/proc/{pid}/exe"))


def live(path):
    host = Host(HostRoot(), named(path))
    result = CHECKS["qemu_canary"].run(host)
    return result, [fact for fact in result.evidence if str(path) in fact]


@as_root
def test_a_guest_on_a_file_that_was_replaced_on_disk(put):
    """Its loaded libraries are unknown; the current modules do not count."""
    path = put("qemu-system-x86_64", *WEAK)
    with started(str(path)) as pid:
        runs(path, pid)
        os.replace(put("new", *GOOD), path)
        result, evidence = live(path)
    assert result.status is FAIL
    assert result.reason.startswith("1 of QEMU's binaries")
    assert any("(deleted)" in fact and "not seen" in fact for fact in evidence)


CHECK = f"""
import sys
from {__name__} import live
result, facts = live(sys.argv[1])
print(result.status.value, *facts, sep="\\n")
"""
NAMESPACE = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]


@as_root
def test_a_guest_on_a_file_that_something_is_mounted_over(put):
    """The path leads to another file, which is older than the guest."""
    good, path = put("good", *GOOD), put("qemu-system-x86_64", *WEAK)
    script = (
        f"{path} & until readlink /proc/$!/exe | grep -q qemu-; do :; done; "
        f"mount --bind {good} {path}; {sys.executable} -c '{CHECK}' {path}; "
        "kill $!"
    )
    result = subprocess.check_output([*NAMESPACE, script], text=True)
    assert result.startswith(f"{FAIL.value}\n")
    assert re.search(r"\(guest.*not seen", result)


@as_root
def test_a_daemon_in_a_real_mount_namespace(put):
    path, daemon = put("qemu-system-x86_64", *GOOD), put("libvirtd", *GOOD)
    script = f"mount --bind {put('weak', *WEAK)} {path} && exec {daemon}"
    with started(*NAMESPACE, script) as pid:
        runs(daemon, pid)
        result, evidence = live(path)
    assert result.status is FAIL
    assert any("(libvirtd, process" in fact for fact in evidence)

# SPDX-License-Identifier: Apache-2.0
"""The cage of each QEMU, over captured guests and each thing that is open."""

import json
import re
import shutil

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.root import HostRoot
from tests import elf_files
from tests.trees import build
from tests.unit.host import mac_trees

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
CHECKS = {each.name: each for each in report.load()}

MOUNT = "{} 1 0:5 / / rw - ext4 /dev/vda rw\n"


def run(root, name="guest_cage", **more):
    place = HostRoot(str(root))
    more.setdefault("libvirt", libvirt.of_tree(place, None))
    result = CHECKS[name].run(Host(place, **more))
    assert "check failed" not in result.reason
    assert bool(result.remediation) == (result.status in (FAIL, UNKNOWN))
    return result


@pytest.fixture
def root(tmp_path):
    """Return a captured host; its guests have mounts of their own."""
    tree = mac_trees.apparmor("enforce", tmp_path)
    for number, place in enumerate(guests(tree)):
        (place / "mountinfo").write_text(MOUNT.format(100 + number))
    (tree / "proc/1").mkdir(exist_ok=True)
    (tree / "proc/1/mountinfo").write_text(MOUNT.format(20))
    return tree


def guests(tree):
    paths = (tree / "proc").glob("[0-9]*/exe")
    return sorted(path.parent for path in paths if path.is_symlink())


def change(place, name, value):
    """Change a field of a guest's status file."""
    path = place / "status"
    text, times = re.subn(
        rf"(?m)^{name}:.*$", f"{name}:\t{value}", path.read_text()
    )
    assert times == 1
    path.write_text(text)


def test_captured_guests_are_caged(root):
    result = run(root)
    assert result.status is PASS
    assert f"all {len(guests(root))}" in result.reason
    (line,) = [each for each in result.evidence if "/714/status" in each]
    assert line == (
        "/proc/714/status: Uid 64055, CapPrm 0000000000000000, CapEff "
        "0000000000000000, NoNewPrivs 1, Seccomp 2 (dom-a)"
    )


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("Uid", "0\t0\t0\t0", "runs as root"),
        ("Uid", "64055\t64055\t0\t64055", "runs as root"),
        ("CapEff", "0000000000000002", "has capabilities"),
        ("CapPrm", "000001ffffffffff", "has capabilities"),
        ("NoNewPrivs", "0", "may gain privileges"),
        ("Seccomp", "0", "has no system call filter"),
        ("Seccomp", "1", "has no system call filter"),
    ],
)
def test_each_thing_that_is_open(root, name, value, why):
    change(mac_trees.process(root, "dom-b"), name, value)
    result = run(root)
    assert result.status is FAIL
    assert result.reason == f"dom-b {why}"
    assert "(dom-b)" in result.evidence[0]


@pytest.mark.parametrize("name", ["Gid", "Groups"])
def test_the_group_of_root_is_as_good_as_root(root, name):
    change(mac_trees.process(root, "dom-b"), name, "64055\t0\t64055")
    result = run(root)
    assert result.status is FAIL
    assert result.reason == "dom-b is in the group root"


GROUPS = {
    "/etc/group": "# a comment\nkvm:x:108:libvirt-qemu\ndisk:x:6:\n"
    "docker:x:999:nova,libvirt-qemu\nlibvirt:x:odd:\n",
    # 64057's only group is in its row of passwd.
    "/etc/passwd": "libvirt-qemu:x:64055:108:Libvirt:/:/bin/false\n"
    "other:x:64057:6:Other:/:/bin/false\n",
}


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ("108 64055", ""),
        ("6 108", "dom-b is in the group disk"),
        ("999 6 6", "dom-b is in the group disk, is in the group docker"),
    ],
)
def test_a_group_that_reaches_more_of_the_host(root, numbers, why):
    build(root, GROUPS)
    change(mac_trees.process(root, "dom-b"), "Groups", numbers)
    result = run(root)
    assert result.status is (FAIL if why else PASS)
    assert result.reason == (why or result.reason)


def test_groups_that_cannot_be_read_are_unknown(root):
    build(root, {"/ERRORS.json": json.dumps([["/etc/group", "EACCES"]])})
    result = run(root)
    assert result.status is UNKNOWN
    assert "/etc/group" in result.reason


FILTERED = "Name:\tlibvirtd\nSeccomp:\t{}\n"


@pytest.mark.parametrize(
    ("daemon", "guest", "status"),
    [
        ("0\nSeccomp_filters:\t0", 1, PASS),
        # systemd's or a container's, handed on: none of QEMU's own
        ("2\nSeccomp_filters:\t1", 1, FAIL),
        ("2\nSeccomp_filters:\t1", 2, PASS),
        ("2\nSeccomp_filters:\t3", 3, FAIL),
        # a kernel that does not count
        ("2", 0, FAIL),
    ],
)
def test_a_filter_of_libvirts_is_none_of_the_guests(
    root, daemon, guest, status
):
    place = mac_trees.process(root, "dom-b")
    for each in guests(root):
        text = (each / "status").read_text()
        text = re.sub("(?m)^Seccomp_filters:.*\n", "", text)
        count = f"Seccomp_filters:\t{guest if each == place else 9}\n"
        (each / "status").write_text(text + count * bool(guest))
    build(
        root,
        {
            "/proc/4/cmdline": "/usr/sbin/libvirtd\0",
            "/proc/4/comm": "libvirtd\n",
            "/proc/4/stat": "4 (x) S 1 " + "0 " * 30,
            "/proc/4/status": FILTERED.format(daemon),
            "/proc/4/mountinfo": MOUNT.format(20),
        },
    )
    result = run(root)
    assert result.status is status
    if status is FAIL:
        assert "but libvirt's" in result.reason


@pytest.mark.parametrize("value", ["", "none", "0x"])
def test_what_is_not_understood_is_unknown(root, value):
    change(mac_trees.process(root, "dom-b"), "Seccomp", value)
    assert run(root).status is UNKNOWN


@pytest.mark.parametrize("name", ["status", "mountinfo"])
def test_a_guest_that_cannot_be_read_is_unknown_and_not_one_less(root, name):
    pid = mac_trees.process(root, "dom-b").name
    errors = [[f"/proc/{pid}/{name}", "EACCES"]]
    (root / "ERRORS.json").write_text(json.dumps(errors))
    result = run(root)
    assert result.status is UNKNOWN
    assert f"/proc/{pid}/{name}" in result.reason


def test_a_guest_that_libvirt_alone_knows_is_unknown(root):
    shutil.rmtree(mac_trees.process(root, "dom-b"))
    result = run(root)
    assert result.status is UNKNOWN
    assert "dom-b" in result.reason


@pytest.mark.parametrize("number", [20, 100])
def test_a_mount_namespace_of_its_own(root, number):
    """Number 20 is the host's, and 100 another guest's."""
    last = guests(root)[-1]
    (last / "mountinfo").write_text(MOUNT.format(number))
    result = run(root)
    assert result.status is FAIL
    assert "no own mount namespace" in result.reason
    shutil.rmtree(root / "proc/1")
    assert run(root).status is (FAIL if number == 100 else UNKNOWN)


@pytest.mark.parametrize(
    ("listed", "status"),
    [("a *:* rwm\n", FAIL), ("c 1:3 rwm\nc 10:232 rw\n", PASS), (None, PASS)],
)
def test_devices_by_version_1_of_cgroups(root, listed, status):
    place = mac_trees.process(root, "dom-b")
    (place / "cgroup").write_text("5:devices:/machine/b\n0::/machine\n")
    path = "/sys/fs/cgroup/devices/machine/b/devices.list"
    if listed is not None:
        build(root, {path: listed})
    result = run(root)
    assert result.status is status
    assert any(path in line for line in result.evidence)


@pytest.fixture
def empty(tmp_path):
    """Return a captured host on which no guest runs."""
    tree = mac_trees.whole(mac_trees.apparmor("require-confined", tmp_path))
    for place in guests(tree):
        shutil.rmtree(place)
    (tree / "CMD/virsh-list").write_text("")
    return tree


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", PASS),
        ("seccomp_sandbox = -1\n", PASS),
        ("seccomp_sandbox = 0\n", FAIL),
        ("clear_emulator_capabilities = 0\n", FAIL),
        ("namespaces = []\n", FAIL),
        ('namespaces = [ "mount" ]\n', PASS),
        ("seccomp_sandbox = 2\n", UNKNOWN),
        ("namespaces = 1\n", UNKNOWN),
    ],
)
def test_without_a_guest_qemu_conf_is_what_there_is(empty, text, status):
    mac_trees.qemu_conf(empty, text)
    result = run(empty)
    assert result.status is status
    assert ("no guest is running; " in result.reason) == (
        status is not UNKNOWN
    )
    assert (
        "no guest process is visible; cannot be read: " in result.reason
    ) == (status is UNKNOWN)


@pytest.mark.parametrize(
    ("label", "status"),
    [("+0:+0", FAIL), ("+64055:+0", FAIL), ("+64055:+64055", PASS)],
)
def test_without_a_guest_libvirt_says_who_runs_it(empty, label, status):
    mac_trees.qemu_conf(empty, "")
    path = empty / "CMD/virsh-capabilities"
    path.write_text(path.read_text().replace("+64055:+64055", label))
    assert run(empty).status is status
    gone = libvirt.NoLibvirt("it is not there")
    silent = run(empty, libvirt=gone)
    assert silent.status is UNKNOWN
    assert silent.reason == (
        "no guest process is visible, and libvirt cannot be asked: it is "
        "not there"
    )
    assert silent.evidence[0] == (
        "not compared with libvirt: libvirt: it is not there"
    )


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("+64055:+108", "in the group docker"),
        ("+64055:+6", "in the group disk, docker"),
        ("+64056:+108", "no guest is running"),
        ("+64057:+108", "in the group disk"),
    ],
)
def test_without_a_guest_the_groups_of_its_user_count(empty, label, why):
    build(empty, GROUPS)
    mac_trees.qemu_conf(empty, "")
    path = empty / "CMD/virsh-capabilities"
    path.write_text(path.read_text().replace("+64055:+64055", label))
    result = run(empty)
    assert result.status is (FAIL if "group" in why else PASS)
    assert why in result.reason


@pytest.mark.skipif(elf_files.COMPILER is None, reason="gcc is missing")
@pytest.mark.parametrize(
    ("library", "status"), [("seccomp", PASS), ("other", UNKNOWN)]
)
def test_a_qemu_that_cannot_filter_system_calls(
    empty, tmp_path, library, status
):
    """libvirt starts it all the same, and without a filter."""
    shared = tmp_path / f"lib{library}.so.2"
    flags = ("-fPIC", "-shared", f"-Wl,-soname,{shared.name}")
    elf_files.build(shared, flags, elf_files.LIBRARY)
    flags = (*elf_files.GOOD, "-Wl,--no-as-needed", str(shared))
    program = elf_files.build(tmp_path / "qemu", flags, elf_files.SOURCE)
    capabilities = (empty / "CMD/virsh-capabilities").read_text()
    for path in re.findall("<emulator>(.*)</emulator>", capabilities):
        place = empty / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(program, place)
    mac_trees.qemu_conf(empty, "")
    result = run(empty)
    assert result.status is status
    assert (status is PASS) or "--enable-seccomp" in result.remediation


@pytest.mark.parametrize(
    "name", ["guest_cage", "mac_guests", "console_encrypted"]
)
def test_a_guest_that_is_a_container_is_no_host_without_guests(empty, name):
    """Nova has virt_type = lxc, too; its guests run as they like."""
    words = "/usr/lib/libvirt/libvirt_lxc\0--name\0instance-00000001\0"
    build(empty, {"/proc/77/cmdline": words, "/proc/77/comm": "libvirt_lxc\n"})
    result = run(empty, name)
    assert result.status is UNKNOWN
    assert "/proc/77: belongs to a libvirt guest" in result.reason
    assert "virt_type = lxc" in result.remediation


def test_without_a_guest_and_without_all_processes(empty):
    (empty / "proc/2/comm").unlink()
    assert run(empty).status is UNKNOWN

# SPDX-License-Identifier: Apache-2.0
"""Mounts and real processes, beside the cases in cases/running.yaml."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import libvirt, running
from nova_vhard.host.root import HostRoot
from nova_vhard.reporter import facts
from tests import elf_files
from tests.trees import build, capabilities

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
CHECKS = {each.name: each for each in report.load()}

compiled = pytest.mark.skipif(
    elf_files.COMPILER is None, reason="gcc is not installed"
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

X86 = "/usr/bin/qemu-system-x86_64"
HERE = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
CONTAINER = "700 1 0:55 / / rw,relatime - overlay overlay rw\n"
BOUND = "701 700 254:1 /etc/libvirt /etc/libvirt rw - ext4 /dev/vda1 rw\n"
BOOT = 1_000_000_000
WAITS = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"


class Named(libvirt.NoLibvirt):
    """A libvirt that names emulators, and has no guest."""

    def __init__(self, *paths):
        super().__init__()
        self._paths = paths

    def capabilities(self):
        return ElementTree.fromstring(capabilities(*self._paths))

    def running(self):
        return []


def process(pid, name, mounts=HERE, started=1000, **more):
    """Return the files of a process that everybody can read.

    :param started: seconds after boot
    """
    fields = ["S", *("0" for _ in range(18)), str(started * 100), "0"]
    return {
        f"/proc/{pid}/cmdline": f"{name}\0-name\0guest=a\0-uuid\0u\0",
        f"/proc/{pid}/mountinfo": mounts,
        f"/proc/{pid}/stat": f"{pid} (a) b) {' '.join(fields)}",
        **{f"/proc/{pid}/{path}": text for path, text in more.items()},
    }


def tree(folder, *processes):
    """Return a captured host with QEMU and some processes."""
    content = {
        "/CMD/virsh-capabilities": capabilities(X86),
        "/proc/stat": f"cpu 1\nbtime {BOOT}\n",
        "/proc/1/mountinfo": HERE,
        "/etc/libvirt/qemu.conf": "",
    }
    for each in processes:
        content |= each
    root = pathlib.Path(build(folder, content))
    put(root, X86)
    for path in (X86, "/etc/libvirt/qemu.conf"):
        os.utime(root / path[1:], (BOOT, BOOT))
    return root


def put(root, path, names=(b"__stack_chk_fail", b"__memcpy_chk")):
    place = root / path[1:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(elf_files.made(64, "<", list(names)))


def run(name, root, answer=None, **more):
    place = HostRoot(str(root))
    host = Host(place, answer or libvirt.of_tree(place, None), **more)
    result = CHECKS[name].run(host)
    assert "check failed" not in result.reason
    return result


def test_an_ordinary_user_goes_by_what_the_pre_step_found(tmp_path):
    """Of a daemon in a container, and of its guests with the same file."""
    there = process(5, "/usr/sbin/libvirtd", CONTAINER, started=500)
    guest = process(7, X86, CONTAINER)
    as_root = tree(tmp_path / "root", there, guest)
    for pid in (5, 7):
        put(as_root, f"/proc/{pid}/root{X86}", ())
        os.utime(as_root / f"proc/{pid}/root{X86}", (BOOT, BOOT))
    found = facts.binaries(HostRoot(str(as_root)))
    # Another daemon by now; a guest on another file, which outlives the
    # container into which the pre-step looks; one that is older.
    again = process(5, "/usr/sbin/libvirtd", CONTAINER, started=900)
    moved = process(7, X86, CONTAINER.replace("0:55", "0:56"))
    older = process(7, X86, CONTAINER, started=-1)
    for number, (name, text, more, status) in enumerate(
        [
            ("qemu_canary", found, {}, FAIL),
            ("qemu_pie", found, {}, PASS),
            ("qemu_pie", found, again, UNKNOWN),
            ("qemu_pie", found, moved, UNKNOWN),
            ("qemu_pie", found, older, UNKNOWN),
            ("qemu_pie", "", {}, UNKNOWN),
            ("qemu_pie", "[]", {}, UNKNOWN),
            ("qemu_pie", "{}", {}, UNKNOWN),
            ("qemu_pie", '{"emulators": [7]}', {}, UNKNOWN),
        ]
    ):
        left = {"/run/nova-vhard/binaries.json": text}
        root = tree(tmp_path / str(number), there, guest, left, more)
        result = run(name, root)
        assert result.status is status
        if more == moved:
            assert "stop and start the guest" in result.remediation


def test_where_a_file_is_bound_into_a_container_it_is_the_same(tmp_path):
    there = process(5, "/usr/sbin/libvirtd", CONTAINER + BOUND)
    root = HostRoot(str(tree(tmp_path, there)))
    host = Host(root)
    (target,) = running.Running(host).of_daemon("/etc/libvirt/qemu.conf")
    assert target.root is root


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
        ("", "/usr", None),
    ],
)
def test_places(tmp_path, mounts, path, expected):
    root = HostRoot(build(tmp_path, {"/proc/3/mountinfo": mounts}))
    assert running.place(running.mounts(root, "3"), path) == expected


def test_a_backslash_that_escapes_nothing(tmp_path):
    lines = HERE + "23 22 254:2 / /a\\9\\040b\\777 rw - ext4 /dev/vdb rw\n"
    root = HostRoot(build(tmp_path, {"/proc/7/mountinfo": lines}))
    assert running.mounts(root, "7")[1].point == "/a\\9 b\\777"


def test_without_a_whole_table_a_daemon_may_run_elsewhere(tmp_path):
    root = tree(tmp_path)
    shutil.rmtree(root / "CMD")
    answer = Named(X86)
    result = run("qemu_canary", root, answer)
    assert result.status is UNKNOWN
    assert "PID namespace" in result.remediation
    build(root, {"/proc/2/comm": "kthreadd\n"})
    assert run("qemu_canary", root, answer).status is PASS


def test_a_file_that_a_newer_link_leads_to(tmp_path):
    """A process that started before the link read another file."""
    place, path = tmp_path / "old.conf", tmp_path / "folder/qemu.conf"
    place.write_text("")
    path.parent.mkdir()
    first = running.changed(HostRoot(), str(place))
    path.symlink_to("../old.conf")
    while os.lstat(path).st_ctime_ns / 1e9 <= first:
        path.unlink()
        path.symlink_to("../old.conf")
    made = os.lstat(path).st_ctime_ns / 1e9
    assert running.changed(HostRoot(), str(path)) == made > first
    (tmp_path / "other").symlink_to("folder")
    way = str(tmp_path / "other/qemu.conf")
    assert running.changed(HostRoot(), way) >= made
    assert running.changed(HostRoot(), str(place)) == first
    # The time of a link in a copy is that of the copy.
    build(tmp_path, {"/etc/x": "-> /old.conf"})
    os.utime(place, (1, 1))
    assert running.changed(HostRoot(str(tmp_path)), "/etc/x") == 1


# Real processes on this machine.


@pytest.fixture(scope="module")
def binaries(tmp_path_factory):
    """Return two programs that wait, one of them without a canary."""
    folder = tmp_path_factory.mktemp("waits")
    good = elf_files.LIBRARY + WAITS
    flags = (*elf_files.GOOD, "-fstack-protector-all")
    return (
        elf_files.build(folder / "good", flags, good),
        elf_files.build(
            folder / "weak", (*flags, "-fno-stack-protector"), WAITS
        ),
    )


@contextlib.contextmanager
def started(*words, **how):
    child = subprocess.Popen(words, **how)
    try:
        yield child.pid
    finally:
        child.kill()
        child.wait()


def test_what_a_daemon_read_and_is_gone(tmp_path):
    """It may have read one that confines nobody."""
    host, path = HostRoot(), tmp_path / "qemu.conf"
    path.write_text("")
    time.sleep(0.1)
    with started("sleep", "60") as pid:
        assert not running.is_newer(host, host, str(pid), str(path))
        never = str(tmp_path / "other.conf")
        assert not running.is_newer(host, host, str(pid), never)
        time.sleep(0.1)
        path.unlink()
        assert running.is_newer(host, host, str(pid), str(path))
        gone = str(tmp_path / "none/qemu.conf")
        assert not running.is_newer(host, host, str(pid), gone)


def until(path, *words):
    """Wait until a process runs what it is to run."""
    deadline = time.monotonic() + 20
    while path.name not in os.readlink(words[0]):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def live(path, name="qemu_canary"):
    result = CHECKS[name].run(Host(HostRoot(), Named(str(path))))
    return result, [fact for fact in result.evidence if str(path) in fact]


@compiled
@as_root
def test_a_guest_on_a_file_that_was_replaced_on_disk(tmp_path, binaries):
    good, weak = binaries
    path = tmp_path / "qemu-system-x86_64"
    shutil.copy(weak, path)
    with started(str(path)) as pid:
        until(path, f"/proc/{pid}/exe")
        shutil.copy(good, tmp_path / "new")
        os.replace(tmp_path / "new", path)
        result, evidence = live(path)
    assert result.status is FAIL
    assert any("(deleted)" in fact and "not seen" in fact for fact in evidence)


CHECK = f"""
import sys
from {__name__} import live
result, facts = live(sys.argv[1])
print(result.status.value, *facts, sep="\\n")
"""


@compiled
@as_root
def test_a_guest_on_a_file_that_something_is_mounted_over(tmp_path, binaries):
    """The path leads to another file, which is older than the guest."""
    good, weak = binaries
    path = tmp_path / "qemu-system-x86_64"
    shutil.copy(weak, path)
    script = (
        f"{path} & until readlink /proc/$!/exe | grep -q qemu-; do :; done; "
        f"mount --bind {good} {path}; {sys.executable} -c '{CHECK}' {path}; "
        "kill $!"
    )
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
    result = subprocess.check_output([*words, script], text=True, timeout=60)
    status, *evidence = result.splitlines()
    assert status == FAIL.value
    assert any("(guest" in fact and "not seen" in fact for fact in evidence)


@compiled
@as_root
def test_a_daemon_in_a_real_mount_namespace(tmp_path, binaries):
    good, weak = binaries
    path, daemon = tmp_path / "qemu-system-x86_64", tmp_path / "libvirtd"
    shutil.copy(good, path)
    shutil.copy(good, daemon)
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
    script = f"mount --bind {weak} {path} && exec {daemon}"
    with started(*words, script) as pid:
        until(daemon, f"/proc/{pid}/exe")
        result, evidence = live(path)
    assert result.status is FAIL
    assert any("(libvirtd, process" in fact for fact in evidence)


@compiled
def test_a_library_with_an_executable_stack(tmp_path):
    root = tree(tmp_path / "root")
    folder = root / "usr/bin"
    flags = ("-fPIC", "-shared", "-Wl,-z,execstack")
    library = folder / "libloose.so"
    elf_files.build(library, flags, elf_files.SMALL)
    words = (
        *elf_files.GOOD,
        "-Wl,--no-as-needed",
        f"-L{folder}",
        "-Wl,-rpath,$ORIGIN",
    )
    (tmp_path / "source.c").write_text(elf_files.SOURCE)
    subprocess.run(
        ["gcc", *words, "source.c", "-lloose", "-o", str(root / X86[1:])],
        cwd=tmp_path,
        check=True,
    )
    for path in elf_files.libraries():
        place = root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    result = run("qemu_nx", root)
    assert result.status is FAIL
    assert result.evidence[1].startswith("/usr/bin/libloose.so: stack")
    library.unlink()
    result = run("qemu_nx", root)
    assert result.status is UNKNOWN
    assert "libloose.so is not found" in " ".join(result.evidence)

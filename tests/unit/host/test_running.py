# SPDX-License-Identifier: Apache-2.0
"""Checks are bound to what really runs, and to the file that it runs."""

import contextlib
import itertools
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
from nova_vhard.host.libvirt import domains, libvirt, running
from nova_vhard.host.root import HostRoot, Unreadable
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
OWN = "/opt/qemu/bin/qemu-system-x86_64"
HERE = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
CONTAINER = "700 1 0:55 / / rw,relatime - overlay overlay rw\n"
BOUND = "701 700 254:1 /etc/libvirt /etc/libvirt rw - ext4 /dev/vda1 rw\n"
BOOT = 1_000_000_000
NUMBERS = itertools.count()
WAITS = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"


class Named(libvirt.NoLibvirt):
    """A libvirt that names emulators, and guests with emulators."""

    def __init__(self, *paths, guests=()):
        super().__init__()
        self._paths, self._guests = paths, guests

    def capabilities(self):
        return ElementTree.fromstring(capabilities(*self._paths))

    def running(self):
        return [
            domains.Domain("u", "a", {}, emulator=path)
            for path in self._guests
        ]


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


def tree(folder, *processes, changed=BOOT):
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
        os.utime(root / path[1:], (changed, changed))
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


DAEMON = process(5, "/usr/sbin/libvirtd")
GUEST = process(7, X86)


def test_a_daemon_and_a_guest_that_see_the_same_file(tmp_path):
    root = tree(tmp_path, DAEMON, GUEST)
    assert run("qemu_canary", root).status is PASS


@pytest.mark.parametrize("name", ["libvirtd", "virtqemud"])
@pytest.mark.parametrize("check", ["qemu_canary", "qemu_pie", "qemu_relro"])
def test_a_daemon_in_a_namespace_of_its_own_is_not_judged_by_another_file(
    tmp_path, name, check
):
    there = process(5, f"/usr/sbin/{name}", CONTAINER)
    root = tree(tmp_path, there)
    result = run(check, root)
    assert result.status is UNKNOWN
    assert f"{name}, process 5" in result.evidence[1]
    assert "nova-vhard-reporter facts as root" in result.remediation
    # Root sees the file that it is.
    put(root, f"/proc/5/root{X86}")
    assert run(check, root).status is PASS
    put(root, f"/proc/5/root{X86}", ())
    result = run("qemu_canary", root)
    assert result.status is FAIL
    assert f"{X86} ({name}, process 5)" in result.evidence[1]


def test_roots_that_are_no_mounts_are_not_the_same(tmp_path):
    """After chroot(2) a process shows the mounts below its root alone."""
    below = "44 1 0:4 / /proc rw,relatime - proc proc rw\n"
    first = {"/proc/1/mountinfo": below}
    there = process(5, "/usr/sbin/libvirtd", below)
    result = run("qemu_canary", tree(tmp_path, there, first))
    assert result.status is UNKNOWN
    assert "which only root can read" in result.evidence[1]


def test_a_link_in_a_copy_is_never_followed_to_this_machine(tmp_path):
    there = process(5, "/usr/sbin/libvirtd", CONTAINER, root="-> /")
    assert run("qemu_canary", tree(tmp_path, there)).status is UNKNOWN


def test_a_daemon_whose_mounts_are_out_of_sight(tmp_path):
    there = process(5, "/usr/sbin/libvirtd")
    del there["/proc/5/mountinfo"]
    assert run("qemu_canary", tree(tmp_path, there)).status is UNKNOWN


def test_an_ordinary_user_goes_by_what_the_pre_step_found(tmp_path):
    """Of a daemon in a container, and of its guests with the same file."""
    there = process(5, "/usr/sbin/libvirtd", CONTAINER, started=500)
    guest = process(7, X86, CONTAINER)
    as_root = tree(tmp_path / "root", there, guest)
    put(as_root, f"/proc/5/root{X86}", ())
    put(as_root, f"/proc/7/root{X86}", ())
    for pid in (5, 7):
        os.utime(as_root / f"proc/{pid}/root{X86}", (BOOT, BOOT))
    text = facts.binaries(HostRoot(str(as_root)))
    left = {"/run/nova-vhard/binaries.json": text}

    def result(name, *processes):
        number = str(next(NUMBERS))
        root = tree(tmp_path / number, there, guest, left, *processes)
        return run(name, root)

    def status(name, *processes):
        return result(name, *processes).status

    assert status("qemu_canary") is FAIL
    assert status("qemu_pie") is PASS
    # Another daemon by now; a guest on another file; one that is older.
    again = process(5, "/usr/sbin/libvirtd", CONTAINER, started=900)
    assert status("qemu_pie", again) is UNKNOWN
    moved = CONTAINER.replace("0:55", "0:56")
    assert status("qemu_pie", process(7, X86, moved)) is UNKNOWN
    # It outlives its container, into which the pre-step does not look.
    step = result("qemu_pie", process(7, X86, moved)).remediation
    assert "stop and start the guest" in step
    older = process(7, X86, CONTAINER, started=-1)
    assert status("qemu_pie", older) is UNKNOWN
    for text in ("", "[]", "{}", '{"emulators": [7]}'):
        left["/run/nova-vhard/binaries.json"] = text
        assert status("qemu_pie") is UNKNOWN


def test_what_a_daemon_has_forked_is_no_daemon(tmp_path):
    """It may be on its way into the namespace of a guest."""
    forked = process(6, "/usr/sbin/libvirtd", CONTAINER)
    forked["/proc/6/stat"] = forked["/proc/6/stat"].replace(" S 0", " S 5", 1)
    root = tree(tmp_path, DAEMON, forked)
    assert run("qemu_canary", root).status is PASS


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


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/proc/stat", "btime soon\n"),
        ("/proc/stat", "btime nan\n"),
        ("/proc/stat", f"btime {'9' * 5000}\n"),
        ("/proc/7/stat", f"7 (x) S 1 {'0 ' * 17}{'9' * 5000} 0\n"),
        ("/proc/7/stat", f"7 (x) S 1 {'0 ' * 17}² 0\n"),
    ],
)
def test_a_start_that_nobody_understands(tmp_path, path, text):
    root = tree(tmp_path, GUEST)
    (root / path[1:]).write_text(text)
    with pytest.raises(Unreadable):
        running.start_of(HostRoot(str(root)), "7")
    assert run("qemu_relro", root).status is UNKNOWN


def test_a_backslash_that_escapes_nothing(tmp_path):
    lines = HERE + "23 22 254:2 / /a\\9\\040b\\777 rw - ext4 /dev/vdb rw\n"
    root = HostRoot(build(tmp_path, {"/proc/7/mountinfo": lines}))
    assert running.mounts(root, "7")[1].point == "/a\\9 b\\777"


def test_a_guest_whose_file_was_changed_since_it_started(tmp_path):
    root = tree(tmp_path, DAEMON, GUEST, changed=BOOT + 1001)
    result = run("qemu_canary", root)
    assert result.status is UNKNOWN
    assert "changed since guest a, process 7 started" in result.reason
    assert "migrate" in result.remediation


def test_a_guest_whose_file_is_gone(tmp_path):
    gone = process(7, "qemu", exe=f"-> {X86} (deleted)")
    result = run("qemu_canary", tree(tmp_path, DAEMON, gone))
    assert result.status is UNKNOWN
    assert "replaced since" in result.reason


def test_a_guest_with_an_emulator_of_its_own(tmp_path):
    """libvirt's capabilities name another one."""
    root = tree(tmp_path, DAEMON, process(7, OWN))
    put(root, OWN, ())
    os.utime(root / OWN[1:], (BOOT, BOOT))
    result = run("qemu_canary", root)
    assert result.status is FAIL
    assert result.evidence[1].startswith(f"{OWN}: ")


STACK = "7ffe1c330000-7ffe1c350000 {} 00000000 00:00 0 [stack]\n"


def test_the_stack_of_every_guest_on_an_emulator(tmp_path):
    """Not that of one of them, nor of none where libvirt names it too."""
    others = [process(pid, X86, maps=STACK.format("rw-p")) for pid in (7, 9)]
    loose = process(8, X86, maps=STACK.format("rwxp"))
    root = tree(tmp_path, DAEMON, *others)
    assert run("qemu_nx", root).status is PASS
    build(root, loose)
    result = run("qemu_nx", root)
    assert result.status is FAIL
    assert result.evidence[1].startswith("/proc/8/maps: ")


def test_a_guest_whose_emulator_has_another_name(tmp_path):
    """A domain's <emulator> may have any; what libvirt gives it, it has."""
    path = "/opt/bin/vm"
    own = process(7, path, maps=STACK.format("rwxp"))
    own["/proc/7/cmdline"] += "-machine\0pc-q35-10.0\0"
    root = tree(tmp_path, DAEMON, own)
    put(root, path)
    os.utime(root / path[1:], (BOOT, BOOT))
    assert run("qemu_nx", root).status is FAIL
    own["/proc/7/cmdline"] = own["/proc/7/cmdline"].replace("-uuid", "-u")
    build(root, own)
    assert run("qemu_nx", root).status is PASS


def test_the_emulator_in_a_live_domain_counts(tmp_path):
    root = tree(tmp_path, DAEMON)
    put(root, "/opt/other", ())
    result = Named(X86, guests=["/opt/other"])
    assert run("qemu_canary", root, result).status is FAIL


def test_a_guest_that_cannot_be_told_is_named(tmp_path):
    bare = process(7, "qemu-system-x86_64")
    result = run("qemu_canary", tree(tmp_path, DAEMON, bare))
    assert result.status is UNKNOWN
    assert "process 7" in result.reason


CONF = "/etc/libvirt/qemu.conf"
SELINUX = {
    "/sys/fs/selinux/enforce": "1",
    "/sys/fs/selinux/class/process/index": "2",
    "/CMD/selinux-access": "u:r:svirt_t:s0 -> 0 f 0 f 1 0",
}
DRIVER = (
    "<capabilities><host><secmodel><model>selinux</model>"
    "<baselabel type='kvm'>u:r:svirt_t:s0</baselabel></secmodel></host>"
    "</capabilities>"
)


def confined(folder, *processes, **more):
    root = tree(folder, SELINUX, *processes, **more)
    (root / "CMD/virsh-capabilities").write_text(DRIVER)
    return root


@pytest.mark.parametrize("point", [X86, "/usr/bin"])
def test_a_mount_over_what_a_guest_runs(tmp_path, point):
    """It came after the guest for all that an ordinary user sees."""
    over = f"900 22 254:2 /other {point} rw shared:9 - ext4 /dev/vdb rw\n"
    daemon = process(5, "/usr/sbin/libvirtd", HERE + over)
    first = {"/proc/1/mountinfo": HERE + over}
    root = tree(tmp_path, daemon, process(7, X86, HERE + over), first)
    result = run("qemu_canary", root)
    assert result.status is UNKNOWN
    assert "mounted over" in result.reason
    assert "as root" in result.remediation
    # Without a guest the next one gets what is there.
    assert run("qemu_canary", tree(tmp_path / "n", daemon, first)).status is (
        PASS
    )


def test_a_mount_of_all_programs(tmp_path):
    usr = "23 22 254:3 / /usr rw shared:2 - ext4 /dev/vdc rw\n"
    daemon = process(5, "/usr/sbin/libvirtd", HERE + usr)
    first = {"/proc/1/mountinfo": HERE + usr}
    root = tree(tmp_path, daemon, process(7, X86, HERE + usr), first)
    assert run("qemu_canary", root).status is PASS


def test_qemu_conf_is_the_daemons(tmp_path):
    there = process(5, "/usr/sbin/libvirtd", CONTAINER)
    root = confined(tmp_path, there)
    assert run("mac_confinement", root).status is UNKNOWN
    loose = {f"/proc/5/root{CONF}": "security_default_confined = 0\n"}
    build(root, loose)
    os.utime(root / f"proc/5/root{CONF}", (BOOT, BOOT))
    result = run("mac_confinement", root)
    assert result.status is FAIL
    assert any("libvirtd, process 5" in fact for fact in result.evidence)


@pytest.mark.parametrize(
    ("changed", "text", "status"),
    [
        (BOOT + 999, "", PASS),
        (BOOT + 1001, "", UNKNOWN),
        # The next start will be worse.
        (BOOT + 1001, "security_default_confined = 0\n", FAIL),
    ],
)
def test_qemu_conf_is_what_the_daemon_has_read(
    tmp_path, changed, text, status
):
    root = confined(tmp_path, DAEMON)
    (root / CONF[1:]).write_text(text)
    os.utime(root / CONF[1:], (changed, changed))
    result = run("mac_confinement", root)
    assert result.status is status
    if status is UNKNOWN:
        assert "Restart libvirtd" in result.remediation


@pytest.mark.parametrize("place", ["/run", "/run/libvirt"])
@pytest.mark.parametrize(
    ("pid", "when", "status"),
    [
        ("5", BOOT + 1003, PASS),
        # Changed since.
        ("5", BOOT + 1001, UNKNOWN),
        # Of another daemon, or of none that is known.
        ("6", BOOT + 1003, UNKNOWN),
        ("", BOOT + 1003, UNKNOWN),
    ],
)
def test_what_a_container_copies_before_it_is_the_daemon(
    tmp_path, place, pid, when, status
):
    """Kolla's kolla_start writes qemu.conf, and then becomes libvirtd."""
    there = process(5, "/usr/sbin/libvirtd", CONTAINER)
    root = confined(tmp_path, there)
    own = f"/proc/5/root{CONF}", f"/proc/5/root{place}/libvirtd.pid"
    build(root, {own[0]: "", own[1]: f"{pid}\n"})
    for path, at in zip(own, (BOOT + 1002, when), strict=True):
        os.utime(root / path[1:], (at, at))
    assert run("mac_confinement", root).status is status


def test_without_a_whole_table_a_daemon_may_run_elsewhere(tmp_path):
    root = confined(tmp_path)
    shutil.move(root / "CMD", tmp_path / "moved")
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

# SPDX-License-Identifier: Apache-2.0
"""The checks of how QEMU was built, over trees with compiled binaries."""

import json
import os
import shutil
import struct

import pytest

from nova_vhard.host import cache, report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.qemu import elf
from nova_vhard.host.root import HostRoot
from tests import elf_files
from tests.elf_files import GOOD, LIBRARY, SMALL
from tests.trees import build, capabilities, capture

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
NOT_APPLICABLE = Status.NOT_APPLICABLE

pytestmark = pytest.mark.skipif(
    elf_files.COMPILER is None, reason="gcc is not installed"
)

X86 = "/usr/bin/qemu-system-x86_64"
I386 = "/usr/bin/qemu-system-i386"
KVM = "/usr/libexec/qemu-kvm"
MODULES = "/usr/lib/x86_64-linux-gnu/qemu"
NAMES = ("relro", "canary", "nx", "pie", "fortify")
CHECKS = {each.name: each for each in report.load()}

# Which checks fail on an emulator that differs in one thing.
FAULTS = {
    "lazy": (("-Wl,-z,lazy",), {"relro"}),
    "norelro": (("-Wl,-z,norelro",), {"relro"}),
    "canary": (("-fno-stack-protector",), {"canary"}),
    "execstack": (("-Wl,-z,execstack",), {"nx"}),
    "no-pie": (("-fno-pie", "-no-pie"), {"pie"}),
    "fortify": (("-U_FORTIFY_SOURCE",), {"fortify"}),
}
SO = ("-fPIC", "-shared")

#: What every program of this machine is loaded with.
LIBRARIES = elf_files.libraries()


@pytest.fixture(scope="module")
def binaries(tmp_path_factory):
    """Return what makes a binary of flags, each once."""
    folder = tmp_path_factory.mktemp("binaries")

    def made(*flags, source=elf_files.SOURCE):
        path = folder / str(abs(hash((flags, source))))
        if not path.exists():
            elf_files.build(path, (*GOOD, *flags), source)
        return path

    return made


@pytest.fixture
def tree(tmp_path, binaries):
    """A host with a good emulator, and what puts more into it."""
    return Tree(tmp_path, binaries)


class Tree:
    def __init__(self, folder, binaries):
        self.folder = folder
        self.root = folder / "root"
        self.binaries = binaries
        self.named(X86)
        self.put(X86)
        for path in LIBRARIES:
            place = self.root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)

    def named(self, *paths):
        build(self.root, {"/CMD/virsh-capabilities": capabilities(*paths)})

    def put(self, path, *flags, source=elf_files.SOURCE):
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.binaries(*flags, source=source), place)
        return place

    def host(self, state_dir=None):
        root = HostRoot(str(self.root))
        return Host(root, libvirt.of_tree(root, None), state_dir=state_dir)

    def run(self, name, state_dir=None):
        return CHECKS[f"qemu_{name}"].run(self.host(state_dir))

    def statuses(self):
        return {name: self.run(name).status for name in NAMES}


def all_but(status, names=()):
    return {each: status if each in names else PASS for each in NAMES}


def test_a_good_emulator_passes_all(tree):
    assert tree.statuses() == all_but(PASS)
    result = tree.run("relro")
    assert result.evidence == (
        f"emulators named by libvirt: {X86}",
        f"{X86}: PIE, RELRO full",
    )


def test_a_kernel_with_larger_pages_protects_less(tree):
    """As Arm's with 64 KiB, where the linker took 4 KiB."""
    build(tree.root, {elf._HUGE: "536870912\n"})
    assert tree.statuses() == all_but(FAIL, {"relro"})
    assert tree.run("relro").evidence[1].endswith("RELRO partial")


@pytest.mark.parametrize(("flags", "fails"), FAULTS.values(), ids=FAULTS)
def test_one_fault_fails_one_check(tree, flags, fails):
    tree.put(X86, *flags)
    assert tree.statuses() == all_but(FAIL, fails)
    (name,) = fails
    result = tree.run(name)
    assert any(each.startswith(f"{X86}: ") for each in result.evidence)
    assert result.remediation


def test_every_emulator_counts(tree):
    tree.named(X86, I386, KVM)
    tree.put(I386)
    tree.put(KVM, "-Wl,-z,norelro")
    assert tree.statuses() == all_but(FAIL, {"relro"})
    # What is wrong comes first.
    assert tree.run("relro").evidence[1].startswith(f"{KVM}: ")


@pytest.mark.parametrize(
    ("mode", "text"), [(0o4755, ", setuid"), (0o2755, ", setgid")]
)
def test_an_emulator_that_is_setuid_is_a_fail(tree, mode, text):
    tree.put(X86).chmod(mode)
    assert tree.statuses() == all_but(FAIL, {"pie"})
    assert tree.run("pie").evidence[1] == f"{X86}: PIE{text}"


@pytest.mark.parametrize(
    "preload",
    ["/usr/$LIB/agent.so", "# of an agent\nlibc.so.6:/usr/${LIB}/agent.so\n"],
)
def test_what_is_loaded_with_every_program(tree, preload):
    """A preloaded executable stack applies to QEMU regardless of its build."""
    tree.put(X86)
    build(tree.root, {"/etc/ld.so.preload": preload})
    # The loader leaves out what is not there.
    assert tree.statuses() == all_but(PASS)
    place = "/usr/lib/x86_64-linux-gnu/agent.so"
    tree.put(place, *SO, "-Wl,-z,execstack", source=SMALL)
    assert tree.statuses() == all_but(FAIL, {"nx"})
    assert tree.run("nx").evidence[1].startswith(place)
    build(tree.root, {"/etc/ld.so.preload": "# nothing: agent.so\n"})
    assert tree.statuses() == all_but(PASS)
    build(tree.root, {"/etc/ld.so.preload": "agent.so " * 65})
    assert tree.statuses() == all_but(UNKNOWN, {"nx"})
    (tree.root / "etc/ld.so.preload").unlink()
    os.mkfifo(tree.root / "etc/ld.so.preload")
    assert tree.statuses() == all_but(UNKNOWN, {"nx"})


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_an_emulator_with_capabilities_is_a_fail(tree):
    """As setuid: a guest's process gets what libvirt did not give it."""
    path = tree.put(X86)
    assert tree.statuses() == all_but(PASS)
    # CAP_NET_RAW, permitted and effective, in version 2.
    given = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
    os.setxattr(path, "security.capability", given)
    assert tree.statuses() == all_but(FAIL, {"pie"})
    assert tree.run("pie").evidence[1] == f"{X86}: PIE, with capabilities"


@pytest.mark.parametrize(
    ("flags", "unknown"),
    [
        (("-static-pie",), {"canary", "fortify"}),
        (("-fPIC", "-shared"), {"pie"}),
    ],
)
def test_what_cannot_be_told_is_unknown(tree, flags, unknown):
    tree.put(X86, *flags)
    assert tree.statuses() == all_but(UNKNOWN, unknown)


@pytest.mark.parametrize(
    "folder",
    [
        MODULES,
        "/usr/lib/qemu",
        "/usr/lib64/qemu",
        "/usr/lib64/qemu-kvm",
    ],
)
def test_modules_count(tree, folder):
    tree.put(f"{folder}/good.so", *SO, source=LIBRARY)
    tree.put(f"{folder}/small.so", *SO, source=SMALL)
    assert tree.statuses() == all_but(PASS)
    last = tree.run("canary").evidence[-1]
    assert last == f"{folder}/*.so: stack canaries seen in 1 of 2"
    tree.put(f"{folder}/lazy.so", *SO, "-Wl,-z,lazy", source=LIBRARY)
    tree.put(f"{folder}/stack.so", *SO, "-Wl,-z,execstack", source=SMALL)
    assert tree.statuses() == all_but(FAIL, {"relro", "nx"})
    assert f"{folder}/lazy.so: shared object, RELRO partial" in (
        tree.run("relro").evidence
    )


def test_modules_of_an_emulator_behind_a_link(tree):
    real = "/nix/store/abc-qemu/bin/qemu-system-x86_64"
    (tree.root / X86.lstrip("/")).unlink()
    build(tree.root, {X86: f"-> {real}"})
    tree.put(real)
    assert tree.statuses() == all_but(PASS)
    module = "/nix/store/abc-qemu/lib/qemu/a.so"
    tree.put(module, *SO, "-Wl,-z,norelro", source=LIBRARY)
    assert tree.run("relro").status is FAIL


def test_a_wrapper_script_is_unknown(tree):
    place = tree.root / X86.lstrip("/")
    place.write_text('#!/bin/sh\nexec qemu-kvm "$@"\n')
    assert set(tree.statuses().values()) == {UNKNOWN}
    assert "no ELF file" in tree.run("nx").evidence[1]


@pytest.mark.parametrize("folder", [MODULES])
def test_modules_that_cannot_be_listed_are_unknown(tree, folder):
    tree.put(f"{MODULES}/good.so", *SO, source=LIBRARY)
    errors = json.dumps([[folder, "EACCES"]])
    build(tree.root, {"/ERRORS.json": errors})
    assert tree.run("relro").status is UNKNOWN
    # Which does not hide an emulator that is wrong, nor ask of modules where
    # they do not matter.
    assert tree.run("pie").status is PASS
    tree.put(X86, "-Wl,-z,lazy")
    assert tree.run("relro").status is FAIL


def test_without_libvirt_unknown_at_best(tree):
    shutil.rmtree(tree.root / "CMD")
    result = tree.run("relro")
    assert result.status is UNKNOWN
    assert "libvirt" in result.reason
    assert f"{X86}: PIE, RELRO full" in result.evidence
    tree.put(X86, "-Wl,-z,lazy")
    assert tree.run("relro").status is FAIL


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (KVM, FAIL),
        ("/usr/local/bin/qemu-system-aarch64", FAIL),
        ("/usr/bin/qemu-kvm", FAIL),
        ("/usr/bin/qemu-system-x86_64-microvm", UNKNOWN),
        ("/usr/bin/qemu-img", UNKNOWN),
    ],
)
def test_where_libvirt_looks(tree, path, status):
    shutil.rmtree(tree.root / "CMD")
    tree.put(path, "-Wl,-z,norelro")
    assert tree.run("relro").status is status


def test_what_libvirt_does_not_name_does_not_count(tree):
    tree.put(KVM, "-Wl,-z,norelro")
    assert tree.statuses() == all_but(PASS)


def test_no_emulator_is_not_applicable(tree):
    tree.named()
    assert set(tree.statuses().values()) == {NOT_APPLICABLE}


def test_an_emulator_that_is_not_there_is_unknown(tmp_path):
    root = HostRoot(capture("vtd-on", tmp_path))
    host = Host(root, libvirt.of_tree(root, None))
    for name in NAMES:
        result = CHECKS[f"qemu_{name}"].run(host)
        assert result.status is UNKNOWN
        assert any("No such file" in each for each in result.evidence)


def test_what_the_first_check_finds_out_is_evidence_of_each(tree):
    tree.put(f"{MODULES}/a.so", *SO, source=LIBRARY)
    host = tree.host()
    results = {name: CHECKS[f"qemu_{name}"].run(host) for name in NAMES}
    assert results == {name: tree.run(name) for name in NAMES}
    assert host.shared


@pytest.fixture
def opened(monkeypatch):
    """Return the binaries that were opened."""
    paths = []
    read = HostRoot.open

    def counted(self, path):
        if not path.startswith(("/CMD", "/ERRORS", "/etc", "/lib", "/sys")):
            paths.append(path)
        return read(self, path)

    monkeypatch.setattr(HostRoot, "open", counted)
    return paths


def as_another_process():
    cache._MEMORY.clear()


def rounds(tree, opened, state_dir):
    """Run all checks; return what was opened, and the answers."""
    opened.clear()
    as_another_process()
    result = {name: tree.run(name, state_dir) for name in NAMES}
    return sorted(set(opened)), result


def test_a_second_round_opens_no_binary(tree, opened, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    module = f"{MODULES}/a.so"
    tree.put(module, *SO, source=LIBRARY)
    first, result = rounds(tree, opened, str(state))
    assert first == sorted((X86, module))
    assert len(opened) == 2
    kept = {each.name: each.stat().st_mtime_ns for each in state.iterdir()}
    assert list(kept) == ["elf-cache.json"]
    assert rounds(tree, opened, str(state)) == ([], result)
    # Nothing has changed, and nothing is written.
    assert kept == {
        each.name: each.stat().st_mtime_ns for each in state.iterdir()
    }
    tree.put(X86, "-Wl,-z,lazy")
    again, changed = rounds(tree, opened, str(state))
    assert again == [X86]
    assert changed["relro"].status is FAIL


def test_a_changed_binary_does_not_go_unnoticed(tree, opened, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    place = tree.root / X86.lstrip("/")
    rounds(tree, opened, str(state))
    # A new mode.
    place.chmod(0o4755)
    again, changed = rounds(tree, opened, str(state))
    assert again == [X86]
    assert changed["pie"].status is FAIL
    # New content of the same length, and the time set back.
    before = place.stat()
    elf_files.change_header(place, elf_files.PT_GNU_STACK, flags=7)
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert place.stat().st_mtime_ns == before.st_mtime_ns
    again, changed = rounds(tree, opened, str(state))
    assert again == [X86]
    assert changed["nx"].status is FAIL


def test_without_a_folder_nothing_is_written_and_one_round_reads_once(
    tree, opened
):
    as_another_process()
    for name in NAMES:
        tree.run(name)
    assert opened == [X86]


def damaged(**changes):
    """Return the facts of a cache file with something else in them."""

    def change(content):
        for key in content["results"]:
            content["results"][key] |= changes
        return json.dumps(content)

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda content: "",
        lambda content: "[" * 100000,
        lambda content: "\0\1\2",
        lambda content: "null",
        lambda content: '{"version": 1}',
        lambda content: '{"version": 1, "results": 5}',
        lambda content: json.dumps(content | {"version": 99}),
        lambda content: json.dumps(
            content | {"results": dict.fromkeys(content["results"], 7)}
        ),
        damaged(nx="yes"),
        damaged(canary=1),
        damaged(kind="novel"),
        damaged(relro="novel"),
        damaged(more=True),
    ],
)
def test_a_damaged_cache_is_ignored_and_written_again(
    tree, opened, tmp_path, change
):
    state = tmp_path / "state"
    state.mkdir()
    _, result = rounds(tree, opened, str(state))
    file = state / "elf-cache.json"
    good = file.read_text()
    file.write_text(change(json.loads(good)))
    assert rounds(tree, opened, str(state)) == ([X86], result)
    assert file.read_text() == good
    assert list(state.iterdir()) == [file]


def test_a_folder_that_cannot_be_written_is_one_warning(
    tree, opened, tmp_path, caplog
):
    state = str(tmp_path / "none")
    _, result = rounds(tree, opened, state)
    assert result["relro"].status is PASS
    rounds(tree, opened, state)
    (warning,) = caplog.messages
    assert "cannot be kept" in warning


def test_what_one_check_has_read_the_others_of_a_round_judge(tree):
    root = HostRoot(str(tree.root))
    host = Host(root, libvirt.of_tree(root, None))
    first = CHECKS["qemu_relro"].run(host)
    tree.put(X86, "-fno-stack-protector", *FAULTS["lazy"][0])
    assert first.status is PASS
    assert CHECKS["qemu_canary"].run(host).status is PASS
    # The next round has a Host of its own.
    assert tree.run("canary").status is FAIL
    assert tree.run("relro").status is FAIL


def test_each_check_judges_by_its_own_property(tree):
    tree.put(X86, *FAULTS["execstack"][0])
    root = HostRoot(str(tree.root))
    host = Host(root, libvirt.of_tree(root, None))
    statuses = {name: CHECKS[f"qemu_{name}"].run(host) for name in NAMES}
    assert {name: each.status for name, each in statuses.items()} == {
        **all_but(PASS),
        "nx": FAIL,
    }


def test_what_could_not_be_told_is_not_kept(tree):
    root = HostRoot(str(tree.root))
    host = Host(root, libvirt.of_tree(root, None))
    answers, hidden = tree.root / "CMD", tree.root / "hidden"
    answers.rename(hidden)
    assert CHECKS["qemu_relro"].run(host).status is UNKNOWN
    hidden.rename(answers)
    assert CHECKS["qemu_relro"].run(host).status is PASS

# SPDX-License-Identifier: Apache-2.0
"""QEMU's build properties: checks on compiled binaries and ELF files."""

import functools
import gc
import json
import os
import pathlib
import random
import re
import shutil
import struct
import sys
from collections import Counter
from dataclasses import replace

import pytest

from nova_vhard.host import cache
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.qemu import elf
from nova_vhard.host.qemu.elf import ElfFacts, Kind, Relro, examine, page_size
from nova_vhard.host.root import HostRoot, Unreadable
from tests import elf_files
from tests.elf_files import BARE, DT_FLAGS, DT_FLAGS_1, GOOD, LIBRARY, SMALL
from tests.trees import build, capabilities
from tests.unit.host.test_cases import CHECKS

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
PRELOADED = "/usr/lib/x86_64-linux-gnu/agent.so"
PRELOAD = "/etc/ld.so.preload"
UNLISTED = dict.fromkeys(("relro", "canary", "nx", "fortify"), UNKNOWN)
ERRORS = json.dumps([[MODULES, "EACCES"]])

LAZY, NO_RELRO = ("-Wl,-z,lazy",), ("-Wl,-z,norelro",)
EXECSTACK, NO_CANARY = ("-Wl,-z,execstack",), ("-fno-stack-protector",)
SO = ("-fPIC", "-shared")
LINKED = {X86: "-> /nix/store/a/bin/qemu-system-x86_64"}
UNNAMED = {"/CMD": None}

#: What every program of this machine is loaded with.
LIBRARIES = elf_files.libraries()


class Tree:
    """A host with a good emulator that libvirt names, and what is put in."""

    def __init__(self, folder, binaries):
        self.root, self.binaries = folder / "root", binaries
        build(self.root, named(X86))
        self.put(X86)
        for path in LIBRARIES:
            shutil.copy(path, self.place(path))

    def place(self, path):
        """Return where a file is to be."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def text(self, path, text):
        """Write a file or a link; None takes a folder away."""
        if text is None:
            shutil.rmtree(self.place(path))
        else:
            self.place(path).unlink(missing_ok=True)
            build(self.root, {path: text})

    def put(self, path, *flags):
        """Put a binary into the tree; the last flag may be a source."""
        source = elf_files.SOURCE
        if flags and flags[-1] in (LIBRARY, SMALL):
            *flags, source = flags
        made = self.binaries(*flags, source=source)
        return pathlib.Path(shutil.copy(made, self.place(path)))

    def host(self, state_dir=None):
        root = HostRoot(str(self.root))
        return Host(root, libvirt.of_tree(root, None), state_dir=state_dir)

    def run(self, name, state_dir=None):
        return CHECKS[f"qemu_{name}"].run(self.host(state_dir))

    def run_all(self):
        """Run all checks in one round; they share the results."""
        host = self.host()
        return {name: CHECKS[f"qemu_{name}"].run(host) for name in NAMES}


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
    return Tree(tmp_path, binaries)


def named(*paths):
    return {"/CMD/virsh-capabilities": capabilities(*paths)}


def modules(folder, **flags):
    """Return the binaries of a folder of modules; ``small`` is a small one."""
    return {
        f"{folder}/{name}.so": (
            *SO,
            *more,
            SMALL if name in ("small", "stack") else LIBRARY,
        )
        for name, more in flags.items()
    }


GOOD_MODULES = {"good": (), "small": ()}
BAD_MODULES = {**GOOD_MODULES, "lazy": LAZY, "stack": EXECSTACK}


@pytest.mark.parametrize(
    ("texts", "put", "others", "evidence"),
    [
        ({}, {}, {}, {"relro": f"\n{X86}: PIE, RELRO full"}),
        # As Arm's with 64 KiB, where the linker took 4 KiB.
        (
            {elf._HUGE: "536870912\n"},
            {},
            {"relro": FAIL},
            {"relro": "RELRO partial"},
        ),
        # One fault fails one check.
        ({}, {X86: LAZY}, {"relro": FAIL}, {"relro": f"\n{X86}: "}),
        ({}, {X86: NO_RELRO}, {"relro": FAIL}, {"relro": f"\n{X86}: "}),
        ({}, {X86: NO_CANARY}, {"canary": FAIL}, {"canary": f"\n{X86}: "}),
        ({}, {X86: EXECSTACK}, {"nx": FAIL}, {"nx": f"\n{X86}: "}),
        (
            {},
            {X86: ("-fno-pie", "-no-pie")},
            {"pie": FAIL},
            {"pie": f"\n{X86}: "},
        ),
        (
            {},
            {X86: ("-U_FORTIFY_SOURCE",)},
            {"fortify": FAIL},
            {"fortify": f"\n{X86}: "},
        ),
        # What cannot be told.
        (
            {},
            {X86: ("-static-pie",)},
            {"canary": UNKNOWN, "fortify": UNKNOWN},
            {},
        ),
        ({}, {X86: SO}, {"pie": UNKNOWN}, {}),
        (
            {X86: '#!/bin/sh\nexec qemu-kvm "$@"\n'},
            {},
            dict.fromkeys(NAMES, UNKNOWN),
            {"nx": "no ELF file"},
        ),
        # Every emulator counts, and what is wrong comes first.
        (
            named(X86, I386, KVM),
            {I386: (), KVM: NO_RELRO},
            {"relro": FAIL},
            {"relro": f"{KVM}\n{KVM}: "},
        ),
        ({}, {KVM: NO_RELRO}, {}, {}),
        (named(), {}, dict.fromkeys(NAMES, NOT_APPLICABLE), {}),
        # What is loaded with every program, if it is there.
        ({PRELOAD: "/usr/$LIB/agent.so"}, {}, {}, {}),
        (
            {PRELOAD: "/usr/$LIB/agent.so"},
            {PRELOADED: (*SO, *EXECSTACK, SMALL)},
            {"nx": FAIL},
            {"nx": f"\n{PRELOADED}"},
        ),
        (
            {PRELOAD: "# of an agent\nlibc.so.6:/usr/${LIB}/agent.so\n"},
            {PRELOADED: (*SO, *EXECSTACK, SMALL)},
            {"nx": FAIL},
            {"nx": f"\n{PRELOADED}"},
        ),
        (
            {PRELOAD: "# nothing: agent.so\n"},
            {PRELOADED: (*SO, *EXECSTACK, SMALL)},
            {},
            {},
        ),
        ({PRELOAD: "agent.so " * 65}, {}, {"nx": UNKNOWN}, {}),
        # Modules count.
        *(
            row
            for folder in (
                MODULES,
                "/usr/lib/qemu",
                "/usr/lib64/qemu",
                "/usr/lib64/qemu-kvm",
            )
            for row in (
                (
                    {},
                    modules(folder, **GOOD_MODULES),
                    {},
                    {"canary": f"{folder}/*.so: stack canaries seen in 1 of"},
                ),
                (
                    {},
                    modules(folder, **BAD_MODULES),
                    {"relro": FAIL, "nx": FAIL},
                    {"relro": f"{folder}/lazy.so: shared object, RELRO part"},
                ),
            )
        ),
        (
            {"/ERRORS.json": ERRORS},
            modules(MODULES, **GOOD_MODULES),
            UNLISTED,
            {},
        ),
        # Which does not hide an emulator that is wrong.
        (
            {"/ERRORS.json": ERRORS},
            {X86: LAZY, **modules(MODULES, **GOOD_MODULES)},
            {**UNLISTED, "relro": FAIL},
            {},
        ),
        (
            LINKED,
            {
                "/nix/store/a/bin/qemu-system-x86_64": (),
                **modules("/nix/store/a/lib/qemu", good=NO_RELRO),
            },
            {"relro": FAIL},
            {},
        ),
        # Without libvirt unknown at best; emulators are where it looks.
        (
            UNNAMED,
            {},
            dict.fromkeys(NAMES, UNKNOWN),
            {"relro": f"\n{X86}: PIE, RELRO full"},
        ),
        *(
            (
                UNNAMED,
                {path: NO_RELRO},
                {**dict.fromkeys(NAMES, UNKNOWN), "relro": status},
                {},
            )
            for path, status in (
                (X86, FAIL),
                (KVM, FAIL),
                ("/usr/local/bin/qemu-system-aarch64", FAIL),
                ("/usr/bin/qemu-kvm", FAIL),
                ("/usr/bin/qemu-system-x86_64-microvm", UNKNOWN),
                ("/usr/bin/qemu-img", UNKNOWN),
            )
        ),
    ],
)
def test_emulators(tree, texts, put, others, evidence):
    """All checks pass but others; what is put has flags and a source."""
    for path, text in texts.items():
        tree.text(path, text)
    for path, flags in put.items():
        tree.put(path, *flags)
    results = tree.run_all()
    statuses = {name: result.status for name, result in results.items()}
    assert statuses == dict.fromkeys(NAMES, PASS) | others
    for name, text in evidence.items():
        assert text in "\n".join(results[name].evidence)


#: CAP_NET_RAW, permitted and effective, in version 2.
GIVEN = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


@pytest.mark.parametrize(
    ("mode", "given", "text"),
    [
        (0o4755, None, ", setuid"),
        (0o2755, None, ", setgid"),
        # Like setuid, capabilities give a guest's process more privileges.
        pytest.param(
            *(0o755, GIVEN, ", with capabilities"),
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
        ),
    ],
)
def test_an_emulator_with_more_rights_is_a_fail(tree, mode, given, text):
    place = tree.put(X86)
    place.chmod(mode)
    if given:
        os.setxattr(place, "security.capability", given)
    result = tree.run("pie")
    assert (result.status, result.evidence[1]) == (FAIL, f"{X86}: PIE{text}")


def test_a_list_of_what_is_loaded_that_is_a_pipe(tree):
    os.mkfifo(tree.place(PRELOAD))
    assert tree.run("nx").status is UNKNOWN


def test_an_emulator_that_is_not_there_is_unknown(tree):
    tree.place(X86).unlink()
    for result in tree.run_all().values():
        assert result.status is UNKNOWN
        assert "No such file" in "".join(result.evidence)


def test_a_round_says_what_each_check_says_alone(tree):
    tree.put(f"{MODULES}/a.so", *SO, LIBRARY)
    assert tree.run_all() == {name: tree.run(name) for name in NAMES}


def test_a_library_with_an_executable_stack(tree):
    library = tree.put("/usr/bin/libloose.so", *SO, *EXECSTACK, SMALL)
    words = ("-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN", "-l:libloose.so")
    elf_files.build(tree.place(X86), (*GOOD, f"-L{library.parent}", *words))
    result = tree.run("nx")
    assert result.status is FAIL
    assert result.evidence[1].startswith("/usr/bin/libloose.so: stack")
    library.unlink()
    result = tree.run("nx")
    assert result.status is UNKNOWN
    assert "libloose.so is not found" in " ".join(result.evidence)


@pytest.fixture
def opened(monkeypatch):
    """Return the binaries that were opened."""
    paths, read = [], HostRoot.open

    def counted(self, path):
        if not path.startswith(("/CMD", "/ERRORS", "/etc", "/lib", "/sys")):
            paths.append(path)
        return read(self, path)

    monkeypatch.setattr(HostRoot, "open", counted)
    return paths


@pytest.fixture
def state(tmp_path):
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def rounds(tree, opened, state):
    """Run all checks as another process; return what was opened, and said."""

    def run(state_dir=str(state)):
        opened.clear()
        cache._MEMORY.clear()
        result = {name: tree.run(name, state_dir) for name in NAMES}
        return sorted(set(opened)), result

    return run


def test_a_second_round_opens_no_binary(tree, opened, state, rounds):
    module = f"{MODULES}/a.so"
    tree.put(module, *SO, LIBRARY)
    first, result = rounds()
    assert (first, len(opened)) == (sorted((X86, module)), 2)
    (file,) = state.iterdir()
    written = file.stat().st_mtime_ns
    assert rounds() == ([], result)
    # Nothing has changed, and nothing is written.
    assert (file.name, file.stat().st_mtime_ns) == ("elf-cache.json", written)


def test_a_changed_binary_does_not_go_unnoticed(tree, rounds):
    place = tree.place(X86)
    rounds()

    def set_flag():
        """Change the content, but restore the size and the times."""
        before = place.stat()
        elf_files.change_header(place, elf_files.PT_GNU_STACK, flags=7)
        os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert place.stat().st_mtime_ns == before.st_mtime_ns

    for change, name in (
        (functools.partial(place.chmod, 0o4755), "pie"),
        (set_flag, "nx"),
        (functools.partial(tree.put, X86, *LAZY), "relro"),
    ):
        change()
        again, changed = rounds()
        assert (again, changed[name].status) == ([X86], FAIL)


def test_without_a_folder_one_round_reads_once(opened, rounds):
    rounds(None)
    assert opened == [X86]


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "[" * 100000,
        "\0\1\2",
        "null",
        '{"version": 1}',
        '{"version": 1, "results": 5}',
        {"version": 99},
        {"result": 7},
        {"nx": "yes"},
        {"canary": 1},
        {"kind": "novel"},
        {"relro": "novel"},
        {"more": True},
    ],
)
def test_a_damaged_cache_is_ignored_and_written_again(state, rounds, damage):
    _, result = rounds()
    (file,) = state.iterdir()
    good = file.read_text()
    text, content = damage, json.loads(good)
    if isinstance(damage, dict):
        for key, kept in content["results"].items():
            content["results"][key] = damage.get("result", kept | damage)
        content["version"] = damage.get("version", content["version"])
        text = json.dumps(content)
    file.write_text(text)
    assert rounds() == ([X86], result)
    assert file.read_text() == good
    assert list(state.iterdir()) == [file]


def test_a_folder_that_cannot_be_written_is_one_warning(
    rounds, tmp_path, caplog
):
    for _ in range(2):
        _, result = rounds(str(tmp_path / "none"))
        assert result["relro"].status is PASS
    (warning,) = caplog.messages
    assert "cannot be kept" in warning


def test_what_one_check_has_read_the_others_of_a_round_judge(tree):
    """A round does not share UNKNOWN results."""
    host, hidden = tree.host(), tree.root / "hidden"
    relro, canary = CHECKS["qemu_relro"], CHECKS["qemu_canary"]
    (tree.root / "CMD").rename(hidden)
    assert relro.run(host).status is UNKNOWN
    hidden.rename(tree.root / "CMD")
    assert relro.run(host).status is PASS
    tree.put(X86, *NO_CANARY, *LAZY)
    assert canary.run(host).status is PASS
    # The next round has a Host of its own.
    assert tree.run("canary").status is tree.run("relro").status is FAIL


# Build properties of compiled, damaged and malicious binaries.


NONE, PARTIAL, FULL = Relro.NONE, Relro.PARTIAL, Relro.FULL
EXECUTABLE, STATIC, SHARED = Kind.EXECUTABLE, Kind.STATIC, Kind.SHARED
PIE, STATIC_PIE = Kind.PIE, Kind.STATIC_PIE

compiled = pytest.mark.skipif(
    elf_files.COMPILER is None, reason="gcc is not installed"
)

NO_FORTIFY = ("-U_FORTIFY_SOURCE",)
NO_PIE = ("-fno-pie", "-no-pie")
NAKED = ("-nostdlib", "-ffreestanding", "-static", *NO_CANARY, *NO_PIE)

# The expected results of each set of flags, written by hand: kind, RELRO, NX,
# canary, FORTIFY; None if it cannot be determined.
BUILDS = [
    ("good", (), PIE, FULL, True, True, True),
    ("lazy", (*LAZY,), PIE, PARTIAL, True, True, True),
    ("norelro", (*NO_RELRO,), PIE, NONE, True, True, True),
    ("norelro-lazy", (*NO_RELRO, *LAZY), PIE, NONE, True, True, True),
    ("execstack", (*EXECSTACK,), PIE, FULL, False, True, True),
    ("no-canary", (*NO_CANARY,), PIE, FULL, True, False, True),
    ("no-fortify", (*NO_FORTIFY,), PIE, FULL, True, True, False),
    (
        "neither",
        (*NO_CANARY, *NO_FORTIFY),
        *(PIE, FULL, True, False, False),
    ),
    ("no-pie", NO_PIE, EXECUTABLE, FULL, True, True, True),
    ("no-pie-lazy", (*NO_PIE, *LAZY), EXECUTABLE, PARTIAL, True, True, True),
    (
        "no-pie-norelro",
        (*NO_PIE, *NO_RELRO),
        *(EXECUTABLE, NONE, True, True, True),
    ),
    (
        "no-pie-no-canary",
        (*NO_PIE, *NO_CANARY),
        *(EXECUTABLE, FULL, True, False, True),
    ),
    (
        "no-pie-execstack",
        (*NO_PIE, *EXECSTACK, *NO_FORTIFY),
        *(EXECUTABLE, FULL, False, True, False),
    ),
    (
        "nothing",
        (*NO_PIE, *NO_RELRO, *LAZY, *EXECSTACK, *NO_CANARY, *NO_FORTIFY),
        *(EXECUTABLE, NONE, False, False, False),
    ),
    ("static", (*NO_PIE, "-static"), STATIC, FULL, True, None, None),
    (
        "static-no-canary",
        (*NO_PIE, "-static", *NO_CANARY, *NO_FORTIFY),
        *(STATIC, FULL, True, None, None),
    ),
    (
        # glibc's IFUNC slots are outside the read-only area.
        "static-lazy",
        (*NO_PIE, "-static", *LAZY),
        *(STATIC, PARTIAL, True, None, None),
    ),
    (
        "static-norelro",
        (*NO_PIE, "-static", *NO_RELRO),
        *(STATIC, NONE, True, None, None),
    ),
    (
        "static-execstack",
        (*NO_PIE, "-static", *EXECSTACK),
        *(STATIC, FULL, False, None, None),
    ),
    ("static-pie", ("-static-pie",), STATIC_PIE, FULL, True, None, None),
    (
        "static-pie-lazy",
        ("-static-pie", *LAZY, *NO_FORTIFY),
        *(STATIC_PIE, PARTIAL, True, None, None),
    ),
    (
        "static-pie-norelro",
        ("-static-pie", *NO_RELRO, *NO_CANARY),
        *(STATIC_PIE, NONE, True, None, None),
    ),
    ("so", SO, SHARED, FULL, True, True, True),
    ("so-lazy", (*SO, *LAZY), SHARED, PARTIAL, True, True, True),
    ("so-norelro", (*SO, *NO_RELRO), SHARED, NONE, True, True, True),
    ("so-execstack", (*SO, *EXECSTACK), SHARED, FULL, False, True, True),
    ("so-small", SO, SHARED, FULL, True, None, None),
    ("so-no-canary", (*SO, *NO_CANARY), SHARED, FULL, True, None, True),
    ("so-no-fortify", (*SO, *NO_FORTIFY), SHARED, FULL, True, True, None),
]


def of(path):
    return examine(HostRoot(str(path.parent)), f"/{path.name}")[1]


def build_of(path):
    """Return the facts on the build of a binary, without those on loading."""
    return replace(of(path), needed=(), search=(), machine="")


def built(folder, name, *flags, source=elf_files.SOURCE):
    return elf_files.build(folder / name, (*GOOD, *flags), source)


@pytest.fixture
def binary(tmp_path):
    """Return a good binary for a test to modify."""
    return built(tmp_path, "binary")


@compiled
@pytest.mark.parametrize(
    ("name", "flags", "kind", "relro", "nx", "canary", "fortify"),
    BUILDS,
    ids=[each[0] for each in BUILDS],
)
def test_every_combination_of_flags(
    tmp_path, name, flags, kind, relro, nx, canary, fortify
):
    source = elf_files.SOURCE
    if kind is SHARED:
        source = SMALL if name == "so-small" else LIBRARY
    path = built(tmp_path, name, *flags, source=source)
    expected = (kind, relro, nx, canary, fortify)
    assert build_of(path) == ElfFacts(*expected, False, False, False)


@compiled
@pytest.mark.parametrize("sections", [True, False])
@pytest.mark.parametrize(
    ("flags", "kind", "canary", "fortify"),
    [
        ((), PIE, True, True),
        ((*NO_CANARY, *NO_FORTIFY), PIE, False, False),
        (NO_PIE, EXECUTABLE, True, True),
        ((*NO_PIE, "-static"), STATIC, None, None),
        (("-static-pie",), STATIC_PIE, None, None),
    ],
)
def test_stripped(tmp_path, sections, flags, kind, canary, fortify):
    path = built(tmp_path, "stripped", *flags, "-s")
    if not sections:
        # Same as strip --strip-section-headers.
        data = bytearray(path.read_bytes())
        data[40:48] = bytes(8)
        data[60:64] = bytes(4)
        path.write_bytes(data)
    # Only section headers lead to the relocations of a static program.
    relro = FULL if sections or kind is not STATIC else None
    expected = (kind, relro, True, canary, fortify)
    assert build_of(path) == ElfFacts(*expected, True, False, False)


@compiled
def test_a_static_program_without_libc_tells(tmp_path):
    for more, canary in (((), False), (("-s",), None)):
        facts = of(built(tmp_path, "bare", *NAKED, *more, source=BARE))
        assert (facts.kind, facts.canary) == (STATIC, canary)


_RELACOUNT = 0x6FFFFFF9


@compiled
@pytest.mark.parametrize(
    ("flags", "more", "tag", "relro"),
    [
        (8, 0, None, FULL),
        (0, 1, None, FULL),
        (0, 0, elf_files.DT_BIND_NOW, FULL),
        (0, 0, None, PARTIAL),
    ],
)
def test_each_spelling_of_immediate_binding(binary, flags, more, tag, relro):
    # Replace a tag that only saves the loader some time.
    other = {_RELACOUNT: (tag, 0)} if tag else {}
    changes = {
        DT_FLAGS: (DT_FLAGS, flags),
        DT_FLAGS_1: (DT_FLAGS_1, 0x08000000 | more),
    }
    elf_files.change_tags(binary, changes | other)
    assert (tag in elf_files.tags(binary)) == bool(tag)
    assert of(binary).relro is relro


@compiled
@pytest.mark.parametrize(
    ("huge", "page"),
    [(1 << 21, 4096), (1 << 29, 65536), (7, 4096), ("", 4096)],
)
def test_what_is_protected_ends_with_a_page_of_the_kernels(binary, huge, page):
    """The loader rounds down: the rest of the last page stays writable."""
    root = HostRoot(build(binary.parent, {elf._HUGE: f"{huge}\n"}))
    assert page_size(root) == page
    expected = PARTIAL if elf_files.relro_end(binary) % page else FULL
    assert examine(root, "/binary", page)[1].relro is expected
    assert huge != 1 << 29 or expected is PARTIAL, "no test of what is left"


@compiled
def test_what_a_linker_would_not_write(binary):
    """No stack header; writable code; an older PIE."""
    good = binary.read_bytes()
    for kind, change in (
        (elf_files.PT_GNU_STACK, {"type": elf_files.PT_NULL}),
        (elf_files.PT_LOAD, {"flags": 7}),
    ):
        elf_files.change_header(binary, kind, **change)
        assert of(binary).nx is False
        binary.write_bytes(good)
    elf_files.change_tags(binary, {DT_FLAGS_1: (DT_FLAGS_1, 1)})
    assert of(binary).kind is PIE


@compiled
def test_a_library_that_can_be_executed_is_no_pie(tmp_path):
    flags = (*SO, "-Wl,-soname,lib.so", "-Wl,--dynamic-linker=/lib/ld.so")
    source = f'{LIBRARY}\nconst char i[] __attribute__((section(".interp")))'
    source += ' = "/lib/ld.so";\n'
    path = built(tmp_path, "lib.so", *flags, source=source)
    kinds = [each[1] for each in elf_files.headers(path.read_bytes())]
    assert elf_files.PT_INTERP in kinds
    assert of(path).kind is SHARED


@compiled
def test_musl_fortifies_without_a_name(tmp_path):
    path = built(tmp_path, "binary", *NO_FORTIFY)
    assert of(path).fortify is False
    old = re.search(rb"/lib[^\0]*/ld-linux[^\0]*\0", path.read_bytes())[0]
    elf_files.change_bytes(path, old, b"/lib/ld-musl\0".ljust(len(old), b"\0"))
    assert of(path).fortify is None


@compiled
@pytest.mark.parametrize(
    ("mode", "setuid", "setgid"),
    [(0o4755, True, False), (0o2755, False, True), (0o755, False, False)],
)
def test_setuid(binary, mode, setuid, setgid):
    binary.chmod(mode)
    assert (of(binary).setuid, of(binary).setgid) == (setuid, setgid)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("names", "canary", "fortify"),
    [
        ([b"__stack_chk_fail", b"__memcpy_chk"], True, True),
        # The canary's function is not one of FORTIFY.
        ([b"__stack_chk_fail", b"memcpy"], True, False),
        ([b"memcpy", b"__memcpy_chk"], False, True),
        # Parts of names do not match.
        ([b"x__stack_chk_fail", b"__stack_chk_fail_local"], False, False),
        ([b"qemu_chk", b"__memcpy_chk2"], False, False),
        ([], False, False),
    ],
)
def test_words_of_any_width_and_order(
    tmp_path, bits, order, names, canary, fortify
):
    path = tmp_path / "binary"
    path.write_bytes(elf_files.made(bits, order, names))
    assert build_of(path) == ElfFacts(
        PIE, FULL, True, canary, fortify, True, False, False
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no ELF file"),
        (b'#!/bin/sh\nexec qemu-system-x86_64 "$@"\n', "no ELF file"),
        (b"\x7fELF", "cut off"),
        (b"\x7fELF" + bytes(100), "damaged or cut off"),
        (elf_files.made(64, "<", [b"x"])[:-1], "no segment|cut off"),
        (elf_files.made(64, "<", [b"x"])[:200], "cut off"),
        # A pipe does not hang.
        (None, "not a plain file"),
    ],
)
def test_what_is_no_elf_file_says_so(tmp_path, content, why):
    path = tmp_path / "binary"
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    with pytest.raises(Unreadable, match=why) as caught:
        of(path)
    assert not caught.value.missing and "/binary" in str(caught.value)


def test_without_pyelftools_it_says_so(tmp_path, monkeypatch):
    path = tmp_path / "binary"
    path.write_bytes(elf_files.made(64, "<", []))
    monkeypatch.setitem(sys.modules, "elftools.elf.elffile", None)
    with pytest.raises(Unreadable, match="pyelftools is not installed"):
        of(path)


def mutated(data, rng):
    """Return a file with a few bytes or fields changed, or truncated."""
    changed = bytearray(data)
    extreme = (0, 1, 0x7F, 0x80, 0xFF)
    for _ in range(rng.randint(1, 8)):
        # Most changes are in the headers and in the tables after them.
        end = rng.choice((64, 1024, len(changed)))
        place = rng.randrange(min(end, len(changed)))
        length = rng.choice((1, 1, 2, 4, 8))
        value = rng.choice((rng.choice(extreme), rng.randrange(256)))
        changed[place : place + length] = bytes((value,)) * length
    if rng.random() < 0.1:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed)


def test_damaged_files_are_an_answer_or_a_clear_error(tmp_path):
    rng = random.Random(20260615)
    kinds = [
        elf_files.made(bits, order, [b"__stack_chk_fail", b"__memcpy_chk"])
        for bits in (32, 64)
        for order in "<>"
    ]
    if elf_files.COMPILER:
        kinds.append(built(tmp_path, "good").read_bytes())
        kinds.append(built(tmp_path, "so", *SO, source=LIBRARY).read_bytes())
    path, counts = tmp_path / "damaged", Counter()
    for _ in range(1400):
        path.write_bytes(mutated(rng.choice(kinds), rng))
        try:
            counts[type(of(path))] += 1
        except Unreadable as error:
            counts[type(error)] += bool(str(error))
    assert counts.total() == 1400
    assert min(counts[ElfFacts], counts[Unreadable]) > 200


def test_a_binary_that_was_examined_is_not_mapped_any_longer(
    tmp_path,
):
    program = tmp_path / "program"
    program.write_bytes(pathlib.Path("/proc/self/exe").read_bytes())
    # The garbage collector would also unmap the file at some point.
    gc.disable()
    try:
        of(program)
        maps = pathlib.Path("/proc/self/maps").read_text()
    finally:
        gc.enable()
    assert str(program) not in maps

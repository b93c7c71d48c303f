# SPDX-License-Identifier: Apache-2.0
"""The checks of how QEMU was built, over trees with compiled binaries."""

import functools
import json
import os
import pathlib
import shutil
import struct

import pytest

from nova_vhard.host import cache
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.qemu import elf
from nova_vhard.host.root import HostRoot
from tests import elf_files
from tests.elf_files import GOOD, LIBRARY, SMALL
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

LAZY, NORELRO = ("-Wl,-z,lazy",), ("-Wl,-z,norelro",)
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
        """Put a binary into the tree; the last of its flags is a source."""
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
        """Run all checks in one round, which shares what it finds out."""
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
        ({}, {X86: NORELRO}, {"relro": FAIL}, {"relro": f"\n{X86}: "}),
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
            {I386: (), KVM: NORELRO},
            {"relro": FAIL},
            {"relro": f"{KVM}\n{KVM}: "},
        ),
        ({}, {KVM: NORELRO}, {}, {}),
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
                **modules("/nix/store/a/lib/qemu", good=NORELRO),
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
                {path: NORELRO},
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
        # As setuid: a guest's process gets what libvirt did not give it.
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
    flags = (*GOOD, f"-L{library.parent}", *words)
    elf_files.build(tree.place(X86), flags)
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
        """Change its content, not its length, and set the time back."""
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
    """But not what could not be told."""
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

# SPDX-License-Identifier: Apache-2.0
"""QEMU's build properties: checks on compiled binaries and ELF files.

The table of emulators is in cases/emulators.yaml.
"""

import gc
import json
import os
import pathlib
import random
import re
import struct
import sys
from collections import Counter
from dataclasses import replace
from unittest import mock

import pytest

from nova_vhard.host import cache
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.qemu import elf, qemu_binaries
from nova_vhard.host.qemu.elf import ElfFacts, Kind, Relro, examine, page_size
from nova_vhard.host.root import HostRoot, Unreadable
from tests import elf_files
from tests.elf_files import BARE, DT_FLAGS, DT_FLAGS_1, GOOD, LIBRARY, SMALL
from tests.trees import build
from tests.unit.host.hardened import QEMU
from tests.unit.host.test_cases import CHECKS, HOSTS, Tree

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
NAMES = ("relro", "canary", "nx", "pie", "fortify")
LAZY, NO_RELRO = ("-Wl,-z,lazy",), ("-Wl,-z,norelro",)
EXECSTACK, NO_CANARY = ("-Wl,-z,execstack",), ("-fno-stack-protector",)
SO = ("-fPIC", "-shared")


@pytest.fixture
def tree(tmp_path):
    """Return a host with a good emulator, which libvirt names."""
    (tmp_path / "kept").mkdir()
    return Tree(HOSTS["emulator"]("", tmp_path / "root"), tmp_path / "kept")


def host_of(tree, state_dir=None):
    root = HostRoot(str(tree.root))
    return Host(root, libvirt.of_tree(root, None), state_dir=state_dir)


def run(tree, name):
    return CHECKS[f"qemu_{name}"].run(host_of(tree))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_an_emulator_with_capabilities_is_a_fail(tree):
    """Like setuid, capabilities give a guest's process more privileges."""
    # CAP_NET_RAW, permitted and effective, in version 2.
    given = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
    os.setxattr(tree.root / QEMU[1:], "security.capability", given)
    result = run(tree, "pie")
    expected = f"{QEMU}: PIE, with capabilities"
    assert (result.status, result.evidence[1]) == (FAIL, expected)


def test_a_library_with_an_executable_stack(tree):
    loose = elf_files.compiled(*SO, *EXECSTACK, source=SMALL)
    tree.put("/usr/bin/libloose.so", loose)
    place = tree.root / QEMU[1:]
    words = ("-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN", "-l:libloose.so")
    elf_files.build(place, (*GOOD, f"-L{place.parent}", *words))
    result = run(tree, "nx")
    assert result.status is FAIL
    assert result.evidence[1].startswith("/usr/bin/libloose.so: stack")


@pytest.fixture
def rounds(tree, tmp_path, monkeypatch):
    """Return a function that runs all checks as in a new process.

    It returns the binaries that were read, and the results.
    """
    examined = mock.Mock(wraps=examine)
    monkeypatch.setattr(qemu_binaries, "examine", examined)
    (tmp_path / "state").mkdir()

    def round_(state_dir=str(tmp_path / "state")):
        examined.reset_mock()
        cache._MEMORY.clear()
        result = {
            name: CHECKS[f"qemu_{name}"].run(host_of(tree, state_dir))
            for name in NAMES
        }
        read = [call.args[1] for call in examined.mock_calls]
        return [path for path in read if path.startswith("/usr")], result

    return round_


def test_a_second_round_reads_no_binary(tree, tmp_path, rounds):
    module = "/usr/lib/x86_64-linux-gnu/qemu/a.so"
    tree.put(module, elf_files.compiled(*SO, source=LIBRARY))
    # Without a folder for the cache, a round reads each binary once.
    assert rounds(None)[0] == [QEMU, module]
    read, result = rounds()
    assert read == [QEMU, module]
    (file,) = (tmp_path / "state").iterdir()
    written = file.stat().st_mtime_ns
    assert rounds() == ([], result)
    # Nothing has changed, and nothing is written.
    assert (file.name, file.stat().st_mtime_ns) == ("elf-cache.json", written)


def test_a_changed_binary_does_not_go_unnoticed(tree, rounds):
    """Even if its size and its times are the same."""
    place = tree.root / QEMU[1:]
    rounds()
    place.chmod(0o4755)
    assert rounds()[1]["pie"].status is FAIL
    before = place.stat()
    elf_files.change_header(place, elf_files.PT_GNU_STACK, flags=7)
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert rounds()[1]["nx"].status is FAIL
    place.write_bytes(elf_files.compiled(*LAZY))
    read, result = rounds()
    assert (read, result["relro"].status) == ([QEMU], FAIL)


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
def test_a_damaged_cache_is_ignored_and_written_again(
    tmp_path, rounds, damage
):
    _, result = rounds()
    (file,) = (tmp_path / "state").iterdir()
    good = file.read_text()
    text, content = damage, json.loads(good)
    if isinstance(damage, dict):
        for key, kept in content["results"].items():
            content["results"][key] = damage.get("result", kept | damage)
        content["version"] = damage.get("version", content["version"])
        text = json.dumps(content)
    file.write_text(text)
    assert rounds() == ([QEMU], result)
    assert file.read_text() == good
    assert list(file.parent.iterdir()) == [file]


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
    host, hidden = host_of(tree), tree.root / "hidden"
    relro, canary = CHECKS["qemu_relro"], CHECKS["qemu_canary"]
    (tree.root / "CMD").rename(hidden)
    assert relro.run(host).status is UNKNOWN
    hidden.rename(tree.root / "CMD")
    assert relro.run(host).status is PASS
    tree.put(QEMU, elf_files.compiled(*NO_CANARY))
    assert canary.run(host).status is PASS
    # The next round has a Host of its own.
    assert run(tree, "canary").status is FAIL


# Build properties of compiled, damaged and malicious binaries.


NONE, PARTIAL, FULL = Relro.NONE, Relro.PARTIAL, Relro.FULL
EXECUTABLE, STATIC, SHARED = Kind.EXECUTABLE, Kind.STATIC, Kind.SHARED
PIE, STATIC_PIE = Kind.PIE, Kind.STATIC_PIE
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


@pytest.fixture
def built(tmp_path):
    """Return a function that builds a binary, a good one by default."""

    def put(*flags, source=elf_files.SOURCE):
        path = tmp_path / "binary"
        path.write_bytes(elf_files.compiled(*flags, source=source))
        return path

    return put


@pytest.mark.parametrize(
    ("name", "flags", "kind", "relro", "nx", "canary", "fortify"),
    BUILDS,
    ids=[each[0] for each in BUILDS],
)
def test_every_combination_of_flags(
    built, name, flags, kind, relro, nx, canary, fortify
):
    source = LIBRARY if kind is SHARED else elf_files.SOURCE
    path = built(*flags, source=SMALL if name == "so-small" else source)
    expected = (kind, relro, nx, canary, fortify)
    assert build_of(path) == ElfFacts(*expected, False, False, False)


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
def test_stripped(built, sections, flags, kind, canary, fortify):
    path = built(*flags, "-s")
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


@pytest.mark.parametrize(("more", "canary"), [((), False), (("-s",), None)])
def test_a_static_program_without_libc_tells(built, more, canary):
    facts = of(built(*NAKED, *more, source=BARE))
    assert (facts.kind, facts.canary) == (STATIC, canary)


#: Tags; tests replace the first one, which only saves the loader some time.
_RELACOUNT, _RPATH, _RUNPATH = 0x6FFFFFF9, 15, 29
#: Nothing is bound at once.
BOUND_LAZILY = {DT_FLAGS: (DT_FLAGS, 0), DT_FLAGS_1: (DT_FLAGS_1, 0x08000000)}
STACK, FRAME = elf_files.PT_GNU_STACK, 0x6474E550
OLD_PATH = ("-Wl,--disable-new-dtags,-rpath,/a:/b",)
NEW_PATH = ("-Wl,--enable-new-dtags,-rpath,/a:/b",)


@pytest.mark.parametrize(
    ("flags", "headers", "tags", "expected"),
    [
        # Each spelling of immediate binding is enough.
        (
            (),
            {},
            BOUND_LAZILY | {DT_FLAGS: (DT_FLAGS, 8)},
            {"relro": FULL, "kind": PIE},
        ),
        (
            (),
            {},
            BOUND_LAZILY | {DT_FLAGS_1: (DT_FLAGS_1, 0x08000001)},
            {"relro": FULL},
        ),
        (
            (),
            {},
            BOUND_LAZILY | {_RELACOUNT: (elf_files.DT_BIND_NOW, 0)},
            {"relro": FULL},
        ),
        ((), {}, BOUND_LAZILY, {"relro": PARTIAL}),
        (
            ("-static-pie",),
            {},
            BOUND_LAZILY,
            {"relro": PARTIAL, "kind": STATIC_PIE},
        ),
        # An empty RELRO segment.
        ((), {0x6474E552: {"memory": 0}}, {}, {"relro": NONE}),
        # No stack header, or two of which one allows execution.
        ((), {STACK: {"type": elf_files.PT_NULL}}, {}, {"nx": False}),
        ((), {FRAME: {"type": STACK, "flags": 6}}, {}, {"nx": True}),
        ((), {FRAME: {"type": STACK, "flags": 7}}, {}, {"nx": False}),
        (
            (),
            {STACK: {"flags": 7}, FRAME: {"type": STACK, "flags": 6}},
            {},
            {"nx": False},
        ),
        # Writable code.
        ((), {elf_files.PT_LOAD: {"flags": 7}}, {}, {"nx": False}),
        # An older PIE.
        ((), {}, {DT_FLAGS_1: (DT_FLAGS_1, 1)}, {"kind": PIE}),
        # The loader ignores DT_RPATH if DT_RUNPATH exists, even if empty.
        (OLD_PATH, {}, {}, {"search": ("/a", "/b")}),
        (NEW_PATH, {}, {_RELACOUNT: (_RPATH, 1)}, {"search": ("/a", "/b")}),
        (OLD_PATH, {}, {_RELACOUNT: (_RUNPATH, 0)}, {"search": ("",)}),
    ],
)
def test_files_that_no_linker_writes(built, flags, headers, tags, expected):
    path = built(*flags)
    for kind, change in headers.items():
        elf_files.change_header(path, kind, **change)
    assert tags.keys() <= elf_files.tags(path).keys()
    elf_files.change_tags(path, tags)
    facts = of(path)
    assert {name: getattr(facts, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("huge", "page"),
    [(1 << 21, 4096), (1 << 29, 65536), (7, 4096), ("", 4096)],
)
def test_relro_ends_with_a_page_of_the_kernel(built, huge, page):
    """The loader rounds down: the rest of the last page stays writable."""
    binary = built()
    root = HostRoot(build(binary.parent, {elf._HUGE: f"{huge}\n"}))
    assert page_size(root) == page
    expected = PARTIAL if elf_files.relro_end(binary) % page else FULL
    assert examine(root, "/binary", page)[1].relro is expected
    assert huge != 1 << 29 or expected is PARTIAL, "no test of what is left"


def test_a_library_that_can_be_executed_is_no_pie(built):
    flags = (*SO, "-Wl,-soname,lib.so", "-Wl,--dynamic-linker=/lib/ld.so")
    section = 'const char i[] __attribute__((section(".interp")))'
    path = built(*flags, source=f'{LIBRARY}\n{section} = "/lib/ld.so";\n')
    kinds = [each[1] for each in elf_files.headers(path.read_bytes())]
    assert elf_files.PT_INTERP in kinds
    assert of(path).kind is SHARED


def test_musl_fortifies_without_a_name(built):
    path = built(*NO_FORTIFY)
    assert of(path).fortify is False
    old = re.search(rb"/lib[^\0]*/ld-linux[^\0]*\0", path.read_bytes())[0]
    elf_files.change_bytes(path, old, b"/lib/ld-musl\0".ljust(len(old), b"\0"))
    assert of(path).fortify is None


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
        ("", "no ELF file"),
        ('#!/bin/sh\nexec qemu-system-x86_64 "$@"\n', "no ELF file"),
        ("\x7fELF", "cut off"),
        (b"\x7fELF" + bytes(100), "damaged or cut off"),
        (elf_files.made(64, "<", [b"x"])[:-1], "no segment|cut off"),
        (elf_files.made(64, "<", [b"x"])[:200], "cut off"),
        # A pipe does not hang.
        ("|", "not a plain file"),
    ],
)
def test_what_is_no_elf_file_says_so(tmp_path, content, why):
    root = HostRoot(build(tmp_path, {"/binary": content}))
    with pytest.raises(Unreadable, match=why) as caught:
        examine(root, "/binary")
    assert not caught.value.missing and "/binary" in str(caught.value)


def test_without_pyelftools_it_says_so(built, monkeypatch):
    monkeypatch.setitem(sys.modules, "elftools.elf.elffile", None)
    with pytest.raises(Unreadable, match="pyelftools is not installed"):
        of(built())


def mutated(data, rng):
    """Return a file with a few bytes or fields changed, or truncated."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        # Most changes are in the headers and in the tables after them.
        place = rng.randrange(min(rng.choice((64, 1024, 9999)), len(data)))
        length = rng.choice((1, 1, 2, 4, 8))
        value = rng.choice((0, 1, 0x7F, 0x80, 0xFF, *rng.randbytes(5)))
        changed[place : place + length] = bytes((value,)) * length
    end = place if rng.random() < 0.1 else len(data)
    return bytes(changed[:end])


def test_damaged_files_are_an_answer_or_a_clear_error(tmp_path):
    rng = random.Random(20260615)
    kinds = [
        *(
            elf_files.made(bits, order, [b"__stack_chk_fail", b"__memcpy_chk"])
            for bits in (32, 64)
            for order in "<>"
        ),
        elf_files.compiled(),
        elf_files.compiled(*SO, source=LIBRARY),
    ]
    path, counts = tmp_path / "damaged", Counter()
    for _ in range(1400):
        path.write_bytes(mutated(rng.choice(kinds), rng))
        try:
            counts[type(of(path))] += 1
        except Unreadable as error:
            counts[type(error)] += bool(str(error))
    assert counts.total() == 1400
    assert min(counts[ElfFacts], counts[Unreadable]) > 200


def test_a_binary_that_was_examined_is_not_mapped_any_longer(built):
    program = built()
    # The garbage collector would also unmap the file at some point.
    gc.disable()
    try:
        of(program)
        maps = pathlib.Path("/proc/self/maps").read_text()
    finally:
        gc.enable()
    assert str(program) not in maps

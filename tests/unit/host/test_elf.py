# SPDX-License-Identifier: Apache-2.0
"""Build properties of binaries: compiled, damaged and hostile ones."""

import gc
import os
import pathlib
import random
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from nova_vhard.host.qemu import elf
from nova_vhard.host.qemu.elf import ElfFacts, Kind, Relro, examine, page_size
from nova_vhard.host.root import HostRoot, Unreadable
from tests import elf_files
from tests.elf_files import BARE, DT_FLAGS, DT_FLAGS_1, GOOD, LIBRARY, SMALL
from tests.trees import build

NONE, PARTIAL, FULL = Relro.NONE, Relro.PARTIAL, Relro.FULL
EXECUTABLE, STATIC, SHARED = Kind.EXECUTABLE, Kind.STATIC, Kind.SHARED
PIE, STATIC_PIE = Kind.PIE, Kind.STATIC_PIE

compiled = pytest.mark.skipif(
    elf_files.COMPILER is None, reason="gcc is not installed"
)

NO_CANARY = "-fno-stack-protector"
NO_FORTIFY = "-U_FORTIFY_SOURCE"
NO_RELRO = "-Wl,-z,norelro"
LAZY = "-Wl,-z,lazy"
EXECSTACK = "-Wl,-z,execstack"
NO_PIE = ("-fno-pie", "-no-pie")
SO = ("-fPIC", "-shared")
NAKED = ("-nostdlib", "-ffreestanding", "-static", NO_CANARY, *NO_PIE)

# What is said of each is what its flags mean, written down by hand: kind,
# RELRO, NX, canary, FORTIFY; None where nobody can tell.
BUILDS = [
    ("good", (), PIE, FULL, True, True, True),
    ("lazy", (LAZY,), PIE, PARTIAL, True, True, True),
    ("norelro", (NO_RELRO,), PIE, NONE, True, True, True),
    ("norelro-lazy", (NO_RELRO, LAZY), PIE, NONE, True, True, True),
    ("execstack", (EXECSTACK,), PIE, FULL, False, True, True),
    ("no-canary", (NO_CANARY,), PIE, FULL, True, False, True),
    ("no-fortify", (NO_FORTIFY,), PIE, FULL, True, True, False),
    (
        "neither",
        (NO_CANARY, NO_FORTIFY),
        *(PIE, FULL, True, False, False),
    ),
    ("no-pie", NO_PIE, EXECUTABLE, FULL, True, True, True),
    ("no-pie-lazy", (*NO_PIE, LAZY), EXECUTABLE, PARTIAL, True, True, True),
    (
        "no-pie-norelro",
        (*NO_PIE, NO_RELRO),
        *(EXECUTABLE, NONE, True, True, True),
    ),
    (
        "no-pie-no-canary",
        (*NO_PIE, NO_CANARY),
        *(EXECUTABLE, FULL, True, False, True),
    ),
    (
        "no-pie-execstack",
        (*NO_PIE, EXECSTACK, NO_FORTIFY),
        *(EXECUTABLE, FULL, False, True, False),
    ),
    (
        "nothing",
        (*NO_PIE, NO_RELRO, LAZY, EXECSTACK, NO_CANARY, NO_FORTIFY),
        *(EXECUTABLE, NONE, False, False, False),
    ),
    ("static", (*NO_PIE, "-static"), STATIC, FULL, True, None, None),
    (
        "static-no-canary",
        (*NO_PIE, "-static", NO_CANARY, NO_FORTIFY),
        *(STATIC, FULL, True, None, None),
    ),
    (
        # glibc's IFUNC slots: outside of what is made read-only.
        "static-lazy",
        (*NO_PIE, "-static", LAZY),
        *(STATIC, PARTIAL, True, None, None),
    ),
    (
        "static-norelro",
        (*NO_PIE, "-static", NO_RELRO),
        *(STATIC, NONE, True, None, None),
    ),
    (
        "static-execstack",
        (*NO_PIE, "-static", EXECSTACK),
        *(STATIC, FULL, False, None, None),
    ),
    ("static-pie", ("-static-pie",), STATIC_PIE, FULL, True, None, None),
    (
        "static-pie-lazy",
        ("-static-pie", LAZY, NO_FORTIFY),
        *(STATIC_PIE, PARTIAL, True, None, None),
    ),
    (
        "static-pie-norelro",
        ("-static-pie", NO_RELRO, NO_CANARY),
        *(STATIC_PIE, NONE, True, None, None),
    ),
    ("so", SO, SHARED, FULL, True, True, True),
    ("so-lazy", (*SO, LAZY), SHARED, PARTIAL, True, True, True),
    ("so-norelro", (*SO, NO_RELRO), SHARED, NONE, True, True, True),
    ("so-execstack", (*SO, EXECSTACK), SHARED, FULL, False, True, True),
    ("so-small", SO, SHARED, FULL, True, None, None),
    ("so-no-canary", (*SO, NO_CANARY), SHARED, FULL, True, None, True),
    ("so-no-fortify", (*SO, NO_FORTIFY), SHARED, FULL, True, True, None),
]


def of(path):
    return examine(HostRoot(str(path.parent)), f"/{path.name}")[1]


def build_of(path):
    """Return what a binary was built with, without what it is loaded with."""
    return replace(of(path), needed=(), search=(), machine="")


def built(folder, name, *flags, source=elf_files.SOURCE):
    return elf_files.build(folder / name, (*GOOD, *flags), source)


@pytest.fixture
def binary(tmp_path):
    """Return a good build that a test changes."""
    return built(tmp_path, "binary")


def strip(path, *options):
    subprocess.run(["strip", *options, str(path)], check=True, timeout=60)
    return path


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
@pytest.mark.parametrize("options", [(), ("--strip-section-headers",)])
@pytest.mark.parametrize(
    ("flags", "kind", "canary", "fortify"),
    [
        ((), PIE, True, True),
        ((NO_CANARY, NO_FORTIFY), PIE, False, False),
        (NO_PIE, EXECUTABLE, True, True),
        ((*NO_PIE, "-static"), STATIC, None, None),
        (("-static-pie",), STATIC_PIE, None, None),
    ],
)
def test_stripped(tmp_path, options, flags, kind, canary, fortify):
    path = built(tmp_path, "stripped", *flags)
    help_text = subprocess.check_output(["strip", "--help"], text=True)
    if options and options[0] not in help_text:
        strip(path)
        # What it would do: no section header table.
        data = bytearray(path.read_bytes())
        data[40:48] = bytes(8)
        data[60:64] = bytes(4)
        path.write_bytes(data)
    else:
        strip(path, *options)
    # A static program's relocations are found by section headers alone.
    relro = None if options and kind is STATIC else FULL
    expected = (kind, relro, True, canary, fortify)
    assert build_of(path) == ElfFacts(*expected, True, False, False)


@compiled
def test_a_static_program_without_libc_tells(tmp_path):
    path = built(tmp_path, "bare", *NAKED, source=BARE)
    assert (of(path).kind, of(path).canary) == (STATIC, False)
    assert of(strip(path)).canary is None


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
    # In place of a tag that only saves the loader some time.
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
    """The loader rounds down: what ends within a page stays writable."""
    root = HostRoot(build(binary.parent, {elf._HUGE: f"{huge}\n"}))
    assert page_size(root) == page
    expected = PARTIAL if elf_files.relro_end(binary) % page else FULL
    assert examine(root, "/binary", page)[1].relro is expected
    assert huge != 1 << 29 or expected is PARTIAL, "no test of what is left"


@compiled
def test_what_a_linker_would_not_write(binary):
    """No word on the stack; code that can be written; an older PIE."""
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
    path = built(tmp_path, "binary", NO_FORTIFY)
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
        # The canary's function is not FORTIFY.
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
    """Return a file with a few bytes or fields changed, or cut off."""
    changed = bytearray(data)
    extreme = (0, 1, 0x7F, 0x80, 0xFF)
    for _ in range(rng.randint(1, 8)):
        # Mostly where it matters: headers, and the tables behind them.
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
    # A collection would unmap it too, some day.
    gc.disable()
    try:
        of(program)
        maps = pathlib.Path("/proc/self/maps").read_text()
    finally:
        gc.enable()
    assert str(program) not in maps

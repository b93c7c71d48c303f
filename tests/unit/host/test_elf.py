# SPDX-License-Identifier: Apache-2.0
"""Build properties of binaries: compiled, damaged and hostile ones."""

import gc
import os
import pathlib
import random
import subprocess
import sys
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("elf")


def of(path):
    return examine(HostRoot(str(path.parent)), f"/{path.name}")[1]


def build_of(path):
    """Return what a binary was built with, without what it is loaded with."""
    return replace(of(path), needed=(), search=(), machine="")


def built(folder, name, *flags, source=elf_files.SOURCE):
    path = folder / name
    if not path.exists():
        elf_files.build(path, (*GOOD, *flags), source)
    return path


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
    folder, name, flags, kind, relro, nx, canary, fortify
):
    source = elf_files.SOURCE
    if kind is SHARED:
        source = SMALL if name == "so-small" else LIBRARY
    facts = build_of(built(folder, name, *flags, source=source))
    assert facts == ElfFacts(
        kind=kind,
        relro=relro,
        nx=nx,
        canary=canary,
        fortify=fortify,
        stripped=False,
        setuid=False,
        setgid=False,
    )


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
    facts = of(path)
    assert facts.stripped
    assert facts.kind is kind
    # A static program's relocations are found by section headers alone.
    gone = options and kind is STATIC
    assert facts.relro is (None if gone else FULL)
    assert facts.nx
    assert facts.canary is canary
    assert facts.fortify is fortify


@compiled
def test_a_static_program_without_libc_tells(tmp_path):
    path = built(tmp_path, "bare", *NAKED, source=BARE)
    assert of(path).kind is STATIC
    assert of(path).canary is False
    assert of(strip(path)).canary is None


@compiled
@pytest.mark.parametrize("tag", [DT_FLAGS, DT_FLAGS_1, elf_files.DT_BIND_NOW])
def test_each_spelling_of_immediate_binding(tmp_path, tag):
    path = built(tmp_path, "binary")
    pie = 0x08000000
    spelt = {
        DT_FLAGS: {DT_FLAGS_1: (DT_FLAGS_1, pie)},
        DT_FLAGS_1: {DT_FLAGS: (DT_FLAGS, 0)},
        elf_files.DT_BIND_NOW: {
            DT_FLAGS_1: (DT_FLAGS_1, pie),
            DT_FLAGS: (elf_files.DT_BIND_NOW, 0),
        },
    }
    elf_files.change_tags(path, spelt[tag])
    result = elf_files.tags(path)
    assert result.get(DT_FLAGS, 0) == (8 if tag == DT_FLAGS else 0)
    assert result[DT_FLAGS_1] == (pie | 1 if tag == DT_FLAGS_1 else pie)
    assert of(path).relro is FULL
    # And without any of them.
    none = {tag: (tag, pie if tag == DT_FLAGS_1 else 0)}
    if tag == elf_files.DT_BIND_NOW:
        none = {tag: (elf_files.DT_DEBUG, 0)}
    elf_files.change_tags(path, none)
    assert of(path).relro is PARTIAL


@compiled
@pytest.mark.parametrize(
    ("huge", "page"),
    [(1 << 21, 4096), (1 << 29, 65536), (7, 4096), ("", 4096)],
)
def test_what_is_protected_ends_with_a_page_of_the_kernels(
    tmp_path, huge, page
):
    """The loader rounds down: what ends within a page stays writable."""
    path = built(tmp_path, "binary")
    build(tmp_path, {elf._HUGE: f"{huge}\n"})
    end = elf_files.relro_end(path)
    root = HostRoot(str(tmp_path))
    assert page_size(root) == page
    expected = PARTIAL if end % page else FULL
    assert examine(root, "/binary", page)[1].relro is expected
    assert huge != 1 << 29 or expected is PARTIAL, "no test of what is left"


@compiled
def test_what_a_linker_would_not_write(tmp_path):
    """No word on the stack; code that can be written; an older PIE."""
    path = built(tmp_path, "binary")
    good = path.read_bytes()
    elf_files.change_header(
        path, elf_files.PT_GNU_STACK, type=elf_files.PT_NULL
    )
    assert of(path).nx is False
    path.write_bytes(good)
    elf_files.change_header(path, elf_files.PT_LOAD, flags=7)
    assert of(path).nx is False
    path.write_bytes(good)
    elf_files.change_tags(path, {DT_FLAGS_1: (DT_FLAGS_1, 1)})
    assert of(path).kind is PIE


@compiled
def test_a_library_that_can_be_executed_is_no_pie(tmp_path):
    flags = (*SO, "-Wl,-soname,lib.so", "-Wl,--dynamic-linker=/lib/ld.so")
    source = f'{LIBRARY}\nconst char i[] __attribute__((section(".interp")))'
    source += ' = "/lib/ld.so";\n'
    path = built(tmp_path, "lib.so", *flags, source=source)
    data = path.read_bytes()
    assert elf_files.PT_INTERP in [each[1] for each in elf_files.headers(data)]
    assert of(path).kind is SHARED


@compiled
def test_musl_fortifies_without_a_name(tmp_path):
    path = built(tmp_path, "binary", NO_FORTIFY)
    data = path.read_bytes()
    (interp,) = [
        each
        for each in elf_files.headers(data)
        if each[1] == elf_files.PT_INTERP
    ]
    old = data[interp[3] : interp[3] + interp[6]]
    assert of(path).fortify is False
    elf_files.change_bytes(path, old, b"/lib/ld-musl\0".ljust(len(old), b"\0"))
    assert of(path).fortify is None


@compiled
@pytest.mark.parametrize(
    ("mode", "setuid", "setgid"),
    [(0o4755, True, False), (0o2755, False, True), (0o755, False, False)],
)
def test_setuid(tmp_path, mode, setuid, setgid):
    path = built(tmp_path, "binary")
    path.chmod(mode)
    assert of(path).setuid is setuid
    assert of(path).setgid is setgid


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
    ],
)
def test_what_is_no_elf_file_says_so(tmp_path, content, why):
    path = tmp_path / "binary"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=why) as caught:
        of(path)
    assert not caught.value.missing
    assert "/binary" in str(caught.value)


def test_without_pyelftools_it_says_so(tmp_path, monkeypatch):
    path = tmp_path / "binary"
    path.write_bytes(elf_files.made(64, "<", []))
    monkeypatch.setitem(sys.modules, "elftools.elf.elffile", None)
    with pytest.raises(Unreadable, match="pyelftools is not installed"):
        of(path)


def test_what_is_no_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unreadable, match="not a plain file"):
        of(tmp_path / "pipe")


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
    path = tmp_path / "damaged"
    answers = errors = 0
    for _ in range(1400):
        path.write_bytes(mutated(rng.choice(kinds), rng))
        try:
            assert isinstance(of(path), ElfFacts)
            answers += 1
        except Unreadable as error:
            assert str(error)
            errors += 1
    assert answers > 200
    assert errors > 200


def test_a_binary_that_was_examined_is_not_mapped_any_longer(
    tmp_path,
):
    # A collection would unmap it too, some day.
    program = tmp_path / "program"
    program.write_bytes(pathlib.Path("/proc/self/exe").read_bytes())
    gc.disable()
    try:
        examine(HostRoot(str(tmp_path)), "/program")
        maps = pathlib.Path("/proc/self/maps").read_text()
    finally:
        gc.enable()
    assert str(program) not in maps

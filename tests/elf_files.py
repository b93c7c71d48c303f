# SPDX-License-Identifier: Apache-2.0
"""ELF files for tests: compiled ones, and what a linker would not write."""

import functools
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence

import pytest

SOURCE = """
#include <stdio.h>
#include <string.h>
int main(int count, char **words) {
    char text[64];
    strcpy(text, words[0]);
    printf("%s %d\\n", text, count);
    return 0;
}
"""

LIBRARY = """
#include <stdio.h>
#include <string.h>
void copy(const char *word) {
    char text[64];
    strcpy(text, word);
    printf("%s\\n", text);
}
int nothing(void) { return 0; }
"""

#: A library in which nothing needs protection.
SMALL = "int nothing(void) { return 0; }\n"

#: A program without any library.
BARE = "void _start(void) { for (;;); }\n"

#: What a good build has; nothing is left to the compiler's own defaults.
GOOD = (
    "-O2",
    "-w",
    "-fPIE",
    "-pie",
    "-fstack-protector-strong",
    "-U_FORTIFY_SOURCE",
    "-D_FORTIFY_SOURCE=2",
    "-Wl,-z,relro",
    "-Wl,-z,now",
    "-Wl,-z,noexecstack",
)

COMPILER = shutil.which("gcc")

PT_NULL, PT_LOAD, PT_GNU_STACK, PT_INTERP = 0, 1, 0x6474E551, 3
DT_FLAGS, DT_FLAGS_1, DT_BIND_NOW, DT_DEBUG = 30, 0x6FFFFFFB, 24, 21


def build(
    path: pathlib.Path, flags: Sequence[str], source: str = SOURCE
) -> pathlib.Path:
    """Compile and link a file; skip the test if gcc is missing."""
    if COMPILER is None:
        pytest.skip("gcc is not installed")
    subprocess.run(
        [COMPILER, *flags, "-x", "c", "-", "-o", str(path)],
        input=source,
        text=True,
        check=True,
        timeout=120,
    )
    return path


@functools.cache
def compiled(*flags: str, source: str = SOURCE) -> bytes:
    """Return a binary with these flags in addition to those of a good one."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "binary")
        return build(path, (*GOOD, *flags), source).read_bytes()


def libraries() -> list[str]:
    """Return what every program of this machine is loaded with."""
    text = subprocess.check_output(["ldd", "/bin/true"], text=True)
    return sorted(set(re.findall(r"(/\S+)", text)))


def headers(data: bytes) -> list[tuple[int, ...]]:
    """Return the program headers of a 64-bit file: place, then its fields.

    Fields: type, flags, offset, address, physical address, file size.
    """
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    places = [start + number * size for number in range(count)]
    return [
        (each, *struct.unpack_from("<IIQQQQ", data, each)) for each in places
    ]


def relro_end(path: pathlib.Path) -> int:
    """Return the address at which PT_GNU_RELRO ends."""
    ((*_, address, _physical, size),) = [
        each for each in headers(path.read_bytes()) if each[1] == 0x6474E552
    ]
    return address + size


def change_header(path: pathlib.Path, kind: int, **fields: int) -> None:
    """Change ``type``, ``flags`` or ``memory`` of the headers of a type."""
    data = bytearray(path.read_bytes())
    for place, result, flags, *_ in headers(data):
        if result == kind:
            changed = fields.get("type", result), fields.get("flags", flags)
            struct.pack_into("<II", data, place, *changed)
            if "memory" in fields:
                struct.pack_into("<Q", data, place + 40, fields["memory"])
    path.write_bytes(data)


def change_tags(
    path: pathlib.Path, changes: dict[int, tuple[int, int]]
) -> None:
    """Change entries of the dynamic section: tag to new tag and value."""
    data = bytearray(path.read_bytes())
    for _, kind, _, offset, _, _, size in headers(data):
        if kind == 2:
            for place in range(offset, offset + size, 16):
                tag, _ = struct.unpack_from("<QQ", data, place)
                if tag in changes:
                    struct.pack_into("<QQ", data, place, *changes[tag])
    path.write_bytes(data)


def tags(path: pathlib.Path) -> dict[int, int]:
    """Return the entries of the dynamic section."""
    data = path.read_bytes()
    result = {}
    for _, kind, _, offset, _, _, size in headers(data):
        if kind == 2:
            for place in range(offset, offset + size, 16):
                tag, value = struct.unpack_from("<QQ", data, place)
                result.setdefault(tag, value)
    return result


def change_bytes(path: pathlib.Path, old: bytes, new: bytes) -> None:
    """Put bytes in place of as many others."""
    assert len(old) == len(new)
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def made(
    bits: int, order: str, names: Sequence[bytes], needed: bytes = b""
) -> bytes:
    """Return a small PIE of a class and byte order, made by hand.

    :param order: ``<`` or ``>``
    :param names: of its dynamic string table
    :param needed: name of a library that it is loaded with
    """
    wide = bits == 64
    word, size = ("Q", 8) if wide else ("I", 4)
    strings = b"\0".join((b"", needed, *names, b""))
    head, entry = (64, 56) if wide else (52, 32)
    at = head + 5 * entry
    first = (1, 1) if needed else (DT_DEBUG, 0)
    flags = [(5, at + 12 * size), (10, len(strings)), (24, 0), first]
    dynamic = b"".join(
        struct.pack(f"{order}2{word}", tag, value)
        for tag, value in (*flags, (DT_FLAGS_1, 0x08000000), (0, 0))
    )
    end = at + len(dynamic) + len(strings)
    segments = (
        (PT_LOAD, 5, 0, end),
        (2, 6, at, len(dynamic)),
        (PT_INTERP, 4, at, 1),
        (PT_GNU_STACK, 6, 0, 0),
        (0x6474E552, 4, at, len(dynamic)),
    )
    content = bytes((0x7F, *b"ELF", 2 if wide else 1, 1 + (order == ">"), 1))
    content = content.ljust(16, b"\0") + struct.pack(
        f"{order}HHI3{word}I6H",
        *(3, 62 if wide else 20, 1, 0, head, 0, 0, head, entry, 5, 0, 0, 0),
    )
    for kind, flag, offset, length in segments:
        where = (offset, offset, offset, length, length)
        content += (
            struct.pack(f"{order}II6Q", kind, flag, *where, 1)
            if wide
            else struct.pack(f"{order}I5III", kind, *where, flag, 1)
        )
    return content + dynamic + strings

# SPDX-License-Identifier: Apache-2.0
"""The few parts of an ELF file that tell how it was built.

The program headers, the dynamic section and one string table; never a symbol
and, but for whether there is a symbol table, no section header: those may be
stripped. pyelftools lays out the structures; what it is handed is cut to
size first, so that no file, however damaged, costs time or memory.

Source: System V ABI, chapters 4 and 5; Linux Standard Base, chapter 10.
"""

import io
from collections.abc import Iterator
from functools import cached_property
from typing import Any, BinaryIO

# Tables that are longer come from no linker; names, from none of QEMU's.
_MAX_ENTRIES = 1024
_MAX_STRINGS = 64 << 20

_MAGIC = b"\x7fELF"
_CLASSES = {1: 32, 2: 64}
_LITTLE = {1: True, 2: False}


class BadElf(Exception):
    """A file is no ELF file, or a damaged one."""


class ElfFile:
    """An ELF file that was opened.

    :param stream: of the file; read only while this is in use
    :raises BadElf: if it is no ELF file
    :raises ImportError: where pyelftools is not installed
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Read the file's header and its program headers."""
        from elftools.elf.structs import ELFStructs

        self._stream = stream
        ident = self._bytes(0, 16)
        if not ident.startswith(_MAGIC):
            raise BadElf("no ELF file")
        try:
            bits, little = _CLASSES[ident[4]], _LITTLE[ident[5]]
        except KeyError as error:
            raise BadElf("neither 32 nor 64 bits of a known order") from error
        self._structs = ELFStructs(little_endian=little, elfclass=bits)
        self._structs.create_basic_structs()
        self.header = self._one(self._structs.Elf_Ehdr, 0)
        self._structs.create_advanced_structs(
            self.header.e_type, self.header.e_machine, None
        )
        self.segments = list(
            self._table(
                self._structs.Elf_Phdr,
                self.header.e_phoff,
                self.header.e_phentsize,
                self.header.e_phnum,
            )
        )

    def of_type(self, name: str) -> list[Any]:
        """Return the program headers of a type, such as ``PT_GNU_STACK``."""
        return [one for one in self.segments if one.p_type == name]

    def content(self, segment: Any, limit: int) -> bytes:
        """Return the bytes of a segment in the file, at most a limit."""
        return self._bytes(segment.p_offset, min(segment.p_filesz, limit))

    @cached_property
    def dynamic(self) -> dict[Any, int]:
        """The last value of each tag in the dynamic section.

        ``DT_FLAGS`` and others to values; empty without a section.
        """
        found: dict[Any, int] = {}
        segments = self.of_type("PT_DYNAMIC")
        if len(segments) > 1:
            raise BadElf("more than one dynamic section")
        for segment in segments:
            struct = self._structs.Elf_Dyn
            size = struct.sizeof()
            count = segment.p_filesz // size
            for one in self._table(struct, segment.p_offset, size, count):
                if one.d_tag == "DT_NULL":
                    break
                found[one.d_tag] = one.d_val
        return found

    def dynamic_strings(self) -> bytes:
        """Return the string table of the dynamic section.

        :returns: names between NULs; empty without a dynamic section
        """
        if "DT_STRTAB" not in self.dynamic:
            return b""
        offset = self._offset(self.dynamic["DT_STRTAB"])
        return self._strings(offset, self.dynamic.get("DT_STRSZ", 0))

    def symbol_strings(self) -> bytes | None:
        """Return the names of the symbol table; None where it is stripped."""
        if self._symbol_names is None:
            return None
        names = self._symbol_names
        return self._strings(names.sh_offset, names.sh_size)

    @property
    def stripped(self) -> bool:
        """Whether it has no symbol table, or none that can be found."""
        return self._symbol_names is None

    @cached_property
    def _symbol_names(self) -> Any | None:
        """The section header of the symbol table's names."""
        header = self.header
        try:
            sections = list(
                self._table(
                    self._structs.Elf_Shdr,
                    header.e_shoff,
                    header.e_shentsize,
                    header.e_shnum,
                )
            )
            for one in sections:
                if one.sh_type == "SHT_SYMTAB":
                    return sections[one.sh_link]
        except (BadElf, IndexError):
            # The kernel and the loader do without section headers, and so
            # does everything else that is asked here.
            return None
        return None

    def _offset(self, address: int) -> int:
        """Return where in the file an address is loaded from."""
        for one in self.of_type("PT_LOAD"):
            if one.p_vaddr <= address < one.p_vaddr + one.p_filesz:
                return int(address - one.p_vaddr + one.p_offset)
        raise BadElf("an address that no segment loads")

    def _strings(self, offset: int, size: int) -> bytes:
        if size > _MAX_STRINGS:
            raise BadElf("a string table that is too long")
        # So that each name has a NUL before and behind it.
        return b"\0" + self._bytes(offset, size) + b"\0"

    def _table(
        self, struct: Any, offset: int, size: int, count: int
    ) -> Iterator[Any]:
        """Yield the entries of a table."""
        if count and size != struct.sizeof():
            raise BadElf("entries of an unknown size")
        if count > _MAX_ENTRIES:
            raise BadElf("a longer table than any linker writes")
        content = io.BytesIO(self._bytes(offset, size * count))
        for _ in range(count):
            yield struct.parse_stream(content)

    def _one(self, struct: Any, offset: int) -> Any:
        content = self._bytes(offset, struct.sizeof())
        return struct.parse_stream(io.BytesIO(content))

    def _bytes(self, offset: int, size: int) -> bytes:
        """Return that many bytes of the file.

        :raises BadElf: if it has not so many
        """
        try:
            self._stream.seek(offset)
            found = self._stream.read(size)
        except (OverflowError, ValueError) as error:
            raise BadElf("an offset that no file has") from error
        if len(found) != size:
            raise BadElf(
                "cut off, or no ELF file" if not offset else "cut off"
            )
        return found

# SPDX-License-Identifier: Apache-2.0
"""The few parts of an ELF file that tell how it was built.

pyelftools reads them. It is shown the file as the kernel and the loader see
it, without section headers: those may be stripped or wrong. They are looked
at for symbols and for relocations of a static program, which no program
header leads to. The file is mapped, so that no field of it makes anybody read
more than there is.

Source: System V ABI, chapters 4 and 5; Linux Standard Base, chapter 10.
"""

import mmap
import struct
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any, BinaryIO

#: A table that is longer comes from no linker.
#: It bounds the time that a damaged file takes: Debian's QEMU has 31 sections,
#: 15 program headers and less than 60 dynamic entries.
MAX_ENTRIES = 1024

# Type of the relocations whose slots hold an address that the program finds
# out by itself at its start (IFUNC), by machine.
# Values of R_*_IRELATIVE in elf.h. Without an entry for its machine a program
# counts as having no such slot.
_IRELATIVE = {
    "EM_386": 42,
    "EM_X86_64": 37,
    "EM_ARM": 160,
    "EM_AARCH64": 1032,
    "EM_PPC64": 248,
    "EM_S390": 61,
    "EM_RISCV": 58,
    "EM_LOONGARCH": 12,
}
_DT_RELA = 7
_WORD = {32: "I", 64: "Q"}
# ELF32_R_TYPE and ELF64_R_TYPE: the low 8 or 32 bits of r_info.
_TYPE = {32: 0xFF, 64: 0xFFFFFFFF}


class BadElf(Exception):
    """Raised for what is no ELF file, or a damaged one."""


class ElfFile:
    """An ELF file that was opened.

    Anything that pyelftools raises for a damaged file may leave a method. Once
    it is closed, what it has mapped is the process's memory no longer.

    :param stream: of the file; read only while this is in use
    :raises BadElf: if it is no ELF file
    :raises ImportError: where pyelftools is not installed
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Read the header and the program headers."""
        # Not at the top: the extra [node] brings it, and core runs without.
        from elftools.elf.elffile import ELFFile

        # Before mmap(2), which fails for an empty file with another error.
        if not stream.read(4).startswith(b"\x7fELF"):
            raise BadElf("no ELF file")
        content: Any = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._content = content
        # Two views of one mapping. pyelftools takes the names of the dynamic
        # section from a section header where one fits; ld.so does not look at
        # those, so that a wrong one could hide a library.
        self._whole = ELFFile(content)
        self._loaded = ELFFile(content)
        self._loaded.header["e_shoff"] = 0
        self.header = self._loaded.header
        if self._loaded.num_segments() > MAX_ENTRIES:
            raise BadElf("more program headers than any linker writes")
        self.segments = list(self._loaded.iter_segments())

    def close(self) -> None:
        """Map the file no longer; nothing can be read afterwards."""
        self._content.close()

    def of_type(self, name: str) -> list[Any]:
        """Return the program headers of a type, such as ``PT_GNU_STACK``."""
        return [part for part in self.segments if part["p_type"] == name]

    @cached_property
    def dynamic(self) -> dict[Any, Any]:
        """The last entry of each tag in the dynamic section."""
        # The last one counts, as in elf_get_dynamic_info() of glibc.
        return {tag.entry.d_tag: tag for tag in self.tags()}

    def tags(self, kind: str | None = None) -> Iterator[Any]:
        """Yield the entries of the dynamic section, of a tag or all."""
        segments = self.of_type("PT_DYNAMIC")
        # Which of two counts depends on the loader: the facts could be those
        # of the other one.
        if len(segments) > 1:
            raise BadElf("more than one dynamic section")
        for segment in segments:
            # It ends at DT_NULL; a damaged file may have none.
            for tag in islice(segment.iter_tags(), MAX_ENTRIES):
                if kind in (None, tag.entry.d_tag):
                    yield tag

    def value(self, tag: str) -> int:
        """Return the value of a tag of the dynamic section, 0 without it."""
        return int(self.dynamic[tag].entry.d_val) if tag in self.dynamic else 0

    def dynamic_strings(self) -> bytes:
        """Return the names of the dynamic section, each between NULs."""
        # ld.so needs this table: strip(1) cannot remove it.
        return self._at("DT_STRTAB", self.value("DT_STRSZ"))

    @cached_property
    def sections(self) -> list[Any] | None:
        """The sections; None where they are stripped or make no sense."""
        # A damaged header may name 4 billion sections.
        if not 0 < self._whole.num_sections() <= MAX_ENTRIES:
            return None
        try:
            return list(self._whole.iter_sections())
        except Exception:  # noqa: BLE001 - nothing that runs depends on it
            return None

    def symbol_strings(self) -> bytes | None:
        """Return the names of the symbol table; None where it is stripped."""
        for section in self.sections or ():
            if section["sh_type"] == "SHT_SYMTAB":
                names: bytes = section.stringtable.data()
                # The first and last name get their NUL: callers search for
                # "\0name\0".
                return b"\0" + names + b"\0"
        return None

    def call_slots(self) -> list[int] | None:
        """Return the addresses of the slots that calls go through.

        :returns: those of the procedure linkage table, and of functions that
            are chosen at the start; None where that cannot be told, in a
            static program without section headers
        """
        if self.dynamic:
            # DT_JMPREL has entries of REL or RELA, by the machine: DT_PLTREL
            # says which. x86-64 and Arm's 64 bits use RELA.
            width = "A" if self.value("DT_PLTREL") == _DT_RELA else ""
            jumps = self._at("DT_JMPREL", self.value("DT_PLTRELSZ"))
            result = [slot for slot, _ in self._relocations(jumps, width)]
            # DT_RELR is left out: it packs relative relocations only.
            for width in ("", "A"):
                size = self.value(f"DT_REL{width}SZ")
                table = self._at(f"DT_REL{width}", size)
                result += self._chosen(table, width)
            return result
        # Nothing but section headers leads to its relocations: those of IFUNC
        # are between __rela_iplt_start and __rela_iplt_end.
        if self.sections is None:
            return None
        return [
            slot
            for section in self.sections
            for width in ("", "A")
            if section["sh_type"] == f"SHT_REL{width}"
            for slot in self._chosen(section.data(), width)
        ]

    def _chosen(self, table: bytes, width: str) -> Iterator[int]:
        kind = _IRELATIVE.get(self.header.e_machine)
        for slot, result in self._relocations(table, width):
            if result == kind:
                yield slot

    def _relocations(
        self, table: bytes, width: str
    ) -> Iterator[tuple[int, int]]:
        """Yield address and type of each relocation, of REL or RELA."""
        order = "<" if self._loaded.little_endian else ">"
        bits = self._loaded.elfclass
        entry = struct.Struct(f"{order}{(3 if width else 2)}{_WORD[bits]}")
        # A table that is cut off: iter_unpack() takes whole entries only.
        whole = len(table) // entry.size * entry.size
        for fields in entry.iter_unpack(table[:whole]):
            yield fields[0], fields[1] & _TYPE[bits]

    def _at(self, tag: str, size: int) -> bytes:
        """Return the bytes that an address in the dynamic section leads to.

        :returns: empty without that entry
        """
        if tag not in self.dynamic:
            return b""
        address = self.dynamic[tag].entry.d_ptr
        offset = next(self._loaded.address_offsets(address, size), None)
        # Fails closed: the table that cannot be found could contain the name.
        if offset is None:
            raise BadElf("an address that no segment loads")
        content: bytes = self._content[offset : offset + size]
        if len(content) != size:
            raise BadElf("cut off")
        return content

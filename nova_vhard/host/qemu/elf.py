# SPDX-License-Identifier: Apache-2.0
"""ElfFacts: what a binary was built with.

Where a fact cannot be told it is None, never a guess:

- In a static binary the symbols of the C library cannot be told from the
  program's own: libc brings ``__stack_chk_fail`` and ``__*_chk`` along. Only
  their absence from a symbol table that is there tells something.
- A shared object without them may have no function that needs one.
- A name counts whether the binary imports or defines it: who defines
  ``__stack_chk_fail`` brings his own.
"""

import contextlib
import enum
import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from nova_vhard.host.qemu.elf_file import BadElf, ElfFile
from nova_vhard.host.root import HostRoot, Unreadable

# elf.h of the C library.
_DF_BIND_NOW = 0x8
_DF_1_NOW = 0x1
_DF_1_PIE = 0x08000000
_PF_X, _PF_W = 1, 2
#: Bytes that a huge page has: as many pages as one holds entries of 8 bytes.
_HUGE = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
# Arm kernels have pages of 16 or 64 KiB, too, and RELRO ends at a whole page.
_HUGE_OF = {1 << 21: 4096, 1 << 25: 16384, 1 << 29: 65536}

# NULs around it: it is looked for in a whole string table, in which other
# names contain it, such as __stack_chk_fail_local.
_CANARY = b"\0__stack_chk_fail\0"
# glibc's fortified functions: __memcpy_chk, __printf_chk. The canary's
# function does not match.
_FORTIFIED = re.compile(rb"\0(__[a-z0-9_]+_chk)(?=\0)")
# musl checks inline, by headers: no name tells.
_INLINE = b"ld-musl"


class Kind(enum.StrEnum):
    """Type of a binary, as the loader sees it."""

    EXECUTABLE = "executable, not position independent"
    STATIC = "static executable, not position independent"
    PIE = "PIE"
    STATIC_PIE = "static PIE"
    SHARED = "shared object"


# With PARTIAL, the slots that calls go through stay writable: an overflow in a
# device's code that reaches one decides what QEMU calls next.
class Relro(enum.StrEnum):
    """Extent of RELRO: which parts the loader makes read-only."""

    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"


@dataclass(frozen=True)
class ElfFacts:
    """Hardening properties of a binary.

    :ivar relro: None if unknown
    :ivar nx: no stack or code is both writable and executable
    :ivar canary: whether functions guard their return address; None if unknown
    :ivar fortify: whether calls to libc are checked; None if unknown
    :ivar stripped: whether it has no symbol table
    :ivar needed: names of the libraries that it is loaded with
    :ivar search: folders that the binary itself adds to the library search
    :ivar capabilities: whether the file grants capabilities when it is run
    :ivar machine: machine, width and byte order, as pyelftools names them
    """

    kind: Kind
    relro: Relro | None
    nx: bool
    canary: bool | None
    fortify: bool | None
    stripped: bool
    setuid: bool
    setgid: bool
    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    machine: str = ""
    capabilities: bool = False


def examine(
    root: HostRoot, path: str, page: int = 4096
) -> tuple[os.stat_result, ElfFacts]:
    """Return what a binary was built with.

    :param page: bytes of a page of the kernel that runs it
    :returns: the file as it was when it was opened, and the facts
    :raises Unreadable: if it cannot be read, is no ELF file or a damaged
        one, or pyelftools is not installed
    """
    # One open file for all facts: if the path is replaced in between, half of
    # the facts would be those of another file.
    with root.open(path) as file:
        opened = os.fstat(file.fileno())
        try:
            with contextlib.closing(ElfFile(file)) as elf:
                # A file that becomes shorter while it is mapped ends this
                # process by SIGBUS. The check runs in a child (check_process),
                # and is UNKNOWN then.
                capable = _has_capabilities(file.fileno())
                return opened, _facts(elf, opened.st_mode, page, capable)
        # pyelftools is in the extra [node]: a scheduler has no use for it.
        except ImportError as error:
            raise Unreadable(
                path,
                OSError(
                    errno.ENOSYS, "pyelftools is not installed (extra [node])"
                ),
            ) from error
        except OSError as error:
            raise Unreadable(path, error) from error
        # It raises its own errors, those of construct, and KeyError,
        # IndexError and others: any of them makes the file UNKNOWN, never
        # good.
        except Exception as error:
            # Whatever pyelftools says of a file that is damaged.
            why = f"damaged or cut off ({type(error).__name__})"
            why = str(error) if isinstance(error, BadElf) else why
            raise Unreadable(
                path,
                OSError(
                    errno.ENOEXEC, f"not an ELF file that can be read: {why}"
                ),
            ) from error


def _has_capabilities(handle: int) -> bool:
    """Return whether an open file gives capabilities to who runs it.

    Source: capabilities(7). Any at all count: what libvirt leaves in the
    bounding set of a QEMU is not this file's.
    """
    try:
        # Every process may read it (xattr(7)): root's pre-step is not needed.
        return bool(os.getxattr(handle, "security.capability"))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise


def page_size(root: HostRoot) -> int:
    """Return the size of the kernel's pages, in bytes.

    :returns: 4096 where a capture does not tell it
    """
    if root.live:
        return os.sysconf("SC_PAGE_SIZE")
    try:
        return _HUGE_OF.get(int(root.peek(_HUGE)), 4096)
    except (Unreadable, ValueError):
        return 4096


def _facts(elf: ElfFile, mode: int, page: int, capable: bool) -> ElfFacts:
    interpreters = elf.of_type("PT_INTERP")
    kind = _kind(elf, bool(interpreters))
    if kind in (Kind.STATIC, Kind.STATIC_PIE):
        # Where not even libc has a canary, there is none.
        # A static program has no dynamic section with names; its symbol table
        # is the one place that has any, if it was not stripped.
        symbols = elf.symbol_strings()
        canary = None if symbols is None or _CANARY in symbols else False
        fortify = None
    else:
        # A whole table of strings is searched, not each symbol: QEMU has
        # 25,000, and pyelftools takes 6 s for them and 0.04 s for the table.
        names = elf.dynamic_strings()
        canary = _seen(_CANARY in names, kind)
        fortify = _seen(_FORTIFIED.search(names) is not None, kind)
        # Which C library it is, the interpreter's path tells.
        if not fortify and any(
            _INLINE in part.data() for part in interpreters
        ):
            fortify = None
    return ElfFacts(
        kind=kind,
        relro=_relro(elf, kind, page),
        nx=_nx(elf),
        canary=canary,
        fortify=fortify,
        stripped=elf.symbol_strings() is None,
        setuid=bool(mode & stat.S_ISUID),
        setgid=bool(mode & stat.S_ISGID),
        capabilities=capable,
        # libraries.Loader follows these: a library shares the process, so that
        # its executable stack is QEMU's.
        needed=tuple(tag.needed for tag in elf.tags("DT_NEEDED")),
        search=tuple(_search(elf)),
        machine=f"{elf.header.e_machine} {elf.header.e_ident.EI_CLASS} "
        f"{elf.header.e_ident.EI_DATA}",
    )


def _search(elf: ElfFile) -> Iterator[str]:
    """Yield the folders of DT_RUNPATH, or else of DT_RPATH."""
    # ld.so(8) ignores DT_RPATH of a file that has DT_RUNPATH.
    for kind, name in (("DT_RUNPATH", "runpath"), ("DT_RPATH", "rpath")):
        for tag in elf.tags(kind):
            yield from getattr(tag, name).split(":")
        # An empty DT_RUNPATH is one, too, and switches DT_RPATH off.
        if kind in elf.dynamic:
            return


def _seen(seen: bool, kind: Kind) -> bool | None:
    """Judge a name that a small module may do without."""
    return None if not seen and kind is Kind.SHARED else seen


def _kind(elf: ElfFile, interpreter: bool) -> Kind:
    # ET_DYN is a library, a PIE or a static PIE; the type alone does not tell.
    e_type, tags = elf.header.e_type, elf.dynamic
    # It is loaded at a fixed address: what an attack needs to know of the code
    # of QEMU is the same on every host.
    if e_type == "ET_EXEC":
        return Kind.EXECUTABLE if interpreter or tags else Kind.STATIC
    if e_type != "ET_DYN":
        raise BadElf("neither an executable nor a shared object")
    if elf.value("DT_FLAGS_1") & _DF_1_PIE:
        return Kind.PIE if interpreter else Kind.STATIC_PIE
    # Older linkers do not mark a PIE. Some libraries can be executed too,
    # and have a name to be linked by.
    if interpreter and "DT_SONAME" not in tags:
        return Kind.PIE
    return Kind.SHARED


def _relro(elf: ElfFile, kind: Kind, page: int) -> Relro | None:
    # The end is rounded down to a page, as _dl_protect_relro() of glibc does:
    # mprotect(2) knows whole pages, and the last part stays writable.
    protected = [
        (part["p_vaddr"], (part["p_vaddr"] + part["p_memsz"]) & -page)
        for part in elf.of_type("PT_GNU_RELRO")
        # An empty segment protects nothing, though it is there.
        if part["p_memsz"]
    ]
    if not protected:
        return Relro.NONE
    # The loader binds early for each of the three; a static executable that
    # is not relocated has nothing to bind lazily.
    now = (
        kind is Kind.STATIC
        or "DT_BIND_NOW" in elf.dynamic
        or elf.value("DT_FLAGS") & _DF_BIND_NOW
        or elf.value("DT_FLAGS_1") & _DF_1_NOW
    )
    # Bound lazily, the slots must stay writable while the program runs.
    if not now:
        return Relro.PARTIAL
    # Bound early is not yet read-only: the kernel protects whole pages of
    # that segment, and a slot elsewhere can be written for ever.
    slots = elf.call_slots()
    # None and not FULL: the caller makes it UNKNOWN.
    if slots is None:
        return None
    inside = all(
        any(start <= slot < end for start, end in protected) for slot in slots
    )
    return Relro.FULL if inside else Relro.PARTIAL


def _nx(elf: ElfFile) -> bool:
    """Return whether nothing can be both written and executed.

    Without PT_GNU_STACK the loader takes the architecture's default, an
    executable stack.
    """
    stacks = elf.of_type("PT_GNU_STACK")
    # Which of several headers counts differs between loaders: none may allow
    # execution.
    both = _PF_W | _PF_X
    return (
        bool(stacks)
        and not any(part["p_flags"] & _PF_X for part in stacks)
        and not any(
            part["p_flags"] & both == both for part in elf.of_type("PT_LOAD")
        )
    )

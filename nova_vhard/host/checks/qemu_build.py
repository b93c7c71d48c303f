# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-10 to 14: how QEMU's binaries were built, a class a property."""

from collections.abc import Callable

from nova_vhard.host.check import Answer, Check
from nova_vhard.host.host import Host
from nova_vhard.host.qemu import qemu_binaries
from nova_vhard.host.qemu.elf import ElfFacts, Kind, Relro
from nova_vhard.host.qemu.qemu_binaries import Kept, Property

_WORDS = {True: "seen", False: "not seen", None: "cannot be determined"}

_OTHERS = """

    =================  ===================================================
    PASS               {passes}
    FAIL               {fails}
    UNKNOWN            it cannot be determined for a binary, a binary
                       cannot be read, or libvirt cannot be asked
    NOT_APPLICABLE     libvirt has no emulator to start
    =================  ===================================================
    """


class _Build(Check):
    """Check of one property in every QEMU binary."""

    asked: Property

    def answer(self, host: Host) -> Answer:
        """Ask every binary."""
        return qemu_binaries.judge(host, self.asked)


def _answers(passes: str, fails: str) -> Callable[[type[Check]], type[Check]]:
    """Return a decorator that writes the answers into the docstring."""

    def written(check: type[Check]) -> type[Check]:
        """Return the check with the table in its docstring."""
        check.__doc__ = (
            f"{check.__doc__}{_OTHERS.format(passes=passes, fails=fails)}"
        )
        return check

    return written


# Partial RELRO is not enough: it leaves the table of calls writable.
def _relro(facts: ElfFacts) -> bool | None:
    return None if facts.relro is None else facts.relro is Relro.FULL


@_answers("every emulator, and every module", "one has it in part, or not")
class QemuRelro(_Build):
    """All slots that calls go through are read-only before the start."""

    name = "qemu_relro"
    id = "Check-Virt-10"
    title = "QEMU has full RELRO"
    guide = "Compiler hardening"
    meaning = (
        "In every emulator that runs or that libvirt would start, and in "
        "every module that they load, the tables for function calls are "
        "read-only after the program has started, so that an attacker who "
        "can write to memory cannot redirect calls."
    )
    remediation = (
        "Install a QEMU that was built with full RELRO, or rebuild it with "
        "LDFLAGS=-Wl,-z,relro,-z,now. If it was built so, the pages of "
        "this kernel are larger than the linker assumed: link it with GNU "
        "ld, or add -Wl,-z,common-page-size=65536."
    )
    asked = Property(
        name="full RELRO",
        has=_relro,
        shown=lambda facts: f"{facts.kind}, RELRO {facts.relro or '?'}",
    )


@_answers("every emulator has them", "one has none")
class QemuCanary(_Build):
    """Functions check a canary on the stack before they return."""

    name = "qemu_canary"
    id = "Check-Virt-11"
    title = "QEMU has stack canaries"
    guide = "Compiler hardening"
    meaning = (
        "Every emulator that runs or that libvirt would start has "
        "functions that check a canary on the stack before they return. "
        "Modules are listed in the evidence but do not count: a module may "
        "have no function that needs a canary."
    )
    remediation = (
        "Install a QEMU that was built with stack canaries, or rebuild it "
        "with CFLAGS=-fstack-protector-strong."
    )
    asked = Property(
        name="stack canaries",
        has=lambda facts: facts.canary,
        shown=lambda facts: (
            f"{facts.kind}, {'stripped' if facts.stripped else 'with symbols'}"
            f", stack canary {_WORDS[facts.canary]}"
        ),
    )


@_answers("every emulator, module and library", "one has such a stack or code")
class QemuNx(_Build):
    """No executable stack, and no segment that is written and executed.

    A binary that does not say has an executable stack: so the loader takes
    it.
    """

    name = "qemu_nx"
    id = "Check-Virt-12"
    title = "QEMU has no memory that is writable and executable"
    guide = "Compiler hardening"
    meaning = (
        "No emulator that runs or that libvirt would start, and no module "
        "or library that they load, requests an executable stack or "
        "writable code."
    )
    remediation = (
        "Install another QEMU build, or rebuild it with "
        "LDFLAGS=-Wl,-z,noexecstack, and with assembler files that have a "
        "section .note.GNU-stack."
    )
    asked = Property(
        name="NX",
        has=lambda facts: facts.nx,
        shown=lambda facts: (
            f"{'nothing' if facts.nx else 'stack or a segment'} both writable "
            "and executable"
        ),
        # One that wants an executable stack gets it for all of QEMU.
        kinds=tuple(Kept),
    )


def _pie(facts: ElfFacts) -> bool | None:
    # Such a QEMU has rights that libvirt did not give it.
    if facts.setuid or facts.setgid or facts.capabilities:
        return False
    # An emulator that is a library to all appearances.
    if facts.kind is Kind.SHARED:
        return None
    return facts.kind in (Kind.PIE, Kind.STATIC_PIE)


@_answers("every emulator", "one is not a PIE, or gives rights by itself")
class QemuPie(_Build):
    """The kernel may load an emulator anywhere, and it runs as its caller."""

    name = "qemu_pie"
    id = "Check-Virt-13"
    title = "QEMU is position independent and not setuid"
    guide = "Compiler hardening"
    meaning = (
        "Every emulator that runs or that libvirt would start is a PIE, so "
        "that the kernel can place its code at random addresses "
        "(Check-Virt-15). None is setuid or setgid or has capabilities: "
        "libvirt gives it the rights that it needs."
    )
    remediation = (
        "Install a QEMU that was built as a PIE, or rebuild it with "
        "./configure --enable-pie. Remove setuid and setgid (chmod ug-s) "
        "and capabilities (setcap -r)."
    )
    asked = Property(
        name="PIE and no rights of its own",
        has=_pie,
        shown=lambda facts: (
            f"{facts.kind}{', setuid' if facts.setuid else ''}"
            f"{', setgid' if facts.setgid else ''}"
            f"{', with capabilities' if facts.capabilities else ''}"
        ),
        # Shared objects are position independent by nature.
        kinds=(Kept.EMULATOR,),
    )


@_answers("every emulator calls them", "one calls none")
class QemuFortify(_Build):
    """The emulator calls the glibc functions that check buffer sizes.

    This cannot be determined for a static emulator, or for one built for musl.
    """

    name = "qemu_fortify"
    id = "Check-Virt-14"
    title = "QEMU's calls to glibc are fortified"
    guide = "Compiler hardening"
    meaning = (
        "Every emulator that runs or that libvirt would start calls glibc "
        "functions that check buffer sizes (such as __memcpy_chk). The "
        "function of the stack canary does not count. Modules are listed "
        "in the evidence but do not count."
    )
    remediation = (
        "Install a QEMU that was built with FORTIFY, or rebuild it with "
        "CFLAGS=-O2 -D_FORTIFY_SOURCE=2."
    )
    asked = Property(
        name="FORTIFY",
        has=lambda facts: facts.fortify,
        shown=lambda facts: (
            f"{facts.kind}, fortified functions {_WORDS[facts.fortify]}"
        ),
    )

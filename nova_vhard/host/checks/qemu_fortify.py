# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-14: QEMU's calls to libc are fortified."""

from nova_vhard.host import qemu_build
from nova_vhard.host.check import Answer, Check
from nova_vhard.host.elf import ElfFacts
from nova_vhard.host.host import Host

_WORDS = {True: "seen", False: "not seen", None: "cannot be told"}


def _shown(facts: ElfFacts) -> str:
    return f"{facts.kind}, fortified functions {_WORDS[facts.fortify]}"


_ASKED = qemu_build.Property(
    name="FORTIFY",
    has=lambda facts: facts.fortify,
    shown=_shown,
)


class QemuFortify(Check):
    """Functions of glibc's that check the size of what they write are called.

    =================  ===================================================
    PASS               every emulator that libvirt would start calls them
    FAIL               one calls none
    UNKNOWN            one of which it cannot be told (a static one, one
                       for musl), that cannot be read, or libvirt cannot
                       be asked
    NOT_APPLICABLE     libvirt would start no emulator
    =================  ===================================================
    """

    name = "qemu_fortify"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Ask every binary."""
        return qemu_build.judge(host, evidence, _ASKED)

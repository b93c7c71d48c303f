# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-12: QEMU wants no memory that is written and executed."""

from nova_vhard.host import qemu_build
from nova_vhard.host.check import Answer, Check
from nova_vhard.host.elf import ElfFacts
from nova_vhard.host.host import Host


def _shown(facts: ElfFacts) -> str:
    nothing = "nothing" if facts.nx else "stack or a segment"
    return f"{nothing} both writable and executable"


_ASKED = qemu_build.Property(
    name="NX",
    has=lambda facts: facts.nx,
    shown=_shown,
)


class QemuNx(Check):
    """No executable stack, and no segment that is written and executed.

    =================  ===================================================
    PASS               every emulator that libvirt would start, and every
                       module
    FAIL               one of them has an executable stack, or does not
                       say (the loader then takes an executable one), or
                       code that can be written
    UNKNOWN            a binary that cannot be read, or libvirt cannot be
                       asked
    NOT_APPLICABLE     libvirt would start no emulator
    =================  ===================================================
    """

    name = "qemu_nx"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Ask every binary."""
        return qemu_build.judge(host, evidence, _ASKED)

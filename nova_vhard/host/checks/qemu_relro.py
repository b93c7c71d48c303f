# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-10: QEMU's binaries have full RELRO."""

from nova_vhard.host import qemu_build
from nova_vhard.host.check import Answer, Check
from nova_vhard.host.elf import ElfFacts, Relro
from nova_vhard.host.host import Host


def _has(facts: ElfFacts) -> bool:
    return facts.relro is Relro.FULL


_ASKED = qemu_build.Property(
    name="full RELRO",
    has=_has,
    shown=lambda facts: f"{facts.kind}, RELRO {facts.relro}",
)


class QemuRelro(Check):
    """A segment PT_GNU_RELRO, and everything bound before the start.

    =================  ===================================================
    PASS               every emulator that libvirt would start, and every
                       module, has it
    FAIL               one of them has it in part or not at all
    UNKNOWN            a binary that cannot be read, or libvirt cannot be
                       asked
    NOT_APPLICABLE     libvirt would start no emulator
    =================  ===================================================
    """

    name = "qemu_relro"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Ask every binary."""
        return qemu_build.judge(host, evidence, _ASKED)

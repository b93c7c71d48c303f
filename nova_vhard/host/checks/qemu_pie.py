# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-13: QEMU's emulators are position independent, and not setuid."""

from nova_vhard.host import qemu_build
from nova_vhard.host.check import Answer, Check
from nova_vhard.host.elf import ElfFacts, Kind
from nova_vhard.host.host import Host

_INDEPENDENT = (Kind.PIE, Kind.STATIC_PIE)


def _has(facts: ElfFacts) -> bool | None:
    if facts.setuid or facts.setgid:
        return False
    # An emulator that is a library to all appearances.
    return None if facts.kind is Kind.SHARED else facts.kind in _INDEPENDENT


def _shown(facts: ElfFacts) -> str:
    setuid = ", setuid" if facts.setuid else ""
    setgid = ", setgid" if facts.setgid else ""
    return f"{facts.kind}{setuid}{setgid}"


_ASKED = qemu_build.Property(
    name="PIE and neither setuid nor setgid",
    has=_has,
    shown=_shown,
    # Shared objects are position independent by nature.
    modules=False,
)


class QemuPie(Check):
    """The kernel may load an emulator anywhere, and it runs as its caller.

    =================  ===================================================
    PASS               every emulator that libvirt would start is a PIE,
                       and none is setuid or setgid
    FAIL               one is not, or is setuid or setgid
    UNKNOWN            a binary that cannot be read, or libvirt cannot be
                       asked
    NOT_APPLICABLE     libvirt would start no emulator
    =================  ===================================================
    """

    name = "qemu_pie"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Ask every binary."""
        return qemu_build.judge(host, evidence, _ASKED)

# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-11: QEMU's binaries guard their stacks."""

from nova_vhard.host import qemu_build
from nova_vhard.host.check import Answer, Check
from nova_vhard.host.elf import ElfFacts
from nova_vhard.host.host import Host

_WORDS = {True: "seen", False: "not seen", None: "cannot be told"}


def _shown(facts: ElfFacts) -> str:
    symbols = "stripped" if facts.stripped else "with symbols"
    return f"{facts.kind}, {symbols}, stack canary {_WORDS[facts.canary]}"


_ASKED = qemu_build.Property(
    name="stack canaries",
    has=lambda facts: facts.canary,
    shown=_shown,
)


class QemuCanary(Check):
    """Functions check a canary on the stack before they return.

    =================  ===================================================
    PASS               every emulator that libvirt would start has them
    FAIL               one has none
    UNKNOWN            one of which it cannot be told (a static one), that
                       cannot be read, or libvirt cannot be asked
    NOT_APPLICABLE     libvirt would start no emulator
    =================  ===================================================
    """

    name = "qemu_canary"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Ask every binary."""
        return qemu_build.judge(host, evidence, _ASKED)

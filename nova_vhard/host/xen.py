# SPDX-License-Identifier: Apache-2.0
"""What Xen says of the IOMMU, on its control domain.

The kernel of that domain drives none and shows nothing of it: only root can
ask the hypervisor, and the pre-step does. Xen prints at boot what it did; that
is compared with the registers of machines with VT-d on and off.

Source: xen/drivers/passthrough/iommu.c in Xen; xl(1).
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from nova_vhard.host import command, prestep
from nova_vhard.host.host import Host
from nova_vhard.host.root import Unreadable
from nova_vhard.host.words import shown

#: Key of the pre-step's kernel.json: Xen's own lines.
FACT = "xen"

_PROGRAMS = "/usr/sbin:/sbin:/usr/bin:/bin"
_COMMANDS = ("dmesg", "info")
_SECONDS = 10.0

_DMA = "I/O virtualisation"
_INTERRUPTS = "Interrupt remapping"
_DOMAIN = "Dom0 mode:"
_CAPABILITIES = "virt_caps"
_ASSIGNS = "hvm_directio"
# Its own lines, with a time or without: a guest's output, which Xen prints
# too, begins with (d1), and may have the same words.
_OWN = re.compile(
    r"\(XEN\) (?:\[[^\]]*\] ?)?(?:- )?"
    rf"(?P<what>{_DMA}|{_INTERRUPTS}|{_DOMAIN}) (?P<word>\w+)"
)
_MAX_LINES, _MAX_LINE = 16, 120
_ON, _OFF = "enabled", "disabled"

#: What to do where Xen's own word is missing.
STEP = (
    "Run nova-vhard-reporter facts as root on the control domain, soon after "
    "boot: it asks xl dmesg and xl info, and Xen keeps few lines. Nova 31 and "
    "later start no guest under Xen all the same."
)


@dataclass(frozen=True)
class Hypervisor:
    """What Xen has done; None where it does not say.

    :ivar dma: whether it translates devices' access to memory
    :ivar interrupts: whether it remaps their interrupts
    :ivar domain: how the control domain's own devices are translated:
        Relaxed, Strict or Passthrough; empty where it does not say
    :ivar lines: its own
    """

    dma: bool | None
    interrupts: bool | None
    domain: str
    lines: tuple[str, ...]


def ask() -> list[str]:
    """Return the lines of Xen's that matter; none without xl.

    To be called by root, on the control domain itself.
    """
    program = shutil.which("xl", path=_PROGRAMS)
    result: list[str] = []
    for word in _COMMANDS if program else ():
        try:
            text = command.output([str(program), word], _SECONDS)
        except (OSError, command.Failed):
            continue
        result += chosen(text)
    return result


def chosen(text: str) -> list[str]:
    """Return the lines that matter of what ``xl`` prints, bounded."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    wanted = [
        shown(line, _MAX_LINE)
        for line in lines
        if _OWN.fullmatch(line) or line.startswith(_CAPABILITIES)
    ]
    return wanted[-_MAX_LINES:]


def read(host: Host) -> Hypervisor:
    """Return the answers of Xen that the pre-step has left.

    :raises Unreadable: if the pre-step left nothing of Xen
    """
    try:
        lines = prestep.left(host, prestep.KERNEL).get(FACT)
    except Unreadable as error:
        error.step = STEP
        raise
    if not isinstance(lines, list) or not all(
        isinstance(line, str) for line in lines
    ):
        lines = []
    lines = [shown(line, _MAX_LINE) for line in lines[:_MAX_LINES]]
    capabilities = [line for line in lines if line.startswith(_CAPABILITIES)]
    dma = _state(lines, _DMA)
    if dma is None and capabilities:
        dma = _ASSIGNS in capabilities[-1].split()
    interrupts = _state(lines, _INTERRUPTS)
    if interrupts is None and _state(lines, _DMA) is False:
        interrupts = False
    domain = _last(lines, _DOMAIN)
    return Hypervisor(dma, interrupts, domain, tuple(lines))


def _state(lines: Sequence[str], word: str) -> bool | None:
    """Return whether the last line of a kind says enabled."""
    last = _last(lines, word)
    return last == _ON if last in (_ON, _OFF) else None


def _last(lines: Sequence[str], what: str) -> str:
    """Return the last word of Xen's on something; empty without one."""
    matches = [_OWN.fullmatch(line) for line in lines]
    words = [each["word"] for each in matches if each and each["what"] == what]
    return words[-1] if words else ""

# SPDX-License-Identifier: Apache-2.0
"""The answers of the IOMMU's checks on Xen's control domain."""

from nova_vhard.host import platform, xen
from nova_vhard.host.check import Answer, Status
from nova_vhard.host.host import Host

_OFF = (
    "Switch VT-d or AMD-Vi on in the firmware, and boot Xen without "
    "iommu=off on its own command line (GRUB_CMDLINE_XEN)."
)
_DIRECT = (
    "Switch interrupt remapping on in the firmware, and boot Xen without "
    "iommu=no-intremap."
)
_DOMAIN = "Boot Xen with dom0-iommu=strict on its own command line."


def dma(host: Host, evidence: list[str]) -> Answer:
    """Judge whether Xen translates what devices reach.

    :raises Unreadable: without root's pre-step
    """
    result = _read(host, evidence)
    if result.dma is None:
        return _silent()
    if not result.dma:
        return Answer(Status.FAIL, "Xen drives no IOMMU", _OFF)
    return Answer(Status.PASS, "Xen translates what devices reach")


def interrupts(host: Host, evidence: list[str]) -> Answer:
    """Judge whether Xen remaps interrupts.

    :raises Unreadable: without root's pre-step
    """
    result = _read(host, evidence)
    if result.interrupts is None:
        return _silent()
    if not result.interrupts:
        text = "Xen does not remap interrupts"
        return Answer(Status.FAIL, text, _DIRECT if result.dma else _OFF)
    return Answer(Status.PASS, "Xen remaps interrupts of devices")


def own_devices(host: Host, evidence: list[str]) -> Answer:
    """Judge what the control domain's own devices reach.

    Relaxed gives them the memory of every guest.

    :raises Unreadable: without root's pre-step
    """
    result = _read(host, evidence)
    if result.dma is None:
        return _silent()
    if not result.dma:
        return Answer(Status.FAIL, "Xen drives no IOMMU", _OFF)
    if not result.domain:
        return _silent()
    if result.domain != "Strict":
        text = f"the control domain's devices are {result.domain}"
        return Answer(Status.FAIL, text, _DOMAIN)
    return Answer(Status.PASS, "the control domain's devices are translated")


def of_kernel(what: str) -> Answer:
    """Return the answer where the control domain's kernel cannot tell.

    :param what: of which it shows its own alone
    """
    text = f"{what} of the control domain, and not Xen's, is what is shown"
    return Answer(Status.UNKNOWN, text, platform.NO_XEN)


def _read(host: Host, evidence: list[str]) -> xen.Hypervisor:
    """Return Xen's own answers, with its lines as evidence."""
    result = xen.read(host)
    evidence += [f"xl: {line}" for line in result.lines]
    return result


def _silent() -> Answer:
    """Return the answer where Xen's own word is missing."""
    text = "Xen, and what it said of its IOMMU was not kept"
    return Answer(Status.UNKNOWN, text, xen.STEP)

# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-15: address spaces are randomized."""

from nova_vhard.host.check import Answer, Check, failed, passed, unknown
from nova_vhard.host.host import Host
from nova_vhard.host.root import Unreadable

_SYSCTL = "/proc/sys/kernel/randomize_va_space"
# 1 leaves out the heap (brk(2)), which begins right behind the program then.
_MEANING = {
    "0": "address spaces are not randomized",
    "1": "the heap is not randomized",
}

_CMDLINE = "/proc/cmdline"
# norandmaps sets the sysctl to 0; nokaslr is about the kernel's own addresses.
_BOOT = frozenset(("norandmaps", "nokaslr"))
# What keeps addresses from those who would look them up.
_ASIDE = (
    "/proc/sys/kernel/kptr_restrict",
    "/proc/sys/kernel/dmesg_restrict",
    "/sys/kernel/security/lockdown",
)


class KernelAslr(Check):
    """kernel.randomize_va_space is 2.

    =========  ===========================================================
    PASS       stack, libraries and heap are placed at random
    FAIL       the heap is not, or none of them
    UNKNOWN    the setting is missing or has an unknown value
    =========  ===========================================================

    The kernel's boot parameters, and how well it hides its own addresses, are
    listed in the evidence only: the guide does not require either. Source:
    Documentation/admin-guide/sysctl/kernel.rst.
    """

    name = "kernel_aslr"
    id = "Check-Virt-15"
    title = "Address spaces are randomized"
    guide = "Compiler hardening"
    meaning = (
        "The kernel places stack, libraries and heap of a position "
        "independent QEMU at random addresses (kernel.randomize_va_space = "
        "2)."
    )
    remediation = (
        "Set kernel.randomize_va_space = 2 in /etc/sysctl.d and boot "
        "without norandmaps."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the sysctl."""
        root = host.root
        value = root.read(_SYSCTL)
        # None of these decides: they say what else hides addresses.
        for path in (_CMDLINE, *_ASIDE):
            try:
                text = root.maybe(path) or ""
            except Unreadable as error:
                root.note(f"cannot be read: {error}")
                continue
            if path == _CMDLINE:
                text = " ".join(part for part in text.split() if part in _BOOT)
            if text:
                root.note(f"{path}: {text}")
        if value == "2":
            return passed("address spaces are fully randomized")
        if value in _MEANING:
            return failed(_MEANING[value])
        return unknown(f"{value[:20]!r} is not a known value")

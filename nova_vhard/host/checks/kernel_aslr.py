# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-15: address spaces are randomized."""

from nova_vhard.host.check import Answer, Check, Status
from nova_vhard.host.root import HostRoot

_SYSCTL = "/proc/sys/kernel/randomize_va_space"
_FULL = "2"
_MEANING = {
    "0": "address spaces are not randomized",
    "1": "the heap is not randomized",
}


class KernelAslr(Check):
    """kernel.randomize_va_space is 2.

    Source: Documentation/admin-guide/sysctl/kernel.rst.
    """

    name = "kernel_aslr"

    def answer(self, root: HostRoot, evidence: list[str]) -> Answer:
        """Judge the sysctl."""
        value = root.read(_SYSCTL)
        evidence.append(f"{_SYSCTL}: {value}")
        if value == _FULL:
            return Status.PASS, "address spaces are randomized in full"
        if value in _MEANING:
            return Status.FAIL, _MEANING[value]
        return Status.UNKNOWN, f"{value[:20]!r} is not a value that is known"

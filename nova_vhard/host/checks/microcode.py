# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-35: the processor's microcode is not older than the kernel's."""

from nova_vhard.host.check import Answer, Check, failed, passed, unknown
from nova_vhard.host.host import Host
from nova_vhard.host.platform import Platform, is_virtual, of_processor
from nova_vhard.host.root import Unreadable
from nova_vhard.host.sanitized import shown

_FILE = "/sys/devices/system/cpu/vulnerabilities/old_microcode"
_CPUINFO = "/proc/cpuinfo"

_OLD_KERNEL = (
    "Boot Linux 6.16 or later: an older kernel has no list of microcode. Do "
    "not require this check of hosts without one."
)
_AT_BOOT = (
    "Install the newest microcode (package intel-microcode, microcode_ctl) or "
    "firmware and reboot: the kernel compares at boot."
)


class Microcode(Check):
    """The kernel knows of no microcode that is newer than the processor's.

    =========  ===========================================================
    PASS       the kernel's list has none that is newer; so it is for a
               model that is not in that list
    FAIL       the list has one that is newer
    UNKNOWN    the kernel has no such list, or not of this maker, or runs
               under another hypervisor
    =========  ===========================================================

    Source: Documentation/admin-guide/hw-vuln/old_microcode.rst of the kernel.
    """

    name = "microcode"
    id = "Check-Virt-35"
    title = "The processor's microcode is not known to be old"
    guide = (
        "Beyond the guide: mitigations in the kernel need the processor's "
        "own part of them"
    )
    meaning = (
        "When this kernel booted, the processor's microcode was not older "
        "than the newest that the kernel's makers knew. A kernel that was "
        "not updated knows of nothing newer."
    )
    remediation = _AT_BOOT

    def answer(self, host: Host) -> Answer:
        """Judge the kernel's own comparison."""
        root = host.root
        maker = of_processor(root)
        root.note(f"{_CPUINFO}: {maker}")
        try:
            # cpu_has_old_microcode() in the kernel's
            # arch/x86/kernel/cpu/common.c.
            text = root.read(_FILE)
        except Unreadable as error:
            if error.missing:
                error.step = _OLD_KERNEL
            raise
        if text.lower().startswith("vulnerable"):
            return failed("the processor's microcode is old")
        # The kernel says "Not affected" of each processor that is not in its
        # list, which has Intel's alone.
        if maker is not Platform.INTEL:
            return unknown(
                "the kernel checks the microcode of Intel processors only",
                "The kernel's list has Intel's microcode alone. Update "
                "this machine's firmware by its maker's list, and do "
                "not require this check of it.",
            )
        # It says the same under any hypervisor (X86_FEATURE_HYPERVISOR).
        if is_virtual(root):
            return unknown(
                "the kernel compares nothing under a hypervisor",
                "Judge the machine below: a hypervisor tells its guests "
                "any revision, and this kernel compares none there. Do "
                "not require this check of a host that is itself a "
                "guest.",
            )
        if text == "Not affected":
            return passed("no newer microcode is known")
        return unknown(f"the kernel says {shown(text)!r}")

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
    "Boot Linux 6.16 or later: older kernels have no list of microcode. Do "
    "not require this check of hosts with an older kernel."
)
_AT_BOOT = (
    "Install the newest microcode (package intel-microcode, microcode_ctl) "
    "or firmware, and reboot: the kernel compares versions at boot."
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
        "Beyond the guide: many mitigations of the kernel require updated "
        "microcode"
    )
    meaning = (
        "At boot, the processor's microcode was at least as new as the "
        "version in the kernel's list. An old kernel does not know newer "
        "versions."
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
                "the kernel checks only the microcode of Intel processors",
                "The kernel's list contains only Intel's microcode. Keep "
                "the firmware of this machine up to date as its vendor "
                "recommends, and do not require this check of it.",
            )
        # It says the same under any hypervisor (X86_FEATURE_HYPERVISOR).
        if is_virtual(root):
            return unknown(
                "the kernel does not check microcode in a virtual machine",
                "Check the physical machine instead: a hypervisor can "
                "report any version to its guests. Do not require this "
                "check of a host that is a virtual machine.",
            )
        if text == "Not affected":
            return passed("the kernel knows no newer microcode")
        return unknown(f"the kernel says {shown(text)!r}")

# SPDX-License-Identifier: Apache-2.0
"""CPU vulnerabilities and mitigations as the kernel reports them.

Source: Documentation/ABI/testing/sysfs-devices-system-cpu in the kernel, and
its arch/x86/kernel/cpu/bugs.c and arch/arm64/kernel/proton-pack.c.
"""

import enum

from nova_vhard.host.root import HostRoot

FOLDER = "/sys/devices/system/cpu/vulnerabilities"

#: The kernel appends this to a mitigation that SMT siblings can bypass.
OF_THREADS = "smt vulnerable"

# Characters. The kernel writes one line; the rest is cut off.
# Its longest text, that of spectre_v2, is shorter.
_LIMIT = 200
_CLOSED = ("not affected", "mitigation: ", "kvm: mitigation: ")
# No barrier between guests (spectre_v2), or the processor's part of a
# mitigation is missing, regardless of the text in front of it. tsa=user omits
# the boundary between a guest and its host.
# "no microcode": "Vulnerable: Clear CPU buffers attempted, no microcode" of
# mds, for example. "but not bhb": "CSV2, but not BHB" of Arm.
_OPEN = (
    "vulnerable",
    "but not bhb",
    "ibpb: disabled",
    "no microcode",
    "user/kernel boundary",
)
# The host is open to its own programs, and its guests are not let through; or
# the registers that would be read are switched off, also for guests.
# Files: spectre_v2 (its part BHI), indirect_target_selection, and
# gather_data_sampling.
_BUT_FOR_GUESTS = (
    "vulnerable, kvm: sw loop",
    "vulnerable, kvm: not affected",
    "avx disabled, no microcode",
)

# What an x86 kernel does against spectre_v2. It names the barrier between two
# guests behind it where the processor has one (IBPB), and is silent otherwise.
# spectre_v2_show_state() joins the parts; on Arm and others the text has no
# IBPB, and says nothing by that.
_OF_X86 = ("retpoline", "ibrs", "lfence")


class State(enum.Enum):
    """State of a vulnerability, from the kernel's text."""

    CLOSED = "closed"
    OPEN = "open"
    UNKNOWN = "unknown"


def read(root: HostRoot) -> dict[str, str]:
    """Return the kernel's words on each vulnerability, by its name.

    :raises Unreadable: if one of them cannot be read
    """
    # Every file, not a list of names: a newer kernel has files that this
    # version does not know, and they must not be passed over.
    return {
        name: root.peek(f"{FOLDER}/{name}")[:_LIMIT]
        for name in root.names(FOLDER)
    }


def state(name: str, text: str, threads_apart: bool = False) -> State:
    """Return what a text of the kernel's comes to.

    One that is in part open is open, and one that is not understood UNKNOWN.

    :param name: of the vulnerability
    :param threads_apart: whether no two guests have threads of one core
    """
    words = text.lower()
    # An x86 kernel that knows of no barrier between two guests.
    x86 = name == "spectre_v2" and any(word in words for word in _OF_X86)
    if x86 and "ibpb" not in words:
        return State.OPEN
    # Before the test of _OPEN: these texts contain "vulnerable", or "no
    # microcode", themselves.
    for part in _BUT_FOR_GUESTS:
        words = words.replace(part, "not affected")
    if threads_apart:
        # The rest of the text is judged as if SMT were off.
        words = words.replace(OF_THREADS, "")
    if any(word in words for word in _OPEN):
        return State.OPEN
    # "Unknown: Dependent on hypervisor status" in a virtual machine; also as a
    # part behind a mitigation.
    if words.startswith(_CLOSED) and "unknown" not in words:
        return State.CLOSED
    return State.UNKNOWN

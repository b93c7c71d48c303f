# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-33: the kernel merges no memory of guests."""

from nova_vhard.host.check import Answer, Check, failed, passed, unknown
from nova_vhard.host.host import Host
from nova_vhard.host.sanitized import shown

_KSM = "/sys/kernel/mm/ksm"
_RUN = "/sys/kernel/mm/ksm/run"
_SHARING = "/sys/kernel/mm/ksm/pages_sharing"
# Since Linux 6.6: pages of nothing but zeros, with use_zero_pages.
_ZEROS = "/sys/kernel/mm/ksm/ksm_zero_pages"

_STOPPED, _RUNNING, _UNMERGED = "0", "1", "2"


class MemorySharing(Check):
    """Kernel samepage merging is off, and no page is left merged.

    =========  ===========================================================
    PASS       it is off and nothing is merged, or the kernel has none
    FAIL       it runs, or pages of an earlier time are still merged
    UNKNOWN    the kernel does not say
    =========  ===========================================================

    Source: Documentation/admin-guide/mm/ksm.rst of the kernel.
    """

    name = "memory_sharing"
    id = "Check-Virt-33"
    title = "Guests do not share memory pages"
    guide = (
        "Beyond the guide: with a shared page, a guest can learn from "
        "access times what another guest has in memory"
    )
    meaning = (
        "The kernel does not merge identical pages of guests (KSM), and no "
        "page is still merged from before."
    )
    remediation = (
        "Write 2 into /sys/kernel/mm/ksm/run, and disable ksmtuned and "
        "ksm.service, which enable it again."
    )

    def answer(self, host: Host) -> Answer:
        """Judge what the kernel does, and what is merged."""
        root = host.root
        # By listing the folder above: where the host's /sys is out of sight
        # that raises Unreadable, while ksm alone would just be missing.
        if "ksm" not in root.names("/sys/kernel/mm"):
            root.note(f"{_KSM}: none")
            return passed("the kernel cannot merge memory")
        value = root.read(_RUN)
        if value == _RUNNING:
            return failed("the kernel merges identical pages of guests (KSM)")
        if value not in (_STOPPED, _UNMERGED):
            return unknown(f"{shown(value)!r} is not a known value")
        # A merged page stays merged when KSM stops: the time that a write to
        # it takes still tells whether another guest has the same page.
        counts = {_ZEROS: root.maybe(_ZEROS), _SHARING: root.peek(_SHARING)}
        root.note(
            *(
                f"{path}: {count}"
                for path, count in counts.items()
                if count is not None
            )
        )
        if set(counts.values()) <= {"0", None}:
            return passed("no pages of guests are merged")
        step = (
            "The kernel is unmerging the pages, which may take minutes. "
            "Check again later."
            if value == _UNMERGED
            else f"Write 2 into {_RUN}: 0 stops merging but leaves pages "
            "merged."
        )
        return failed("KSM is off, but pages are still merged", step)

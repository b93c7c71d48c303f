# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-33: the kernel merges no memory of guests."""

from nova_vhard.host.check import Answer, Check, failed, passed, unknown
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.host.sanitized import shown

_MEMORY = "/sys/kernel/mm"
_KSM = "/sys/kernel/mm/ksm"
_RUN = "/sys/kernel/mm/ksm/run"
_SHARING = "/sys/kernel/mm/ksm/pages_sharing"
# Since Linux 6.6: pages of nothing but zeros, with use_zero_pages.
_ZEROS = "/sys/kernel/mm/ksm/ksm_zero_pages"

_STOPPED, _RUNNING, _UNMERGED = "0", "1", "2"
_UNMERGE = f"Write 2 into {_RUN}: 0 stops merging and leaves pages merged."

_WAIT = (
    "The kernel takes them apart at this moment, which may take minutes: "
    "check again."
)


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
    title = "Guests share no pages of memory"
    guide = (
        "Beyond the guide: a page that is shared tells by its timing what "
        "another guest has in its memory"
    )
    meaning = (
        "The kernel does not merge equal pages of different guests (KSM), "
        "and none is merged from an earlier time."
    )
    remediation = (
        "Write 2 into /sys/kernel/mm/ksm/run, and disable ksmtuned and "
        "ksm.service, which switch it on again."
    )

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Judge what the kernel does, and what is merged."""
        root = host.root
        try:
            value = root.read(_RUN)
        except Unreadable as error:
            if not error.missing or "ksm" in root.names(_MEMORY):
                raise
            evidence.append(f"{_KSM}: none")
            return passed("the kernel cannot merge memory")
        evidence.append(f"{_RUN}: {shown(value)}")
        if value == _RUNNING:
            return failed("equal pages of guests are merged")
        if value not in (_STOPPED, _UNMERGED):
            return unknown(f"{shown(value)!r} is not a value that is known")
        merged = _counted(root, _ZEROS)
        if value == _UNMERGED:
            merged |= _counted(root, _SHARING)
        else:
            merged[_SHARING] = root.read(_SHARING)
        evidence += [
            f"{path}: {shown(count)}" for path, count in merged.items()
        ]
        if set(merged.values()) <= {"0"}:
            return passed("no pages of guests are merged")
        text = "pages that were merged before still are"
        step = _WAIT if value == _UNMERGED else _UNMERGE
        return failed(text, step)


def _counted(root: HostRoot, path: str) -> dict[str, str]:
    """Return how many pages are merged, where the kernel counts that."""
    text = root.maybe(path)
    return {} if text is None else {path: text}

# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-32: no two guests run on the threads of one core."""

from nova_vhard.host.check import Answer, Check
from nova_vhard.host.cpu import cpu_threads
from nova_vhard.host.host import Host


class Smt(Check):
    """No core runs two threads, or Nova gives guests one thread of each.

    =========  ===========================================================
    PASS       simultaneous multithreading is off or absent; or no core has
               two threads in cpu_shared_set and cpu_dedicated_set
    FAIL       guests can run on both threads of a core, or a guest still
               does because it was started before Nova's settings changed
    UNKNOWN    the kernel does not say, or Nova's settings cannot be read
    =========  ===========================================================

    A flavor's hw:cpu_thread_policy applies to its own guests only, and Nova
    does not set libvirt's sched_core: neither counts.
    """

    name = "smt"
    id = "Check-Virt-32"
    title = "No two guests share a processor core"
    guide = (
        "Beyond the guide: threads of a core share its caches and buffers, "
        "and some vulnerabilities are not mitigated across them"
    )
    meaning = (
        "Simultaneous multithreading is off, or the processors that Nova "
        "assigns to guests are one thread of each core. The other threads "
        "are left to the host."
    )
    remediation = (
        "Boot with nosmt, or disable SMT in the firmware. Or list only one "
        "thread of each core in [compute] cpu_shared_set and "
        "cpu_dedicated_set of nova.conf, restart nova-compute, and hard "
        "reboot the running guests or migrate them away."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the kernel's word, and Nova's sets of processors."""
        return cpu_threads.apart(host)

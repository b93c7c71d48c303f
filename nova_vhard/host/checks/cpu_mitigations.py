# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-31: no guest can use a vulnerability of the processor."""

from nova_vhard.catalogue.vulnerabilities import (
    KNOWN,
    OF_GUESTS,
    OF_PROGRAMS,
    OLD_MICROCODE,
)
from nova_vhard.host.check import (
    Answer,
    Check,
    Status,
    failed,
    passed,
    unknown,
)
from nova_vhard.host.cpu import cpu_threads, vulnerabilities
from nova_vhard.host.cpu.vulnerabilities import FOLDER, State
from nova_vhard.host.host import Host
from nova_vhard.host.mac import mac
from nova_vhard.host.root import unreadable
from nova_vhard.host.sanitized import few, shown


class CpuMitigations(Check):
    """The kernel mitigates each vulnerability that a guest can exploit.

    =========  ===========================================================
    PASS       all are mitigated, or the operator accepts them by name
    FAIL       a guest can exploit one against the host or another guest
    UNKNOWN    the kernel does not know, is older than one of them, or one
               that this version does not know is not mitigated
    =========  ===========================================================

    A vulnerability that a program can exploit only against its own kernel is
    the guest's concern and is listed in the evidence.
    """

    name = "cpu_mitigations"
    id = "Check-Virt-31"
    title = "Processor vulnerabilities are mitigated"
    guide = (
        "Beyond the guide: through such a vulnerability, a guest can read "
        "memory of the host or of another guest"
    )
    meaning = (
        "For each vulnerability that a guest can use against its host or "
        "another guest, the kernel reports that the processor is not "
        "affected or that it is mitigated, also between the threads of a "
        "core. Vulnerabilities that the operator accepts are listed in the "
        "evidence with the reason."
    )
    remediation = (
        "Install the newest kernel and microcode, and boot without "
        "mitigations=off and similar options. The evidence shows the "
        "kernel's report. For 'SMT vulnerable', see Check-Virt-32."
    )

    def answer(self, host: Host) -> Answer:
        """Check each of the kernel's vulnerability files."""
        texts = vulnerabilities.read(host.root)
        # Check-Virt-35 judges it.
        texts.pop(OLD_MICROCODE, None)
        # Every kernel with this folder (4.15) has meltdown and two more: an
        # empty one is not the kernel's own, and proves nothing.
        if not texts:
            raise unreadable(FOLDER, "is empty")
        # Only PASS makes threads count as apart; UNKNOWN does not.
        apart = _threads_apart(host, texts)
        states = {
            name: vulnerabilities.state(name, text, apart is Status.PASS)
            for name, text in texts.items()
        }
        host.root.note(
            *sorted(
                _line(host, name, text, states[name])
                for name, text in texts.items()
            ),
            first=True,
        )
        if apart is Status.PASS:
            host.root.note("SMT: no two guests share a core")
        # Open by nothing but threads, of which nobody knows.
        loose = {
            name
            for name, text in texts.items()
            if apart is Status.UNKNOWN
            and vulnerabilities.state(name, text, True) is State.CLOSED
            and states[name] is State.OPEN
        }
        return _settled(host, states, loose)


def _threads_apart(host: Host, texts: dict[str, str]) -> Status:
    """Return the answer on the threads of a core, as Check-Virt-32 has it.

    It matters only where the kernel says so of a vulnerability.
    """
    # Otherwise nova.conf's facts would have to be there on hosts where nothing
    # depends on them. FAIL is the careful answer.
    if vulnerabilities.OF_THREADS not in "\n".join(texts.values()).lower():
        return Status.FAIL
    return mac.attempt(cpu_threads.apart, host).status


def _line(host: Host, name: str, text: str, state: State) -> str:
    """Return the evidence on a vulnerability, in the kernel's words."""
    line = f"{FOLDER}/{shown(name)}: {shown(text, 120)}"
    reason = host.expected.vulnerabilities.get(name)
    if state is State.CLOSED:
        return line
    if reason is not None:
        return f"{line} (accepted: {shown(reason)})"
    if name in OF_PROGRAMS:
        return f"{line} (between programs: not counted)"
    return line


def _settled(host: Host, states: dict[str, State], loose: set[str]) -> Answer:
    """Return the answer that the states come to.

    :param loose: open only if two guests have threads of one core
    """
    # Not judged at all: an accepted one, and one that a guest's kernel has to
    # mitigate for its own programs.
    counted = {
        name: state
        for name, state in states.items()
        if name not in host.expected.vulnerabilities
        and name not in OF_PROGRAMS
    }
    broken = [name for name, state in counted.items() if state is State.OPEN]
    # The order of these answers matters: a FAIL stays one, even if something
    # else is unknown.
    known = [name for name in broken if name in OF_GUESTS - loose]
    if known:
        return failed(f"a guest can use {few(known)}")
    threads = [name for name in broken if name in loose]
    if threads:
        return unknown(
            f"open if two guests share a core: {few(threads)}",
            "Settle Check-Virt-32 (smt) first: it is UNKNOWN, too.",
        )
    # FAIL would take every host out of service for a vulnerability that no
    # guest may be able to use; PASS could hide one that a guest can.
    if broken:
        return unknown(
            "not mitigated, and unknown to this version of nova-vhard: "
            f"{few(broken)}",
            "See the kernel's documentation (admin-guide/hw-vuln) for what "
            "a guest can do with it. If a guest cannot use it, add it to "
            "[vhard_reporter] accepted_vulnerabilities, with the reason.",
        )
    # A kernel that is older than a vulnerability has no file for it. That is
    # not the same as "Not affected".
    unheard = KNOWN - states.keys() - host.expected.vulnerabilities.keys()
    if unheard:
        return unknown(
            f"the kernel does not know {few(sorted(unheard))}",
            "Boot a newer kernel of your distribution: maintained kernels "
            "report each of these vulnerabilities, and mitigate it if "
            "necessary.",
        )
    silent = [name for name, each in counted.items() if each is State.UNKNOWN]
    if silent:
        return unknown(
            f"the kernel reports an unknown state of {few(silent)}",
            "If this host is a virtual machine, check the physical machine "
            "instead. On a processor that the kernel does not know, boot a "
            "newer kernel.",
        )
    return passed("all vulnerabilities that a guest can use are mitigated")

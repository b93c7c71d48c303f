# SPDX-License-Identifier: Apache-2.0
"""Whether two guests can run on the threads of one core.

Sources: Documentation/ABI/testing/sysfs-devices-system-cpu and
Documentation/admin-guide/cputopology.rst in the kernel; ``cpu_shared_set``
and ``cpu_dedicated_set`` of Nova's group ``compute``.
"""

import re
from collections.abc import Iterable

from nova_vhard.host.check import Answer, failed, passed, unknown
from nova_vhard.host.cpu import guest_cpus
from nova_vhard.host.host import Host
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.root import HostRoot, Unreadable, unreadable
from nova_vhard.host.sanitized import few, shown

CPUS = "/sys/devices/system/cpu"
ACTIVE = "/sys/devices/system/cpu/smt/active"
CONTROL = "/sys/devices/system/cpu/smt/control"
SIBLINGS = "topology/thread_siblings_list"

#: What the kernel says where it runs no threads. With ``on``, or how many a
#: core may run (Power), each may have but one that is switched on just now.
_CANNOT = ("off", "forceoff", "notsupported", "")

#: What an architecture says whose threads the kernel does not count: there
#: ``active`` is 0, whatever the processor has.
NOT_COUNTED = "notimplemented"

_EVERY = "cores have several threads, and Nova assigns all of them to guests"
_NONE = passed("no core has two active threads")
#: Upper limit for the number of CPUs in a list, duplicates included.
_MOST = 1 << 20
# Not cpufreq, cpuidle and others that are in the same folder.
_CPU = re.compile(r"cpu([0-9]{1,5})")
_RANGE = re.compile(r"(\^?)([0-9]{1,5})(?:-([0-9]{1,5}))?")
_OPTIONS = "[compute] cpu_shared_set and cpu_dedicated_set"
_STEP = (
    "Boot with nosmt, or disable SMT in the firmware. Or list only one "
    f"thread of each core in Nova's {_OPTIONS}."
)
_CORRECT = f"Correct {_OPTIONS}: nova-compute does not start with them."


def apart(host: Host) -> Answer:
    """Judge whether no two guests can have threads of one core.

    :raises Unreadable: if the kernel does not say
    """
    root = host.root
    # By the kernel's kernel/cpu.c, `active` says whether threads share cores
    # now, and `control` whether they may.
    active = root.read(ACTIVE)
    # Empty where the kernel does not switch threads.
    control = (root.maybe(CONTROL) or "")[:20]
    if control:
        root.note(f"{CONTROL}: {control}")
    # Not taken for 0: what is not understood must not be a PASS.
    if active not in ("0", "1"):
        return unknown(f"{shown(active)!r} is not a known value")
    if active == "1":
        return _by_nova(host)
    if control == NOT_COUNTED:
        # Nobody counts threads here: each processor names its siblings.
        every = _every(root)
        cpus = _online(root)
        shared = _shared(root, cpus)
        root.note(f"{CPUS}: {len(cpus)} processors, {len(shared)} threads")
        # An empty list has no siblings, and would be a PASS.
        if not cpus:
            raise unreadable(CPUS, "has no processor")
        if shared:
            return _by_nova(host)
        return _NONE if cpus == every else _by_switches(host)
    # Threads are off now and allowed: the next write to a file `online` can
    # change that.
    return _NONE if control in _CANNOT else _by_switches(host)


def _by_switches(host: Host) -> Answer:
    """Judge where each second thread is switched off by itself.

    nova-compute does so with processors that no guest is pinned to, and
    switches them on for the next one.
    """
    # Compared with that one reason: any other FAIL, such as a guest that runs
    # elsewhere, stays.
    answer = _by_nova(host)
    return _NONE if answer.reason == _EVERY else answer


def _by_nova(host: Host) -> Answer:
    """Judge by the processors that Nova gives to guests."""
    try:
        # Not nova_facts.left(): sets that nova-compute has not read yet have
        # no effect.
        facts = nova_facts.read(host)
    except Unreadable as error:
        host.root.note(f"Nova's sets of processors: {error}")
        return unknown(
            "cores have several threads, and Nova's settings cannot be read",
            error.step,
        )
    host.root.note(
        *(
            f"{facts.path}: {name} = {shown(value, 100)}"
            for name, value in facts.cpu_sets.items()
        )
    )
    # Without these options Nova gives guests every processor of the host.
    if not facts.cpu_sets:
        return failed(_EVERY, _STEP)
    try:
        # Both sets together: a pinned guest and a floating one are two guests.
        cpus = set().union(*map(cpu_set, facts.cpu_sets.values()))
    except ValueError as error:
        raise unreadable(facts.path, str(error), _CORRECT) from error
    if not cpus:
        raise unreadable(facts.path, "names no processor", _CORRECT)
    shared = _shared(host.root, cpus)
    if shared:
        listed = ", ".join(str(number) for number in sorted(shared)[:8])
        return failed(
            "Nova assigns several threads of a core to guests, such as "
            f"{listed}",
            _STEP,
        )
    # A mask may name processors that are off, or not there.
    online = _online(host.root)
    allowed = {
        name: _union(name, lists) & online
        for name, lists in guest_cpus.of_each(host).items()
    }
    loose = []
    for name, own in allowed.items():
        # The set has one thread of each core: guests in it share no core.
        if own <= cpus:
            continue
        listed = ", ".join(str(number) for number in sorted(own)[:8])
        host.root.note(f"{shown(name)}: may run on {listed}")
        # Where the next guest may run, and where the others that run do.
        others = cpus.union(
            *(allowed[other] for other in allowed if other != name)
        )
        if any((_siblings(host.root, each) - {each}) & others for each in own):
            loose.append(name)
    if loose:
        return failed(
            "guests that started before Nova's sets of processors changed "
            f"share cores: {few(loose)}",
            "Hard reboot these guests (openstack server reboot --hard), or "
            "migrate them away: they still use the processors from their "
            "start.",
        )
    return passed("Nova assigns only one thread of each core to guests")


def _union(name: str, lists: Iterable[str]) -> set[int]:
    """Return the processors of a guest's lists.

    :raises Unreadable: for what is no such list
    """
    try:
        return set().union(*map(cpu_set, lists))
    except ValueError as error:
        raise unreadable(name, str(error)) from error


def _every(root: HostRoot) -> set[int]:
    """Return the processors that a host has.

    :raises Unreadable: if they cannot be listed
    """
    return {
        int(match[1])
        for match in map(_CPU.fullmatch, root.names(CPUS))
        if match
    }


def _online(root: HostRoot) -> set[int]:
    """Return those that are switched on.

    :raises Unreadable: if that cannot be told
    """
    return {number for number in _every(root) if not _is_off(root, number)}


def _shared(root: HostRoot, cpus: set[int]) -> set[int]:
    """Return those of a set that have a sibling in it.

    :raises Unreadable: if none has as far as can be seen, and the siblings of
        another cannot be read
    """
    # One pair that is seen is enough for a FAIL; what is hidden matters only
    # where none is.
    result = set()
    hidden: list[Unreadable] = []
    for number in sorted(cpus):
        try:
            if len(_siblings(root, number) & cpus) > 1:
                result.add(number)
        except Unreadable as error:
            hidden.append(error)
    if hidden and not result:
        raise hidden[0]
    return result


def _siblings(root: HostRoot, number: int) -> set[int]:
    """Return the threads of a processor's core, itself among them.

    :raises Unreadable: if they cannot be read
    """
    path = f"{CPUS}/cpu{number}/{SIBLINGS}"
    try:
        return cpu_set(root.peek(path))
    except ValueError as error:
        raise unreadable(path, str(error)) from error
    except Unreadable as error:
        # The kernel removes topology/ of a processor that is off (cpuhp).
        if error.missing and _is_off(root, number):
            raise unreadable(
                path,
                "the processor is offline",
                "Write 1 into the processor's file online, and check "
                "again: an offline processor does not show its core. If "
                "nova-compute sets processors offline ([libvirt] "
                "cpu_power_management_strategy = cpu_state), use the "
                "strategy governor instead, or boot with nosmt.",
            ) from error
        raise


def _is_off(root: HostRoot, number: int) -> bool:
    """Return whether a processor is switched off; the first cannot be.

    :raises Unreadable: if that cannot be told
    """
    # No file where it cannot be switched off, as cpu0 on x86.
    return root.maybe(f"{CPUS}/cpu{number}/online") == "0"


def cpu_set(text: str) -> set[int]:
    """Return the numbers of ``0-3,8,^2``, as Nova and the kernel list them.

    :raises ValueError: for what is no such list
    """
    result: set[int] = set()
    without: set[int] = set()
    named = 0
    # As parse_cpu_spec() of nova/virt/hardware.py: empty parts are skipped,
    # and the order of parts with and without ^ does not matter.
    for part in filter(None, (item.strip() for item in text.split(","))):
        match = _RANGE.fullmatch(part)
        if not match:
            raise ValueError(f"{shown(part)!r} names no processors")
        first = int(match[2])
        numbers = range(first, int(match[3] or first) + 1)
        named += len(numbers)
        # Before the numbers are made: "0-99999" a thousand times would be
        # slow.
        if named > _MOST:
            raise ValueError("names more processors than any host has")
        (without if match[1] else result).update(numbers)
    return result - without

# SPDX-License-Identifier: Apache-2.0
"""The processors that each guest which runs may run on.

Nova's sets of processors are for a guest that starts: one that was started
before keeps what it had. Source: ``Cpus_allowed_list`` in proc(5), of a
process and of each of its threads. What a guest itself does runs on those of
its processors alone.
"""

import re

from nova_vhard.host import guests
from nova_vhard.host.guests import PROC
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import WHOLE_TABLE
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

# The kernel prints ranges, such as "0-3,8" (cpumask, %*pbl). The limit is far
# above a mask of 8192 processors, each of them named.
_ALLOWED = re.compile(
    r"^Cpus_allowed_list:\s*([0-9,-]{1,65536})$", re.MULTILINE
)
# Not the other threads of QEMU: emulator and I/O threads run on processors of
# their own (hw:emulator_threads_policy) and run nothing of a guest's.
_PROCESSOR = "Name:\tCPU "


def of_each(host: Host) -> dict[str, list[str]]:
    """Return name and PID of each guest with the lists of its processors.

    None of a guest of a capture that did not keep them.

    :raises Unreadable: if guests cannot be seen, or one of them not be read
    """
    # A guest that is not seen may share a core with one that is.
    if host.root.live and not guests.complete(host.root):
        raise unreadable(PROC, "not every process is seen", WHOLE_TABLE)
    # One process that cannot be told from a guest is enough for UNKNOWN.
    table = guests.table(host)
    if table.unknown:
        raise unreadable(PROC, table.unknown[0], WHOLE_TABLE)
    result = {}
    for guest in table.guests:
        try:
            lists = _of_process(host.root, guest.pid)
        except Unreadable:
            # Guests end at any time: to fail for that would make a busy host
            # UNKNOWN now and then.
            if host.root.exists(f"{PROC}/{guest.pid}"):
                raise
            continue  # it has ended
        result[f"{guest.name}, process {guest.pid}"] = lists
    return result


def _of_process(root: HostRoot, pid: str) -> list[str]:
    """Return the lists of a guest's processors, each once.

    Where no thread has their name, as QEMU gives it (``CPU 0/KVM``), that of
    the process.

    :raises Unreadable: if one of them cannot be read
    """
    place = f"{PROC}/{pid}"
    threads = []
    # Each thread has a mask of its own (sched_setaffinity(2)): libvirt pins
    # the threads, and the process's own line is that of its main thread.
    for name in root.names(f"{place}/task", missing_ok=True):
        try:
            threads.append(root.peek(f"{place}/task/{name}/status"))
        except Unreadable as error:
            if not error.missing:
                raise  # otherwise it has ended
    texts = [text for text in threads if text.startswith(_PROCESSOR)]
    # debug-threads=on of -name sets the thread names; libvirt gives it.
    texts = texts or [root.peek(f"{place}/status")]
    result = [_ALLOWED.search(text) for text in texts]
    # A missing list proves nothing: without this, the guest would count as
    # running nowhere.
    if root.live and None in result:
        raise unreadable(
            f"{place}/status",
            "lists no processors",
            "Report it with the file: every Linux lists them.",
        )
    return sorted({match[1] for match in result if match})

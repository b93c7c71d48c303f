# SPDX-License-Identifier: Apache-2.0
"""Confinement of a QEMU process, for a guest that has escaped into it.

All of it is read from procfs files that any user may read. Sources: proc(5),
capabilities(7), seccomp(2), mount_namespaces(7), and
Documentation/admin-guide/cgroup-v1/devices.rst of the kernel.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nova_vhard.host.guests import PROC
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

# Only at the beginning of a line: a process chooses its name, which the first
# line has. The kernel escapes line feeds there.
_FIELDS = re.compile(
    r"^(Uid|Gid|Groups|CapPrm|CapEff|NoNewPrivs|Seccomp|Seccomp_filters):"
    r"\s*([0-9a-fA-F\t ]+)$",
    re.MULTILINE,
)
_NAMES = ("Uid", "CapPrm", "CapEff", "NoNewPrivs", "Seccomp")
_ROOT = 0
_FILTERED = 2


@dataclass(frozen=True)
class Cage:
    """Confinement of a process as the kernel shows it.

    :ivar uids: real, effective, saved and file system user ids
    :ivar gids: the same for group ids, plus the supplementary groups
    :ivar capabilities: permitted and effective capabilities, as a bit mask
    :ivar no_new_privileges: whether execve() cannot grant new privileges
    :ivar seccomp: 0 for none, 1 for strict, 2 for a filter
    :ivar filters: number of filters; 0 if the kernel does not count them
    :ivar text: the kernel's own words
    """

    uids: tuple[int, ...]
    gids: tuple[int, ...]
    capabilities: int
    no_new_privileges: bool
    seccomp: int
    filters: int
    text: str

    def open(self) -> Iterator[str]:
        """Yield each thing that it lacks."""
        if _ROOT in self.uids:
            yield "runs as root"
        elif _ROOT in self.gids:
            yield "is in the group root"
        if self.capabilities:
            yield "has capabilities"
        if not self.no_new_privileges:
            yield "may gain privileges"
        # Strict mode (1) allows read, write and exit: no QEMU runs in it.
        if self.seccomp != _FILTERED:
            yield "has no system call filter"


def read(root: HostRoot, pid: str) -> Cage:
    """Return what the kernel shows of a process.

    :raises Unreadable: if it does not
    """
    path = f"{PROC}/{pid}/status"
    fields = dict(_FIELDS.findall(root.peek(path)))
    # A line that is not there is UNKNOWN, and not the value 0: a kernel
    # without seccomp has no such line.
    missing = [name for name in _NAMES if name not in fields]
    if missing:
        raise unreadable(path, f"has no {', '.join(missing)}")
    try:
        return Cage(
            _numbers(fields["Uid"]),
            _numbers(f"{fields.get('Gid', '')} {fields.get('Groups', '')}"),
            # A process can make what is permitted effective (capset(2)).
            int(fields["CapPrm"], 16) | int(fields["CapEff"], 16),
            int(fields["NoNewPrivs"]) == 1,
            int(fields["Seccomp"]),
            # Since Linux 5.9.
            int(fields.get("Seccomp_filters", "0")),
            ", ".join(f"{name} {fields[name].split()[0]}" for name in _NAMES),
        )
    except (ValueError, IndexError) as error:
        raise unreadable(path, "is not understood") from error


def filters(root: HostRoot, pid: str) -> int:
    """Return how many filters of system calls a process hands on.

    A child has those of its parent, and can only add to them.

    :raises Unreadable: if the kernel does not show it
    """
    fields = dict(_FIELDS.findall(root.peek(f"{PROC}/{pid}/status")))
    if fields.get("Seccomp") != str(_FILTERED):
        return 0
    # Before Linux 5.9 nothing counts them: there is one at least.
    count = fields.get("Seccomp_filters", "1")
    return int(count) if count.isdecimal() else 1


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split())


def mount_ids(root: HostRoot, pid: str) -> frozenset[str]:
    """Return the numbers of the mounts that a process sees.

    A mount has its number in one namespace alone: two processes without a
    number in common are in namespaces of their own.

    :raises Unreadable: if there are none to be read
    """
    # Not the link /proc/PID/ns/mnt, which only root and the process's own user
    # may read.
    path = f"{PROC}/{pid}/mountinfo"
    result = frozenset(
        line.split()[0] for line in root.lines(path) if line.strip()
    )
    if not result:
        raise unreadable(path, "has no mounts")
    return result


def devices(root: HostRoot, pid: str) -> tuple[str, bool | None]:
    """Return what limits the devices of a process, and whether it does.

    :returns: for evidence, and None where that cannot be read: the kernel
        shows no program that is attached to a group of version 2
    """
    try:
        text = root.peek(f"{PROC}/{pid}/cgroup")
    except Unreadable as error:
        return str(error), None
    for line in text.splitlines():
        _, controllers, group = (*line.split(":", 2), "", "")[:3]
        # "4:devices:/machine.slice/..." in version 1 of cgroups; in version 2
        # "0::/..." without controllers.
        if "devices" not in controllers.split(","):
            continue
        # Where systemd and libvirt expect it. Mounted elsewhere, the file is
        # missing and the answer None.
        path = f"/sys/fs/cgroup/devices{group.rstrip('/')}/devices.list"
        try:
            # The list of a group in which nothing has been denied.
            everything = "a *:* rwm" in root.peek(path)
        except Unreadable as error:
            return str(error), None
        return f"{path}: {'all' if everything else 'some'}", not everything
    return "devices: no list of version 1 of cgroups", None

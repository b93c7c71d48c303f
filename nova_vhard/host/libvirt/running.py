# SPDX-License-Identifier: Apache-2.0
"""Running libvirt daemons and QEMU processes, and the files they use.

A path identifies a file only together with the root and the mount namespace of
the process that opens it. The emulator that a libvirt in a container names may
be another file here, or none; a guest may run a file that was replaced since.
So a file is judged only if it can be opened as its process would open it.

Source: proc(5), for all users ``/proc/PID/mountinfo`` and ``/proc/PID/stat``,
for root and the process's own user ``/proc/PID/root`` and ``/proc/PID/exe``.
"""

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from nova_vhard.host import guests
from nova_vhard.host.check import Answer, unknown, unread
from nova_vhard.host.guests import DELETED, PROC, Guest
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable, reading, unreadable

_RESTART = (
    "Stop and start the guest, or migrate it away and back: it still uses "
    "the files from its start."
)
#: What to do where not every process is seen.
WHOLE_TABLE = (
    "Make all processes of the host visible to the reporter: run it in the "
    "host's PID namespace, with /proc mounted without hidepid."
)

# Clock ticks a second in /proc/PID/stat, the same on every Linux.
_TICKS = 100
# Where libvirt's daemons leave their numbers when they start.
_PID_FILES = tuple(
    f"{folder}/{name}.pid"
    for folder in ("/run", "/run/libvirt", "/var/run", "/var/run/libvirt")
    for name in ("libvirtd", "virtqemud", "virtproxyd")
)

# Of /proc/PID/stat behind the name: when the process was started.
_PARENT, _START = 1, 19

_ESCAPE = re.compile(r"\\([0-3][0-7]{2})")
# No kernel counts further.
_MAX_DIGITS = 20

#: File system that a file is on, and its path there.
Place = tuple[str, str]


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo.

    :ivar point: where it is mounted, below the root of the process
    :ivar device: its file system, ``254:1``
    :ivar root: what of the file system is mounted there
    """

    point: str
    device: str
    root: str


@dataclass(frozen=True)
class Target:
    """A file to be judged.

    :ivar root: where it is to be opened
    :ivar path: below that root
    :ivar label: for evidence: the path, and whose it is where that matters
    :ivar guest: who runs it; None for what libvirt would start
    :ivar pid: of the process that opens it; empty where none runs
    :ivar place: where it is, of one that is out of sight here
    """

    root: HostRoot
    path: str
    label: str
    guest: Guest | None = None
    pid: str = ""
    place: Place | None = None

    @property
    def replaced(self) -> bool:
        """Whether a guest runs it and nobody else can any more."""
        return isinstance(self.root, _Program)


class _Program(HostRoot):
    """The program of a process, whatever the path; also a deleted one."""

    def _resolve(self, path: str, passed: list[str] | None = None) -> str:
        # The root is /proc/PID/exe: to open that link opens the very file that
        # runs, even one that has no path any more (proc(5)).
        return self.root


class _OutOfSight(HostRoot):
    """The root of a process, which only root sees."""

    def _resolve(self, path: str, passed: list[str] | None = None) -> str:
        # Without this, a reporter without rights would open its own file at
        # the same path and judge a program that the process does not run.
        raise OSError(
            errno.EACCES,
            "in another process's root file system, which only root can read",
        )


class Running:
    """The processes of a host that count, and how to reach their files.

    :param host: whose
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._root = host.root

    @cached_property
    def daemons(self) -> list[tuple[str, str]]:
        """Pid and name of each of libvirt's daemons.

        Not what one of them has forked and not yet made another program of.
        """
        result = dict(guests.daemon_pids(self._root))
        # Before it executes QEMU, such a child is already in the mount
        # namespace of its guest (qemuProcessHook): the daemon's paths lead
        # elsewhere there.
        return [
            (pid, name)
            for pid, name in result.items()
            if parent_of(self._root, pid) not in result
        ]

    @cached_property
    def _mounts(self) -> tuple[Mount, ...]:
        """Mounts in the reporter's own view of the host."""
        # Where the host's / is bound into a container, "self" would show the
        # mounts of the container; process 1 shows the host's.
        return mounts(self._root, "self" if self._root.root == os.sep else "1")

    def of_daemon(self, path: str) -> Iterator[Target]:
        """Yield a path as each of libvirt's daemons would open it.

        :raises Unreadable: if it cannot be reached, or it is not known
            whether there is a daemon
        """
        ended = 0
        for pid, name in self.daemons:
            try:
                yield self.of_process(pid, f"{name}, process {pid}", path)
            except Unreadable:
                # One that has ended needs no answer; one that runs and cannot
                # be reached makes the check UNKNOWN.
                if self._runs(pid):
                    raise
                ended += 1
        if ended == len(self.daemons):
            # A daemon may run that is not seen. A capture has all there is.
            if not (self._root.captured or guests.complete(self._root)):
                raise unreadable(
                    PROC,
                    "no libvirt daemon is visible, but not all processes "
                    "are visible either",
                    WHOLE_TABLE,
                )
            # No daemon runs: the next one will read the file of this root.
            yield Target(self._root, path, path)

    def _runs(self, pid: str) -> bool:
        """Return whether a process is still running."""
        return self._root.exists(f"{PROC}/{pid}")

    def root_of(self, pid: str) -> HostRoot:
        """Return the root of a process, for who may list it."""
        folder = f"{PROC}/{pid}/root"
        if not self._root.may_list(folder):
            return self._root
        return HostRoot(os.path.join(self._root.root, folder[1:]))

    def of_guests(self) -> tuple[list[Target], list[Answer]]:
        """Return the program of each guest, and why others cannot be judged.

        :raises Unreadable: if processes cannot be listed
        """
        result: list[Target] = []
        # A process that may be a guest is a doubt, which the checks answer
        # with: the guests that can be seen prove nothing about it.
        table = guests.table(self._host)
        doubts = [unknown(text, WHOLE_TABLE) for text in table.unknown]
        for guest in table.guests:
            try:
                result.append(self._of_guest(guest))
            except Unreadable as error:
                if self._runs(guest.pid):
                    doubts.append(unread(error))
        return result, doubts

    def _of_guest(self, guest: Guest) -> Target:
        who = f"guest {guest.name}, process {guest.pid}"
        path = guest.program.removesuffix(DELETED)
        link = f"{PROC}/{guest.pid}/exe"
        # d_path() in the kernel appends " (deleted)" once the file was removed
        # or replaced. A file that is at this path now is another one.
        if path != guest.program:
            if self._root.may_open(link):
                return self._program(guest, who, link)
            raise unreadable(path, f"replaced since {who} started", _RESTART)
        # The link exe is for root and the process's own user. Without it
        # Guest.program is the first word of the command line, which need not
        # be a path.
        if not path.startswith("/"):
            raise unreadable(
                link,
                f"the program of {who}",
                "Run nova-vhard-reporter check as root: only root can read "
                "the files of that process. Or run the reporter in the "
                "same container.",
            )
        target = self.of_process(guest.pid, who, path, guest)
        # Root of another process: nothing below can be read.
        # container_binaries looks for the same place in what the pre-step
        # left.
        if target.place:
            return target
        if self._root.may_open(link):
            # What is mounted over the program later takes its path, and only
            # who may open the program itself sees that.
            with reading(link):
                own = os.stat(os.path.join(self._root.root, link[1:]))
            if not os.path.samestat(own, target.root.stat(path)):
                return self._program(guest, who, link)
        else:
            self._must_not_hide(target, who)
        # Without the link exe nothing says that the file was replaced. The new
        # one has a later status time (ctime); the modification time is no
        # help, as package managers set it back to that of the build.
        if changed(target.root, path) > start_of(self._root, guest.pid):
            raise unreadable(path, f"changed since {who} started", _RESTART)
        return target

    def _program(self, guest: Guest, who: str, link: str) -> Target:
        """Return what a guest runs, which no path leads to any more."""
        root = _Program(os.path.join(self._root.root, link[1:]))
        path = guest.program.removesuffix(DELETED)
        return Target(root, path, f"{guest.program} ({who})", guest)

    def _must_not_hide(self, target: Target, who: str) -> None:
        """Raise where a mount may hide the program of a guest.

        Mounts of the host show up in the namespaces of guests that run, and
        nothing says when each was made. That of a whole system of files, such
        as /usr, is made before any guest is started.

        :raises Unreadable: if one may
        """
        real = target.root.real(target.path)
        points = {each.point for each in mounts(self._root, target.pid)}
        for path in (target.path, real):
            if points & {path, os.path.dirname(path)} - {os.sep}:
                raise unreadable(
                    path,
                    f"mounted over, perhaps since {who} started",
                    "Replace the mount by the file itself, then stop and "
                    "start the guest. Or run nova-vhard-reporter check as "
                    "root, which can read the running program.",
                )

    def of_process(
        self, pid: str, who: str, path: str, guest: Guest | None = None
    ) -> Target:
        """Return a path as a process would open it.

        :param who: what the process is called, for evidence
        :param guest: that it is, if it is one
        :raises Unreadable: if it is another file than here, out of reach
        """
        # Do the process and the reporter see the same file at the path?
        theirs = mounts(self._root, pid)
        paths = {path}
        try:
            paths.add(self._root.real(path))
        except Unreadable as error:
            if not error.missing:
                raise
        # A root without its own mount (chroot(2)) may be anywhere.
        if all(
            (ours := place(self._mounts, each)) and ours == place(theirs, each)
            for each in paths
        ):
            return Target(self._root, path, path, guest, pid)
        # The order matters: files that are the same are read below this root,
        # which needs no rights. /proc/PID/root is for root and the process's
        # own user.
        folder = f"{PROC}/{pid}/root"
        label = f"{path} ({who})"
        where = os.path.join(self._root.root, folder[1:])
        if self._root.may_list(folder):
            return Target(HostRoot(where), path, label, guest, pid)
        there = place(theirs, path)
        return Target(_OutOfSight(where), path, label, guest, pid, there)


def mounts(root: HostRoot, pid: str) -> tuple[Mount, ...]:
    """Return what is mounted where for a process.

    :raises Unreadable: if it cannot be read
    """
    result = []
    for line in root.lines(f"{PROC}/{pid}/mountinfo"):
        # 36 35 98:0 /root /mount options [...] - type source options
        fields = line.split()
        if len(fields) > 4:  # noqa: PLR2004 - up to the mount point
            result.append(
                Mount(_plain(fields[4]), fields[2], _plain(fields[3]))
            )
    return tuple(result)


def _plain(text: str) -> str:
    r"""Return a path without the escapes of mountinfo, such as \040."""
    # show_mountinfo() escapes space, tab, line feed and backslash.
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def place(result: tuple[Mount, ...], path: str) -> Place | None:
    """Return where a path leads to, None if nothing is mounted there.

    The last of those that are mounted over each other counts.
    """
    best = None
    for mount in result:
        inside = mount.point == "/" or f"{path}/".startswith(f"{mount.point}/")
        # ">=": of two mounts at one point the later line is the upper one.
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    if best is None:
        return None
    # Field 4 of mountinfo is the part of the file system that is mounted: with
    # it a bind mount or a btrfs subvolume is the same place as the file.
    rest = path if best.point == "/" else path[len(best.point) :]
    return best.device, f"{best.root.rstrip('/')}{rest}"


def start_of(root: HostRoot, pid: str) -> float:
    """Return when a process was started, in seconds since 1970.

    :raises Unreadable: if that cannot be told
    """
    # Both parts count the time asleep: starttime is the kernel's boot time
    # clock. With CLOCK_MONOTONIC a suspend would make the start too late, and
    # a file that was changed after it would count as unchanged.
    return _boot(root) + ticks_of(root, pid) / _TICKS


def ticks_of(root: HostRoot, pid: str) -> int:
    """Return when a process was started, in clock ticks since the boot.

    :raises Unreadable: if that cannot be told
    """
    # Identifies a process: seconds since 1970 would change with the clock.
    return int(_status(root, pid)[_START])


def _ready_of(root: HostRoot, own: HostRoot, pid: str) -> float:
    """Return since when a daemon of libvirt's may have read its files.

    The process of a container copies them before it becomes the daemon, which
    leaves its number, as far as that is in sight, before it reads qemu.conf.

    :param own: the root that the daemon sees
    :returns: seconds since 1970
    :raises Unreadable: if that cannot be told
    """
    result = start_of(root, pid)
    # A later time means that fewer files count as changed, so a pid file is
    # believed only if it has the number of this very process.
    for path in _PID_FILES:
        with contextlib.suppress(Unreadable):
            if own.peek(path) == pid:
                result = max(result, own.stat(path).st_mtime)
    return result


def parent_of(root: HostRoot, pid: str) -> str:
    """Return the pid of a process's parent; empty where it is out of sight."""
    try:
        return _status(root, pid)[_PARENT]
    except Unreadable:
        # Then the process counts as a daemon of its own: one more is judged.
        return ""


def _status(root: HostRoot, pid: str) -> list[str]:
    """Return the fields of a process's ``stat`` behind its name.

    :raises Unreadable: if they cannot be read
    """
    path = f"{PROC}/{pid}/stat"
    # The name, in parentheses, can be anything.
    fields = root.peek(path).rpartition(")")[2].split()
    if len(fields) <= _START or not _is_number(fields[_START]):
        raise unreadable(path, "has an unknown format")
    return fields


def _is_number(text: str) -> bool:
    # Without the bound int() raises ValueError for more than 4,300 digits.
    return text.isdecimal() and len(text) <= _MAX_DIGITS


def _boot(root: HostRoot) -> float:
    """Return when the host was booted; whole seconds only of a capture."""
    # btime of /proc/stat has whole seconds: a file that was changed less than
    # a second before the start could count as newer. The clocks are exact.
    if root.live:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    path = f"{PROC}/stat"
    for line in root.peek(path).splitlines():
        name, _, number = line.partition(" ")
        if name == "btime" and _is_number(number):
            return float(number)
    raise unreadable(path, "does not contain the boot time")


def changed(root: HostRoot, path: str) -> float:
    """Return when a file or its mode changed last, in seconds since 1970.

    Or when a link on the way to it was made: the file may be older. A capture
    keeps the time of the content alone.

    :raises Unreadable: if that cannot be told
    """
    status = root.stat(path)
    if not root.live:
        return status.st_mtime_ns / 1e9
    every = (status, *root.links(path))
    return max(each.st_ctime_ns for each in every) / 1e9


def is_newer(root: HostRoot, own: HostRoot, pid: str, path: str) -> bool:
    """Return whether a file was changed since a daemon of libvirt's read it.

    One that is not there may have been taken away since, where its folder was
    changed; the folders of a copy have the time of the copy.

    :param own: the root that the daemon sees
    :raises Unreadable: if that cannot be told
    """
    since = _ready_of(root, own, pid)
    # A daemon without a file has libvirt's defaults. If the file was there
    # when it started, only the time of the folder shows that.
    for place in (path, os.path.dirname(path))[: 2 if own.live else 1]:
        try:
            return changed(own, place) > since
        except Unreadable as error:
            if not error.missing:
                raise
    return False

# SPDX-License-Identifier: Apache-2.0
"""The guests that run, as procfs shows them: QEMU processes and their labels.

Source: proc(5). What libvirt says of guests is compared with this, and not
believed instead.
"""

import errno
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from nova_vhard.host.root import HostRoot, Unreadable

PROC = "/proc"

# The kernel's own threads stand in the first PID namespace only, and are
# root's: who sees them sees the processes of everybody.
_KTHREADD = "/proc/2/comm"

_EMULATOR = re.compile(r"qemu-system-\S+|qemu-kvm|kvm")
# What libvirt gives every QEMU; a domain's <emulator> may have any name.
_GIVEN = ("-uuid", "-machine")
# What keeps a container of libvirt's driver LXC.
_CONTAINER = "libvirt_lxc"
_NO_CHECK = (
    "Nothing on the host settles it: the checks of guests know QEMU alone. Do "
    "not require them of hosts with virt_type = lxc; end a container that is "
    "none of Nova's."
)
_DAEMONS = {"libvirtd", "virtqemud"}
#: The kernel's word behind a file that is not there any more.
DELETED = " (deleted)"
_TRIES = 3


class _IsContainer(Unreadable):
    """A guest is no QEMU, so that no check can judge it."""

    def __init__(self, path: str) -> None:
        text = "keeps a guest of libvirt's that is a container, and no QEMU"
        super().__init__(path, OSError(errno.EINVAL, text), _NO_CHECK)


@dataclass(frozen=True)
class Guest:
    """One running guest.

    :ivar name: as its command line says; its PID without one
    :ivar uuid: as its command line says; empty without one
    :ivar label: of the process; empty if it cannot be read
    :ivar source: path that the label was read from
    :ivar trouble: why it cannot be read
    :ivar program: path of what it runs, in its own root, with DELETED behind
        it where it is gone; a bare name where only root may see it
    """

    pid: str
    name: str
    uuid: str
    label: str
    source: str
    trouble: str = ""
    program: str = ""


@dataclass(frozen=True)
class Table:
    """The processes of a host, as far as they can be guests.

    :ivar guests: those that are
    :ivar unknown: why others cannot be told from guests
    """

    guests: tuple[Guest, ...]
    unknown: tuple[str, ...] = ()


def table(root: HostRoot, apparmor: bool = False) -> Table:
    """Return every guest whose process can be seen.

    :param apparmor: whether AppArmor's own file has the label, if there
    :raises Unreadable: if processes cannot be listed, or one is a guest of
        another kind
    """
    result, unknown = [], []
    for pid in _pids(root):
        try:
            guest = _stable(root, pid, apparmor) if pid.isdecimal() else None
        except _IsContainer:
            raise
        except Unreadable as error:
            unknown.append(str(error))
        else:
            result += [guest] if guest else []
    return Table(tuple(result), tuple(unknown))


def complete(root: HostRoot) -> bool:
    """Return whether all processes of the host can be seen.

    Not so in a PID namespace, or where /proc is mounted with hidepid.
    """
    try:
        return root.read(_KTHREADD) == "kthreadd"
    except Unreadable:
        return False


def daemon_pids(
    root: HostRoot, wanted: Collection[str] = _DAEMONS
) -> Iterator[tuple[str, str]]:
    """Yield pid and name of each of libvirt's daemons.

    :param wanted: names of programs; by default those that start guests
    :raises Unreadable: if processes cannot be listed
    """
    for pid in filter(str.isdecimal, _pids(root)):
        path = f"{PROC}/{pid}"
        try:
            # A command line is read only where the kernel does not say it.
            linked = _linked(root, path)
            names = linked or _called(root, path, _command(root, path))
        except Unreadable:
            continue
        for name in sorted(set(wanted) & set(names)):
            yield pid, name


def _pids(root: HostRoot) -> list[str]:
    """Return the names in /proc; none in a capture that has none."""
    try:
        return root.names(PROC)
    except Unreadable as error:
        if error.missing and root.captured:
            return []
        raise


def daemons(root: HostRoot) -> Iterator[str]:
    """Yield libvirt's daemons and the labels that they run under."""
    for pid, name in daemon_pids(root):
        try:
            label, source = _label(root, f"{PROC}/{pid}", True)
            yield f"{source}: {label} ({name})"
        except Unreadable:
            continue


def _stable(root: HostRoot, pid: str, apparmor: bool) -> Guest | None:
    """Read a process until it stays what it is; None if it is no guest."""
    path = f"{PROC}/{pid}"
    for _ in range(_TRIES):
        before = _command(root, path)
        if not _is_guest(root, path, before):
            return None
        guest = _guest(root, pid, before, apparmor)
        if not root.exists(path):
            return None  # it ended meanwhile
        if _command(root, path) == before:
            return guest
    return Guest(pid, pid, "", "", path, "the process keeps changing")


def _command(root: HostRoot, path: str) -> list[str]:
    """Return the words of a command line; none of a process that ended."""
    text = root.maybe(f"{path}/cmdline")
    return text.rstrip("\0").split("\0") if text else []


def _is_guest(root: HostRoot, path: str, command: list[str]) -> bool:
    # Where only root sees the file that it runs: each name that it goes by.
    names = _linked(root, path) or _called(root, path, command)
    if _CONTAINER in names:
        raise _IsContainer(path)
    started = all(_option(command, option) for option in _GIVEN)
    if not (started or any(map(_EMULATOR.fullmatch, names))):
        return False
    # By a machine without anything QEMU is asked for what it can do.
    return _option(command, "-machine").split(",")[0] != "none"


def _linked(root: HostRoot, path: str) -> list[str]:
    """Return the name of what a process runs; none where it is not seen."""
    try:
        linked = root.link(f"{path}/exe")
    except Unreadable:
        return []
    return [linked.removesuffix(DELETED)] if linked else []


def _called(root: HostRoot, path: str, command: list[str]) -> list[str]:
    """Return the names that a process goes by.

    :raises Unreadable: if they cannot be read
    """
    if not command:
        return []  # a thread of the kernel, or ended
    names = [command[0].rpartition("/")[2]]
    try:
        names.append(root.read(f"{path}/comm"))
    except Unreadable as error:
        if not error.missing:
            raise
    return names


def _guest(
    root: HostRoot, pid: str, command: list[str], apparmor: bool
) -> Guest:
    uuid = _option(command, "-uuid").lower()
    named = _option(command, "-name").split(",")
    first = named[0].removeprefix("guest=")
    name = first or f"process {pid}"
    path, trouble = f"{PROC}/{pid}", ""
    try:
        label, source = _label(root, path, apparmor)
    except Unreadable as error:
        label, source = "", f"{path}/attr/current"
        trouble = str(error)
    program = _program(root, path, command)
    return Guest(pid, name, uuid, label, source, trouble, program)


def _program(root: HostRoot, path: str, command: list[str]) -> str:
    """Return what a process runs; libvirt gives a path as its first word."""
    try:
        linked = root.target(f"{path}/exe")
    except Unreadable:
        linked = None
    return linked or (command[0] if command else "")


def _label(root: HostRoot, path: str, apparmor: bool) -> tuple[str, str]:
    """Return the label of a process and the file that it was read from."""
    for name in ("attr/apparmor/current",) if apparmor else ():
        try:
            return _text(root, f"{path}/{name}"), f"{path}/{name}"
        except Unreadable as error:
            if not error.missing:
                raise
    source = f"{path}/attr/current"
    return _text(root, source), source


def _text(root: HostRoot, path: str) -> str:
    # SELinux ends a label with a zero byte, AppArmor with a new line.
    return root.read(path).rstrip("\0\n")


def _option(command: list[str], name: str) -> str:
    """Return the word behind an option; empty without it."""
    for place, word in enumerate(command[:-1]):
        if word in (name, f"-{name}"):
            return command[place + 1]
    return ""

# SPDX-License-Identifier: Apache-2.0
"""The guests that run, as procfs shows them: QEMU processes and their labels.

Source: proc(5). What libvirt says of guests is compared with this, and not
believed instead.
"""

import contextlib
import errno
import functools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import domains
from nova_vhard.host.libvirt.libvirt import Libvirt
from nova_vhard.host.root import HostRoot, Unreadable

PROC = "/proc"

# The kernel's own threads are in the first PID namespace only and belong to
# root: a process that sees them sees those of all users.
_KTHREADD = "/proc/2/comm"

_EMULATOR = re.compile(r"qemu-system-\S+|qemu-kvm|kvm")
# What libvirt gives every QEMU; a domain's <emulator> may have any name.
_GIVEN = ("-uuid", "-machine")
# What keeps a container of libvirt's driver LXC.
_CONTAINER = "libvirt_lxc"
_DAEMONS = {"libvirtd", "virtqemud"}
# Of /proc/PID/status: real and effective user, real group. The kernel escapes
# line feeds in the name above them.
_OWNER = re.compile(
    r"^Uid:\s+(\d+)\s+(\d+)\b.*(?:\nGid:\s+(\d+))?", re.MULTILINE
)
_ROOT = "0"
#: The kernel's word behind a file that is not there any more.
DELETED = " (deleted)"
_TRIES = 3


class _IsContainer(Unreadable):
    """A guest is no QEMU, so that no check can judge it."""


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


@functools.lru_cache(maxsize=1)
def processes(root: HostRoot) -> dict[str, tuple[str, ...]]:
    """Return the processes of a host: {pid: names of the file that it runs}.

    Where only root may see the file, each name that the process goes by. They
    are read once: a HostRoot is for one round. Who needs to know what a
    process is now reads it again.

    :raises Unreadable: if processes cannot be listed
    """
    # A capture may have kept none.
    pids = root.names(PROC, missing_ok=root.captured)
    return {pid: _names(root, pid) for pid in pids if pid.isdecimal()}


@functools.lru_cache(maxsize=1 << 16)
def first_words(root: HostRoot, pid: str) -> list[str]:
    """Return the first words of the command line of a process, of 1 KiB.

    Read once: a HostRoot is for one round, in which several checks ask.

    :raises Unreadable: if it cannot be read
    """
    return command(root, pid, 1024)[:8]


def command(root: HostRoot, pid: str, limit: int = 1 << 16) -> list[str]:
    """Return the words of the command line of a process.

    They are not kept: any user may run thousands of processes with a million
    words each.

    :param limit: bytes that are read
    :returns: none of a thread of the kernel, and of a process that has ended
    :raises Unreadable: if it cannot be read
    """
    # What decides is at its start: -uuid and -machine, --config-file.
    text = root.maybe(f"{PROC}/{pid}/cmdline", limit=limit)
    return text.rstrip("\0").split("\0") if text else []


def _names(root: HostRoot, pid: str) -> tuple[str, ...]:
    path = f"{PROC}/{pid}"
    names: list[str] = []
    with contextlib.suppress(Unreadable):
        # The kernel keeps this link. Without it there is only the word of the
        # process: argv, and comm, which it can set (PR_SET_NAME in prctl(2)).
        linked = root.link(f"{path}/exe")
        names = [linked.removesuffix(DELETED)] if linked else []
    with contextlib.suppress(Unreadable):
        if not names and (words := command(root, pid, 1024)):
            # NAME_MAX
            names.append(words[0].rpartition("/")[2][:255])
            names.append(root.peek(f"{path}/comm"))
    return tuple(names)


def table(
    host: Host, apparmor: bool = False, having: Collection[str] = ()
) -> Table:
    """Return every guest whose process can be seen.

    Any user may start QEMU or a process that looks like it. It counts as a
    guest if its user is root or one that libvirt uses for guests, or if
    libvirt does not report these users.

    :param apparmor: whether to read the label from AppArmor's own file, if
        there is one
    :param having: uuids of guests that libvirt reports as running; if one is
        missing, the processes are read again, as it may have just started
    :raises Unreadable: if processes cannot be listed, or one is a guest of
        another kind
    """
    result, unknown = [], []
    for pid, names in processes(host.root).items():
        try:
            guest = _stable(host, pid, names, apparmor)
        except _IsContainer:
            # Not one doubt among others: no check can judge such a guest.
            raise
        except Unreadable as error:
            unknown.append(str(error))
        else:
            result += [guest] if guest else []
    # Once: without "having" it does not read again, and a guest that is still
    # missing is left to all_guests.hidden_guests().
    if not {guest.uuid for guest in result}.issuperset(having):
        processes.cache_clear()
        owner.cache_clear()
        return table(host, apparmor)
    return Table(tuple(result), tuple(unknown))


def complete(root: HostRoot) -> bool:
    """Return whether all processes of the host can be seen.

    Not so in a PID namespace, or where /proc is mounted with hidepid.
    """
    try:
        return root.peek(_KTHREADD) == "kthreadd"
    except Unreadable:
        return False


def daemon_pids(
    root: HostRoot, wanted: Collection[str] = _DAEMONS
) -> Iterator[tuple[str, str]]:
    """Yield pid and name of each of libvirt's daemons, which root runs.

    :param wanted: names of programs; by default those that start guests
    :raises Unreadable: if processes cannot be listed
    """
    for pid, names in processes(root).items():
        for name in sorted({*wanted} & {*names}):
            if _is_roots(root, pid):
                yield pid, name


def _is_roots(root: HostRoot, pid: str) -> bool:
    """Return whether root runs a process; True where that is not known.

    Any user may give a program the name of another. A program that is
    set-user-ID is not root's: its user has picked its words. sudo and passwd
    make the real user root before they ask for a password, and leave the real
    group as it is.
    """
    # Unknown counts as root's: a daemon too many makes a check stricter.
    return {*owner(root, pid)} <= {_ROOT}


@functools.lru_cache(maxsize=1 << 16)
def owner(root: HostRoot, pid: str) -> tuple[str, ...]:
    """Return real and effective user and real group; none if not known.

    Read once, like the table of processes.
    """
    try:
        found = _OWNER.search(root.peek(f"{PROC}/{pid}/status"))
    except Unreadable:
        return ()
    return tuple(filter(None, found.groups())) if found else ()


def _is_foreign(host: Host, pid: str, named: bool) -> bool:
    """Return whether a process belongs to a user who does not run guests.

    :param named: whether a process of root's counts as a guest
    """
    # A local user may start a QEMU, which has no label of a guest: the host
    # must not fail by it. Where libvirt is silent it counts all the same.
    runners = _runners(host.libvirt)
    user = owner(host.root, pid)[:1]
    return bool(runners and user and user[0] not in runners) and not (
        named and _is_roots(host.root, pid)
    )


@functools.lru_cache(maxsize=1)
def _runners(libvirt: Libvirt) -> frozenset[str]:
    """Return the numbers of the users that libvirt runs guests as.

    That of the next guest, and those of the guests that run. It is asked once:
    a Libvirt is for one round.

    :returns: none where it does not say
    """
    try:
        models = domains.security_models(libvirt.capabilities())
        running = libvirt.running()
    except Unreadable:
        return frozenset()
    # qemu.conf may name another user by now: guests that run keep theirs.
    labels = {*models.get("dac", ()), *(x.labels.get("dac") for x in running)}
    # "+64055:+64055": libvirt writes "+" before a number, so that it is not
    # looked up as a name.
    result = {each.lstrip("+").partition(":")[0] for each in labels if each}
    # A name among the numbers is a user that cannot be compared: then none of
    # them is believed, and every QEMU counts as a guest.
    known = "dac" in models and all(map(str.isdecimal, result))
    return frozenset(result if known else ())


def daemons(root: HostRoot) -> Iterator[str]:
    """Yield libvirt's daemons and the labels that they run under."""
    for pid, name in daemon_pids(root):
        with contextlib.suppress(Unreadable):
            label, source = _label(root, f"{PROC}/{pid}", True)
            yield f"{source}: {label} ({name})"


def _stable(
    host: Host, pid: str, names: tuple[str, ...], apparmor: bool
) -> Guest | None:
    """Read a process until it stays the same; None if it is not a guest."""
    root, path = host.root, f"{PROC}/{pid}"
    # The label belongs to this command line only if the process has not
    # executed another program, or its number another process, in between.
    for _ in range(_TRIES):
        if _CONTAINER in names and _is_roots(root, pid):
            raise _IsContainer(
                path,
                OSError(
                    errno.EINVAL,
                    "belongs to a libvirt guest that is a container, not a "
                    "QEMU guest",
                ),
                "The checks of guests support only QEMU. Do not require "
                "them of hosts with virt_type = lxc, and stop containers "
                "that Nova did not create.",
            )
        named = any(map(_EMULATOR.fullmatch, names))
        # Before its command line, which may be long.
        if _is_foreign(host, pid, named):
            return None
        words = command(root, pid)
        started = all(_option(words, option) for option in _GIVEN)
        if not (started or named):
            return None
        # qemuProcessQMPLaunch() of libvirt starts it so for a moment, with no
        # label of a guest: a check would fail by chance.
        if _option(words, "-machine").split(",")[0] == "none":
            return None  # such a QEMU is asked for what it can do
        guest = _guest(root, pid, words, apparmor)
        if not root.exists(path):
            return None  # it has ended
        if command(root, pid) == words:
            return guest
        names = _names(root, pid)
    # A guest with a trouble: left out, it would be judged by no check.
    return Guest(pid, pid, "", "", path, "the process keeps changing")


def _guest(
    root: HostRoot, pid: str, words: list[str], apparmor: bool
) -> Guest:
    uuid = _option(words, "-uuid").lower()
    # "guest=NAME,debug-threads=on". A comma in the name cuts it short, which
    # is good enough for people: the uuid is what is compared.
    named = _option(words, "-name").split(",")[0]
    name = named.removeprefix("guest=") or f"process {pid}"
    path, trouble = f"{PROC}/{pid}", ""
    try:
        label, source = _label(root, path, apparmor)
    except Unreadable as error:
        # The guest stays in the table: without a label it is UNKNOWN, and left
        # out it would be no guest.
        label, source = "", f"{path}/attr/current"
        trouble = str(error)
    try:
        # Unresolved: it is a path in the guest's own root.
        linked = root.target(f"{path}/exe")
    except Unreadable:
        linked = None
    # libvirt gives a path as its first word.
    program = linked or (words[0] if words else "")
    return Guest(pid, name, uuid, label, source, trouble, program)


def _label(root: HostRoot, path: str, apparmor: bool) -> tuple[str, str]:
    """Return the label of a process and the file that it was read from."""
    # With several modules attr/current may be that of another one.
    source = f"{path}/attr/apparmor/current"
    if not (apparmor and root.exists(source)):
        source = f"{path}/attr/current"
    # SELinux ends a label with a zero byte, AppArmor with a new line.
    return root.peek(source).rstrip("\0\n"), source


def _option(words: list[str], name: str) -> str:
    """Return the word behind an option; empty without it."""
    # The first one counts: libvirt writes its own options before -append,
    # whose word a tenant chooses (image property os_command_line).
    behind = (
        words[place + 1]
        for place, word in enumerate(words[:-1])
        if word in (name, f"-{name}")
    )
    return next(behind, "")

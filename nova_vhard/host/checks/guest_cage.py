# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-40: confinement of each running QEMU, read from the kernel."""

import re
from collections.abc import Iterator

from nova_vhard.host import guests
from nova_vhard.host.all_guests import of_each
from nova_vhard.host.check import (
    Answer,
    Check,
    Status,
    failed,
    passed,
    unknown,
)
from nova_vhard.host.guests import PROC, Guest
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import domains
from nova_vhard.host.libvirt.running import WHOLE_TABLE, Running
from nova_vhard.host.mac import confinement, groups, mac
from nova_vhard.host.qemu import qemu_binaries, qemu_conf
from nova_vhard.host.root import Unreadable
from nova_vhard.host.sanitized import few, shown

_GOOD = passed("")
# An entry of DT_NEEDED, which may be a path: libseccomp.so.2.
_LIBRARY = re.compile(r"(?:.*/)?libseccomp\.so")
_OWN = "own mount namespace"


class GuestCage(Check):
    """A QEMU that was broken out of reaches little of the host.

    =========  ===========================================================
    PASS       the process of each guest filters its system calls, is not
               root nor in its group or that of disks, containers and the
               like, has no capabilities, can gain none, and has a mount
               namespace of its own; or no guest runs, and libvirt's
               settings give the next one all of it
    FAIL       one of them does not, or its list of devices is open
    UNKNOWN    one of them cannot be seen or read; or no guest runs, and
               QEMU was built without what filters system calls
    =========  ===========================================================

    What qemu.conf says is believed only of guests that do not run yet. Of the
    list of devices only that of version 1 of cgroups can be read.
    """

    name = "guest_cage"
    id = "Check-Virt-40"
    title = "Each running QEMU process is confined"
    guide = (
        "Beyond the guide: limits what a guest that escapes into its QEMU "
        "process can reach, in addition to mandatory access control"
    )
    meaning = (
        "The QEMU process of each guest has a system call filter "
        "(seccomp), a user and groups other than root's, no capabilities, "
        "no_new_privs and a mount namespace of its own, as the kernel "
        "shows. If no guest is running, libvirt and qemu.conf are "
        "configured to start the next one so."
    )
    remediation = (
        "In /etc/libvirt/qemu.conf, remove user, group, seccomp_sandbox, "
        "clear_emulator_capabilities, namespaces and cgroup_controllers, "
        "or set them to libvirt's defaults and to a separate user for QEMU "
        "that is not in a group such as disk, docker or libvirt. Restart "
        "libvirtd or virtqemud. Then stop and start the guests in the "
        "evidence, or migrate them away. End QEMU processes that libvirt "
        "did not start."
    )

    def answer(self, host: Host) -> Answer:
        """Judge each guest's process."""

        def judge(table: guests.Table, guest: Guest) -> Answer:
            """Judge a guest's process."""
            who, place = shown(guest.name), f"{PROC}/{guest.pid}"
            # The kernel's word on this process. What libvirt asked for may
            # have failed, and a guest keeps the cage that it was started with.
            result = confinement.read(host.root, guest.pid)
            lacks = [
                *result.open(),
                *_of_groups(host, result),
                *_inherited(host, result),
            ]
            # A report has room for some lines only: the worst come first.
            host.root.note(
                f"{place}/status: {result.text} ({who})", first=bool(lacks)
            )
            source, closed = confinement.devices(host.root, guest.pid)
            host.root.note(f"{source} ({who})", first=closed is False)
            # None is unknown: cgroups v2 decide by a BPF program that no file
            # shows.
            if closed is False:
                lacks.append("may use every device of the host")
            try:
                sharing = _sharing(host, table, guest)
            # A gap that was found is a FAIL even if the mounts cannot be read.
            except Unreadable:
                if lacks:
                    return failed(f"{who} {', '.join(lacks)}")
                raise
            text = f"shared with process {sharing}" if sharing else _OWN
            host.root.note(
                f"{place}/mountinfo: {text} ({who})", first=bool(sharing)
            )
            if sharing:
                lacks.append(f"has no {_OWN}")
            if lacks:
                return failed(f"{who} {', '.join(lacks)}")
            return _GOOD

        answers = of_each(host, judge)
        if not answers:
            return _without_guests(host)
        return mac.settle_all(
            answers, "", f"all {len(answers)} guests are confined"
        )


def _of_groups(host: Host, result: confinement.Cage) -> Iterator[str]:
    """Yield each group of a guest's that reaches more of the host.

    :raises Unreadable: if the host's groups cannot be read
    """
    names = groups.powerful(host.root)
    for name in sorted({names[gid] for gid in result.gids if gid in names}):
        yield f"is in the group {name}"


def _inherited(host: Host, result: confinement.Cage) -> Iterator[str]:
    """Yield an error if a guest has no seccomp filter but libvirtd's own.

    systemd and containers filter a daemon and every process that it starts:
    such a filter is not QEMU's own.

    :raises Unreadable: if a running daemon's filters cannot be read
    """
    for pid, _ in Running(host).daemons:
        try:
            # Seccomp_filters of proc(5) has their number alone: a guest with a
            # filter of its own has more than the daemon that started it.
            inherited = confinement.filters(host.root, pid)
        except Unreadable:
            if host.root.exists(f"{PROC}/{pid}"):
                raise
            continue
        if inherited and result.filters <= inherited:
            yield "has no system call filter but libvirt's"
            return


def _sharing(host: Host, table: guests.Table, guest: Guest) -> str:
    """Return the pid of a process that shares a guest's mount namespace.

    :returns: empty if the guest has a mount namespace of its own
    :raises Unreadable: if a process that runs does not show its mounts, or
        nothing shows those of the host's first process
    """
    # /proc/PID/ns/mnt would be simpler, but only a user who may trace the
    # process can read it. Every user can read mountinfo.
    own = confinement.mount_ids(host.root, guest.pid)
    daemons = (pid for pid, _ in Running(host).daemons)
    others = (each.pid for each in table.guests if each.pid != guest.pid)
    for pid in dict.fromkeys((*daemons, *others)):
        try:
            if own & confinement.mount_ids(host.root, pid):
                return pid
        except Unreadable:
            if host.root.exists(f"{PROC}/{pid}"):
                raise
    # Last, and it may raise: without this, the guest's namespace was not
    # compared with the host's own.
    return "1" if own & confinement.mount_ids(host.root, "1") else ""


def _without_guests(host: Host) -> Answer:
    """Judge a host without guests by what libvirt gives the next one."""
    if not guests.complete(host.root):
        return unknown(
            "no guest is visible, but not all processes are visible either "
            "(PID namespace, hidepid)",
            WHOLE_TABLE,
        )
    answer = mac.settle(
        mac.attempt(judge, host) for judge in (_settings, _user, _filters)
    )
    if answer.status is Status.PASS:
        return passed("no guest is running; libvirt will confine the next one")
    return mac.without_guests(answer)


def _settings(host: Host) -> Answer:
    """Judge qemu.conf, as each of libvirt's daemons has read it.

    :raises Unreadable: if it cannot be read
    """
    return mac.settle(map(_configured, qemu_conf.read(host, qemu_conf.CAGING)))


def _configured(read: qemu_conf.Read) -> Answer:
    """Judge the settings of a daemon."""
    settings = read.confinement
    off = [
        name
        for name, on in (
            ("seccomp_sandbox", settings.seccomp_sandbox),
            (
                "clear_emulator_capabilities",
                settings.clear_emulator_capabilities,
            ),
            ("namespaces", qemu_conf.MOUNT in settings.namespaces),
        )
        if not on
    ]
    # Before staleness: a daemon that has not read the file yet reads it at its
    # next start.
    if off:
        return failed(f"qemu.conf disables {few(off)}")
    if read.stale:
        return unknown(
            "qemu.conf was changed since libvirt's daemon started",
            mac.NOT_READ,
        )
    return _GOOD


def _user(host: Host) -> Answer:
    """Judge the user that libvirt starts guests as, by its own word.

    :raises Unreadable: without an answer of libvirt's
    """
    # Not user and group of qemu.conf: libvirt resolves their names, and knows
    # its distribution's default.
    capabilities = host.libvirt.capabilities()
    labels = domains.security_models(capabilities).get("dac", ())
    host.root.note(f"libvirt <secmodel> dac: {' '.join(labels) or '(none)'}")
    if not labels:
        return unknown("libvirt does not say which user guests run as")
    if any(
        # "+0:+0": a plus sign says that it is a number and not a name.
        user.lstrip("+") in ("0", "root", "")
        or group.lstrip("+") in ("0", "root")
        for user, _, group in (label.partition(":") for label in labels)
    ):
        return failed("libvirt starts guests as root or in the group root")
    reached = {name for each in labels for name in _reached(host, each)}
    if reached:
        return failed(
            f"libvirt starts guests in the group {few(sorted(reached))}"
        )
    return _GOOD


def _reached(host: Host, label: str) -> Iterator[str]:
    """Yield groups of a label, ``+64055:+64055``, that reach more of the host.

    :raises Unreadable: if the host's groups cannot be read
    """
    user, _, group = (part.lstrip("+") for part in label.partition(":"))
    names = groups.powerful(host.root)
    if group.isdecimal() and int(group) in names:
        yield names[int(group)]
    if user.isdecimal():
        yield from groups.of_user(host.root, int(user))


def _filters(host: Host) -> Answer:
    """Judge whether the emulators can filter their system calls.

    By itself libvirt has them do so where they can.

    :raises Unreadable: if it cannot be told where emulators are
    """
    _, binaries = qemu_binaries.examined(host)
    without = [
        each.label
        for each in binaries
        if each.kind is qemu_binaries.Kept.EMULATOR
        and each.facts
        # A static emulator names no library, so that this cannot be told.
        and each.facts.needed
        and not any(map(_LIBRARY.match, each.facts.needed))
    ]
    if without:
        host.root.note(*(f"{label}: without libseccomp" for label in without))
        # Not FAIL: no guest runs without a filter yet.
        return unknown(
            "QEMU is not linked with libseccomp, so system calls are not "
            "filtered",
            "Install a QEMU that was built with libseccomp "
            "(--enable-seccomp). libvirt starts any other QEMU without a "
            "system call filter, unless qemu.conf has seccomp_sandbox = 1: "
            "then libvirt refuses to start it.",
        )
    return _GOOD

# SPDX-License-Identifier: Apache-2.0
"""QEMU's binaries on a host: which they are.

What counts is what guests run, and what libvirt would start: the emulators
that its capabilities and its guests name. Without libvirt nobody can say
which those are; then the binaries in the places where libvirt looks are
examined all the same, because one that is built wrongly there is wrong for
certain.
"""

import re
from dataclasses import dataclass

from nova_vhard.host.check import Answer, unread
from nova_vhard.host.guests import Guest
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import Running, Target
from nova_vhard.host.root import HostRoot, Unreadable

#: Where libvirt's QEMU driver looks for emulators.
#: virQEMUCapsFindBinary() searches the PATH of the daemon.
_FOLDERS = ("/usr/local/bin", "/usr/bin")
_NAME = re.compile(r"qemu-system-[a-z0-9_]+|qemu-kvm|kvm")
# RHEL's: libvirt has it as a path (kvmbins in qemu_capabilities.c).
_OTHERS = ("/usr/libexec/qemu-kvm",)

# Below the prefix that QEMU was built for: ``lib/x86_64-linux-gnu/qemu`` on
# Debian, ``lib64/qemu`` on Fedora and SUSE, ``lib64/qemu-kvm`` on RHEL.
_LIBRARIES = ("lib", "lib64")
_SUFFIXES = ("qemu", "qemu-kvm")


@dataclass(frozen=True)
class Emulators:
    """The emulators of a host.

    :ivar targets: what libvirt would start, and what guests run
    :ivar doubts: why nobody can say that these are all, or the right ones
    :ivar source: what says so, for the evidence
    :ivar guests: those that run, several of which may run one target
    """

    targets: tuple[Target, ...]
    doubts: tuple[Answer, ...] = ()
    source: str = "named by libvirt"
    guests: tuple[Guest, ...] = ()


def emulators(host: Host) -> Emulators:
    """Return every emulator that runs, and those that libvirt would start.

    :raises Unreadable: if it cannot be told where emulators are
    """
    running = Running(host)
    try:
        # Guests first, by procfs: a guest runs an emulator that libvirt may
        # not name any more, after an update or with an <emulator> of its own.
        result, doubts = running.of_guests()
    except Unreadable as error:
        result, doubts = [], [unread(error)]
    source = "named by libvirt"
    try:
        capabilities = host.libvirt.capabilities()
        named = {
            (element.text or "").strip()
            # <domain type='kvm'> may have another emulator than its <arch>.
            for place in ("guest/arch/emulator", "guest/arch/domain/emulator")
            for element in capabilities.iterfind(place)
        }
        try:
            # Of a domain that runs: when libvirt starts it again it takes this
            # path.
            named |= {domain.emulator for domain in host.libvirt.running()}
        except Unreadable as error:
            # A capture without its guests: their programs are in procfs.
            if not (host.root.captured and error.missing):
                raise
        # An element without text names none.
        paths = sorted(named - {""})
    except Unreadable as error:
        # libvirt may start any of them: a bad emulator is still a FAIL, but
        # good ones do not prove a PASS.
        text = f"it is unknown which emulators libvirt uses: {error}"
        # The first doubt is the answer of the check; the others are in its
        # evidence.
        doubts.insert(0, unread(error)._replace(reason=text))
        source = "found without libvirt"
        result += [
            Target(host.root, path, path)
            for path in _in_usual_places(host.root)
        ]
        paths = []
    for path in paths:
        try:
            # A path as each daemon sees it: libvirt may run in a container.
            result += running.of_daemon(path)
        except Unreadable as error:
            doubts.append(unread(error))
    # Many guests run one emulator: it is examined once. A program that was
    # replaced has a root of its own, so that each of those counts.
    unique = {(each.root.root, each.path): each for each in result}
    ordered = sorted(unique.values(), key=lambda each: each.label)
    # From all, not from the unique ones: each guest's stack is looked at.
    guests = tuple(each.guest for each in result if each.guest)
    return Emulators(tuple(ordered), tuple(doubts), source, guests)


def out_of_sight(host: Host) -> list[Target]:
    """Return the emulators in the roots of daemons that are another one.

    :raises Unreadable: if a root cannot be read
    """
    running = Running(host)
    result = []
    # Root's pre-step calls this. libvirt is not asked for names: the reporter
    # compares them by place later (container_binaries).
    for pid, _ in running.daemons:
        root = running.root_of(pid)
        for path in _in_usual_places(root):
            # of_daemon() gives each path for all daemons.
            result += [
                each for each in running.of_daemon(path) if each.pid == pid
            ]
    return [each for each in result if each.root is not host.root]


def _in_usual_places(root: HostRoot) -> tuple[str, ...]:
    result = [
        f"{folder}/{name}"
        for folder in _FOLDERS
        for name in root.names(folder, missing_ok=True)
        if _NAME.fullmatch(name)
    ]
    return tuple(result + [other for other in _OTHERS if _there(root, other)])


def _there(root: HostRoot, path: str) -> bool:
    try:
        return root.exists(path)
    except Unreadable:
        # Counted, so that the examination says why it cannot be read.
        return True


def modules(target: Target) -> list[str]:
    """Return the shared objects that an emulator loads as modules.

    They are below the same prefix; of a program that was replaced nobody
    knows them.

    :raises Unreadable: if a folder of them cannot be listed
    """
    root = target.root
    # QEMU finds its modules from where its own file is (get_relocated_path()),
    # and the path may be a link to that: /usr/bin/kvm is one on Debian.
    prefixes = {
        path.rsplit("/", 2)[0]
        for path in (target.path, root.real(target.path))
    }
    return [
        f"{folder}/{name}"
        for prefix in sorted(prefixes)
        for folder in _module_folders(root, prefix)
        for name in root.names(folder, missing_ok=True)
        # Programs are in these folders, too: qemu-bridge-helper on Debian.
        if name.endswith(".so")
    ]


def _module_folders(root: HostRoot, prefix: str) -> list[str]:
    result = {}
    for library in (f"{prefix}/{item}" for item in _LIBRARIES):
        for parent in (
            library,
            *(
                f"{library}/{name}"
                for name in root.names(library, missing_ok=True)
                if "-linux-" in name
            ),
        ):
            for suffix in _SUFFIXES:
                folder = f"{parent}/{suffix}"
                if root.exists(folder):
                    # /lib may be a link to /usr/lib: the same modules would
                    # count twice.
                    result[root.real(folder)] = folder
    return sorted(result.values())

# SPDX-License-Identifier: Apache-2.0
"""QEMU's binaries on a host: which they are.

What counts is what libvirt would start: the emulators that its capabilities
name. Without libvirt nobody can say which those are; then the binaries in
the places where libvirt looks are examined all the same, because one that is
built wrongly there is wrong for certain.
"""

import re
from dataclasses import dataclass

from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable

#: Where libvirt's QEMU driver looks for emulators.
_FOLDERS = ("/usr/local/bin", "/usr/bin")
_NAME = re.compile(r"qemu-system-[a-z0-9_]+|qemu-kvm|kvm")
_OTHERS = ("/usr/libexec/qemu-kvm",)

# Below the prefix that QEMU was built for: ``lib/x86_64-linux-gnu/qemu`` on
# Debian, ``lib64/qemu`` on Fedora and SUSE, ``lib64/qemu-kvm`` on RHEL.
_LIBRARIES = ("lib", "lib64")
_SUFFIXES = ("qemu", "qemu-kvm")


@dataclass(frozen=True)
class Emulators:
    """The emulators of a host.

    :ivar paths: absolute paths on the host, sorted
    :ivar doubt: why nobody can say that these are all; None if libvirt can
    """

    paths: tuple[str, ...]
    doubt: str | None = None


def emulators(host: Host) -> Emulators:
    """Return the system emulators that libvirt would start."""
    try:
        found = host.libvirt.capabilities()
    except Unreadable as error:
        doubt = f"which emulators libvirt would start cannot be told: {error}"
        return Emulators(_in_usual_places(host.root), doubt)
    named = {
        (one.text or "").strip()
        for place in ("guest/arch/emulator", "guest/arch/domain/emulator")
        for one in found.iterfind(place)
    }
    return Emulators(tuple(sorted(named - {""})))


def _in_usual_places(root: HostRoot) -> tuple[str, ...]:
    found = []
    for folder in _FOLDERS:
        found += [
            f"{folder}/{name}"
            for name in _names(root, folder)
            if _NAME.fullmatch(name)
        ]
    return tuple(found + [one for one in _OTHERS if _there(root, one)])


def _names(root: HostRoot, folder: str) -> list[str]:
    """Return the names in a folder; none for a folder that is not there."""
    try:
        return root.names(folder)
    except Unreadable as error:
        if error.missing:
            return []
        raise


def _there(root: HostRoot, path: str) -> bool:
    try:
        return root.exists(path)
    except Unreadable:
        # Counted, so that the examination says why it cannot be read.
        return True


def modules(root: HostRoot, paths: tuple[str, ...]) -> list[str]:
    """Return the shared objects that QEMU loads as modules.

    :param paths: of emulators; modules are below the same prefix
    :raises Unreadable: if a folder of them cannot be listed
    """
    prefixes = set()
    for path in paths:
        for one in (path, root.real(path)):
            prefixes.add(one.rsplit("/", 2)[0])
    return [
        f"{folder}/{name}"
        for prefix in sorted(prefixes)
        for folder in _module_folders(root, prefix)
        for name in _names(root, folder)
        if name.endswith(".so")
    ]


def _module_folders(root: HostRoot, prefix: str) -> list[str]:
    found = {}
    for library in (f"{prefix}/{one}" for one in _LIBRARIES):
        for parent in (
            library,
            *(
                f"{library}/{name}"
                for name in _names(root, library)
                if "-linux-" in name
            ),
        ):
            for suffix in _SUFFIXES:
                folder = f"{parent}/{suffix}"
                if root.exists(folder):
                    found[root.real(folder)] = folder
    return sorted(found.values())

# SPDX-License-Identifier: Apache-2.0
"""The devices that a QEMU build offers, asked of QEMU itself.

``-device help`` lists every device that can be added to a guest, those of
modules included, and starts none. It has no file to read instead.
"""

import hashlib
import os
import re
from posixpath import basename

from nova_vhard.common import trusted
from nova_vhard.host.cache import Cache, identity
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import Target
from nova_vhard.host.processes import command
from nova_vhard.host.qemu import qemu
from nova_vhard.host.root import Unreadable, unreadable
from nova_vhard.host.sanitized import shown

CACHE = "qemu-devices"
# Raise it when the meaning of what the cache keeps changes.
VERSION = 1

# No guest, no configuration of anybody's, no display.
_ARGUMENTS = (
    *("-no-user-config", "-nodefaults", "-display", "none"),
    *("-machine", "none", "-device", "help"),
)
_SECONDS = 10.0
_CAPTURED = "/CMD/qemu-device-help-"
# qdev_print_devinfo() of QEMU: name "virtio-blk-pci", bus PCI, alias
# "virtio-blk", desc "...".
_NAME = re.compile(r'^name "([^"]{1,100})"', re.MULTILINE)


def offered(host: Host, cache: Cache, target: Target) -> frozenset[str]:
    """Return the names of the devices that an emulator offers.

    Asked again only when the emulator or a module has changed.

    :raises Unreadable: if QEMU gives no list; where it is not this machine's
        own at that path, unless a capture has the list in ``CMD``; where a
        user can change it
    """
    emulator = target.path
    # The list is that of a path; what a guest runs after that was replaced is
    # another program.
    if host.root.captured and not target.replaced:
        return _names(emulator, host.root.peek(_CAPTURED + basename(emulator)))
    # The reporter may run as root: a file from a container's root is not the
    # host's own program, and its image would choose what root
    # runs.
    if target.root.root != os.sep:
        raise unreadable(
            emulator,
            f"not run in another root file system: {target.label}",
            "Run the reporter in libvirt's container, where that emulator "
            "is the same file, or restart the guest first.",
        )
    # Any user can have a program of an emulator's name, and a process of it.
    try:
        trusted.check(emulator)
    except trusted.Untrusted as error:
        raise unreadable(
            emulator,
            # Not the hint behind it: the owner of the file may be an attacker.
            f"not run: {shown(str(error).partition(' (')[0], 200)}",
            "Stop that process, or install the emulator where only root can "
            "write.",
        ) from error
    # The same emulator offers 419 to 436 devices by the packages of modules
    # that are installed: without the modules in the key, a new one stays
    # unseen.
    root, made = target.root, hashlib.sha256()
    for path in qemu.modules(target):
        made.update(f"{path}:{identity(root.stat(path))}\n".encode())
    key = f"{identity(root.stat(target.path))}:{made.hexdigest()}"
    known = cache.get(key)
    # A cache file may be damaged: anything else counts as nothing.
    if isinstance(known, list) and all(
        isinstance(item, str) for item in known
    ):
        return frozenset(known)
    result = _names(emulator, _ask(emulator))
    cache.put(key, sorted(result))
    return result


def _names(emulator: str, text: str) -> frozenset[str]:
    result = frozenset(_NAME.findall(text))
    # A QEMU that lists nothing has printed something else: an empty set would
    # be a PASS.
    if not result:
        raise unreadable(emulator, "-device help lists no device")
    return result


def _ask(emulator: str) -> str:
    """Return what ``-device help`` prints.

    :raises Unreadable: if it fails, takes too long or prints too much
    """
    try:
        return command.output([emulator, *_ARGUMENTS], _SECONDS)
    except OSError as error:
        raise Unreadable(emulator, error) from error
    except command.Failed as error:
        raise unreadable(emulator, f"-device help {error}") from error

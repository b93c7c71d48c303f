# SPDX-License-Identifier: Apache-2.0
"""The locks of a device: two cleaners never work on the same one.

One is on a file of run_dir, one on a file that the kernel has of the device.
The second holds between mount namespaces, so also for a cleaner in a container
with a run_dir of its own. The kernel holds both until this process, each child
that it forked for a step, and each program that a step has started have ended.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from nova_vhard.host.libvirt import running
from nova_vhard.host.pci import pci
from nova_vhard.host.root import HostRoot, Unreadable

# Descriptors of the locks that this process holds.
_held: set[int] = set()


def descriptors() -> tuple[int, ...]:
    """Return the descriptors of the locks that are held, for a child."""
    return tuple(_held)


class Locked(Exception):
    """Another process has it."""


def must_be_shared(root: HostRoot) -> None:
    """Raise if a lock on the kernel's files does not hold for the whole host.

    The kernel has another sysfs for each network namespace.

    :raises ValueError: if PID 1 has another one at /sys; where PID 1 is not
        the host's, that cannot be told
    """
    with contextlib.suppress(Unreadable):
        own = root.stat("/sys").st_dev
        number = f"{os.major(own)}:{os.minor(own)}"
        mounts = running.mounts(root, "1") if root.live else ()
        if {each.device for each in mounts if each.point == "/sys"} - {number}:
            raise ValueError(
                "/sys is not the host's, because this container has a network "
                "namespace of its own: another cleaner could clean the same "
                "device at once. Use the host's network (hostNetwork: true), "
                "or mount the host's /sys below [vhard_cleaner] root"
            )


@contextlib.contextmanager
def hold(
    folder: str, address: str, root: HostRoot | None = None
) -> Iterator[None]:
    """Hold a device's locks.

    :param folder: on this machine; made if it is not there
    :param root: of the host that has the device
    :raises Locked: if another process has one of them
    :raises OSError: if there can be no lock
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    paths = {os.path.join(folder, f"{address}.lock"): os.O_RDWR | os.O_CREAT}
    if root:
        place = os.path.realpath(f"{root.root}{pci.path(address)}")
        # A user who can open a file can lock it: only root can open "rescan",
        # which is not in a copy of a host.
        own = (os.path.join(place, name) for name in ("rescan", "config"))
        # A device that is gone has none, and is not cleaned.
        for path in [*filter(os.path.exists, own)][:1]:
            paths[path] = os.O_WRONLY
    with contextlib.ExitStack() as stack:
        for path, mode in paths.items():
            flags = mode | os.O_CLOEXEC | os.O_NOFOLLOW
            handle = os.open(path, flags, 0o600)
            stack.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Locked(
                    f"{address}: locked by another process ({path})"
                ) from error
            stack.callback(_held.discard, handle)
            _held.add(handle)
        yield

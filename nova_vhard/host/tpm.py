# SPDX-License-Identifier: Apache-2.0
"""Which TPMs a host has, and whether the firmware left a log of its boot.

Sources: Documentation/ABI/stable/sysfs-class-tpm and
drivers/char/tpm/eventlog/common.c in the kernel.
"""

import posixpath

from nova_vhard.host import prestep
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable

CLASS = "/sys/class/tpm"
SECURITY = "/sys/kernel/security"

#: Key of the pre-step's kernel.json: names of TPMs with an event log.
FACT = "tpm_event_logs"


def names(root: HostRoot) -> list[str]:
    """Return the names of the TPMs, such as ``tpm0``.

    :raises Unreadable: if they cannot be listed; a kernel without any may
        have no such folder
    """
    try:
        return root.names(CLASS)
    except Unreadable as error:
        if error.missing and root.names(posixpath.dirname(CLASS)):
            return []
        raise


def event_log(name: str) -> str:
    """Return the path of a TPM's boot event log."""
    return f"{SECURITY}/{name}/binary_bios_measurements"


def logged(host: Host, name: str, evidence: list[str]) -> bool:
    """Tell whether there is a boot event log with something in it.

    :raises Unreadable: if neither the kernel nor the pre-step says so
    """
    path = event_log(name)
    try:
        found = bool(host.root.read(path))
    except Unreadable as error:
        if error.missing and host.root.exists(f"{SECURITY}/lsm"):
            # securityfs is mounted, and the firmware left no log.
            evidence.append(f"{path}: not there")
            return False
        if error.missing:
            raise
        path = posixpath.join(host.run_dir, prestep.KERNEL)
        found = name in _left(host, event_log(name))
    evidence.append(f"{path}: {name} has {'a' if found else 'no'} log")
    return found


def _left(host: Host, path: str) -> list[str]:
    try:
        names = prestep.left(host, prestep.KERNEL)[FACT]
    except Unreadable as error:
        raise prestep.without(error, path) from error
    except KeyError as error:
        raise prestep.invalid(path, f"not from {prestep.COMMAND}") from error
    if not isinstance(names, list):
        raise prestep.invalid(path, f"not from {prestep.COMMAND}")
    return names

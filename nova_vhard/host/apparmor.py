# SPDX-License-Identifier: Apache-2.0
"""AppArmor: its state, and what a process's label says.

Sources: Documentation/admin-guide/LSM/apparmor.rst and
security/apparmor/lsm.c in the kernel.
"""

import re
from dataclasses import dataclass

from nova_vhard.host import prestep
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable

ENABLED = "/sys/module/apparmor/parameters/enabled"

#: The mode of all profiles at once. In another one than ``enforce`` the kernel
#: goes on to show ``(enforce)`` behind each label, and does not.
MODE = "/sys/module/apparmor/parameters/mode"

#: Key of the pre-step's kernel.json for it.
FACT = "apparmor_mode"

ENFORCE = "enforce"

#: Modes in which a profile denies what it does not allow; ``kill`` ends the
#: process besides.
ENFORCED = (ENFORCE, "kill")
UNCONFINED = "unconfined"

_LABEL = re.compile(r"(?P<profile>.+) \((?P<mode>\w+)\)")


@dataclass(frozen=True)
class Label:
    """What ``/proc/PID/attr/current`` says.

    :ivar profile: its name, ``libvirt-UUID`` of a guest
    :ivar mode: enforce, complain, …; unconfined without a profile
    """

    profile: str
    mode: str


def parse(text: str) -> Label:
    """Read a label, such as ``libvirt-UUID (enforce)``."""
    match = _LABEL.fullmatch(text)
    return Label(match["profile"], match["mode"]) if match else Label(text, "")


def enabled(root: HostRoot) -> bool:
    """Return whether the kernel has AppArmor on.

    :raises Unreadable: if that cannot be told
    """
    try:
        return root.read(ENABLED) == "Y"
    except Unreadable as error:
        # A kernel that was built without it.
        if error.missing and root.names("/sys/module"):
            return False
        raise


def mode(host: Host) -> str:
    """Return the mode of all profiles at once; a kernel without: enforce.

    :raises Unreadable: if neither the kernel nor the pre-step says it
    """
    try:
        return host.root.read(MODE)
    except Unreadable as error:
        if error.missing:
            return ENFORCE
    try:
        result = prestep.left(host, prestep.KERNEL)[FACT]
    except Unreadable as error:
        raise prestep.without(error, MODE) from error
    except KeyError as error:
        raise prestep.invalid(MODE, f"not from {prestep.COMMAND}") from error
    return str(result)

# SPDX-License-Identifier: Apache-2.0
"""AppArmor: its state, and what a process's label says.

Sources: Documentation/admin-guide/LSM/apparmor.rst and
security/apparmor/lsm.c in the kernel; apparmor.d(5) for the flags of a
profile; virt-aa-helper in libvirt's src/security.
"""

import re
from dataclasses import dataclass

from nova_vhard.host import prestep
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import Target
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

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

#: What libvirt makes the profile of each guest from when it starts one.
TEMPLATE = "/etc/apparmor.d/libvirt/TEMPLATE.qemu"

#: Key of the pre-step's qemu.json: flags of the template.
FLAGS = "apparmor_template"

#: Flags of a profile that lets pass what it does not allow.
LOOSE = frozenset(("complain", "unconfined", "default_allow", "prompt"))

_LABEL = re.compile(r"(?P<profile>.+) \((?P<mode>\w+)\)")
_COMMENT = re.compile(r"#[^\n]*")
_HEADER = re.compile(r"\bprofile[ \t]+LIBVIRT_TEMPLATE\b([^{}]*)\{")


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
    # A profile's name may have spaces and parentheses: ".+" takes all but the
    # last pair. "unconfined" alone has no mode, and "" is not in ENFORCED.
    match = _LABEL.fullmatch(text)
    return Label(match["profile"], match["mode"]) if match else Label(text, "")


def enabled(root: HostRoot) -> bool:
    """Return whether the kernel has AppArmor on.

    :raises Unreadable: if that cannot be told
    """
    # A kernel that was built without it has no such file.
    return root.maybe(ENABLED, beside="/sys/module") == "Y"


def mode(host: Host) -> str:
    """Return the mode of all profiles at once; a kernel without: enforce.

    :raises Unreadable: if neither the kernel nor the pre-step says it
    """
    try:
        return host.root.peek(MODE)
    except Unreadable as error:
        # The kernel lets root alone read it (S_IRUSR in
        # security/apparmor/lsm.c). Missing means a kernel without it: the
        # caller asks enabled() first, which proves that /sys is in sight.
        if error.missing:
            return ENFORCE
    return str(prestep.fact(host, prestep.KERNEL, FACT, MODE))


def flags(root: HostRoot) -> list[str]:
    """Return the flags of the template, as a root has it.

    :raises Unreadable: if it cannot be read or understood
    """
    text = root.maybe(TEMPLATE)
    if text is None:
        # virt-aa-helper makes no profile without it, and no guest starts.
        return []
    # create_profile() of virt-aa-helper looks for this name, and makes no
    # profile without it.
    header = _HEADER.search(_COMMENT.sub("", text))
    if not header:
        raise unreadable(TEMPLATE, "it has no profile LIBVIRT_TEMPLATE")
    # Other words, such as a path that it attaches to, are in the result too:
    # callers look for those of LOOSE.
    return re.findall(r"\w+", header[1])


def template(host: Host, target: Target) -> list[str]:
    """Return the flags of the template as a daemon of libvirt's sees it.

    :raises Unreadable: if neither it nor the pre-step says them
    """
    # place: the daemon is in a root that only the pre-step could enter.
    if not target.place:
        return flags(target.root)
    return list(prestep.fact(host, prestep.QEMU, FLAGS, TEMPLATE))

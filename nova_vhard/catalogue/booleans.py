# SPDX-License-Identifier: Apache-2.0
"""The SELinux booleans that the guide names, by today's names.

Data only. Sources: OpenStack Security Guide, "Booleans"; Debian's policy
(reference policy, measured) and Fedora's (read): descriptions and defaults.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Boolean:
    """One boolean.

    :ivar guide: name in the guide
    :ivar names: names in policies, today's first
    :ivar default: off, or where it is not
    :ivar opens: what guests may do while it is on
    """

    guide: str
    names: tuple[str, ...]
    default: str
    opens: str


BOOLEANS = (
    Boolean(
        "virt_use_common",
        ("virt_use_comm", "virt_use_common"),
        "off",
        "serial and parallel ports of the host",
    ),
    Boolean(
        "virt_use_fusefs",
        ("virt_use_fusefs",),
        "off",
        "files on FUSE file systems",
    ),
    Boolean(
        "virt_use_nfs",
        ("virt_use_nfs",),
        "off",
        "files on NFS, where images have no labels that keep guests apart",
    ),
    Boolean(
        "virt_use_samba",
        ("virt_use_samba",),
        "off",
        "files on CIFS, where images have no labels that keep guests apart",
    ),
    Boolean(
        "virt_use_sanlock",
        ("virt_use_sanlock",),
        "off",
        "the sanlock daemon, and its leases",
    ),
    Boolean(
        "virt_use_sysfs",
        ("virt_use_sysfs",),
        "off",
        "the configuration of devices, through sysfs",
    ),
    Boolean(
        "virt_use_usb",
        ("virt_use_usb",),
        "off; on in Fedora's policy",
        "USB devices of the host",
    ),
    Boolean(
        "virt_use_xserver",
        ("virt_use_xserver",),
        "off",
        "the host's X server",
    ),
)

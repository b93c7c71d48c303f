# SPDX-License-Identifier: Apache-2.0
"""Groups whose members reach more of a host than their user does.

Sources: users-and-groups of Debian's base-passwd (disk, kmem, shadow), the
polkit rule that libvirt ships (libvirt), and the documentation of Docker, LXD
and Incus, whose sockets make any member root.
"""

from collections.abc import Iterator

from nova_vhard.host.root import HostRoot, Unreadable

_GROUPS, _USERS = "/etc/group", "/etc/passwd"
_POWERFUL = frozenset(
    ("disk", "docker", "incus-admin", "kmem", "libvirt", "lxd", "shadow")
)


def powerful(root: HostRoot) -> dict[int, str]:
    """Return the names of such groups that a host has, by their numbers.

    :raises Unreadable: if its groups are in a file that cannot be read
    """
    # By number: a process has no names of groups, and two names may share one.
    return {
        int(number): name
        for name, _, number, *_ in _rows(root, _GROUPS, 4)
        if name in _POWERFUL and number.isdecimal()
    }


def of_user(root: HostRoot, uid: int) -> Iterator[str]:
    """Yield such groups that a user is in, as libvirt starts a guest.

    :raises Unreadable: as ``powerful``
    """
    # Name to primary group: a row of group(5) need not list who has it there.
    users = {
        name: group
        for name, _, number, group, *_ in _rows(root, _USERS, 7)
        if number == str(uid)
    }
    # virGetGroupList() of libvirt calls getgrouplist(3): QEMU gets all groups
    # of the user besides that of qemu.conf. Only memberships in the file are
    # seen here, not those that nsswitch.conf(5) adds (LDAP).
    for name, _, number, members in _rows(root, _GROUPS, 4):
        if name in _POWERFUL and (
            number in users.values() or users.keys() & members.split(",")
        ):
            yield name


def _rows(root: HostRoot, path: str, fields: int) -> Iterator[list[str]]:
    """Yield the lines of group(5) or passwd(5) that glibc would take."""
    try:
        for line in root.lines(path):
            row = line.strip().split(":")
            if len(row) == fields:
                yield row
    except Unreadable as error:
        # A root without the file has no such groups. A file that is there and
        # cannot be read must not look the same.
        if not error.missing:
            raise

# SPDX-License-Identifier: Apache-2.0
"""Which TCP ports a process's network listens at.

Source: proc(5), ``/proc/PID/net/tcp``: everybody may read it, and it is that
of the process's own network namespace.
"""

import ipaddress
from dataclasses import dataclass
from itertools import islice

from nova_vhard.host import platform
from nova_vhard.host.guests import PROC
from nova_vhard.host.host import Host
from nova_vhard.host.platform import Platform
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

_FILES = ("tcp", "tcp6")
# TCP_LISTEN (include/net/tcp_states.h) in hexadecimal, and root's number.
_LISTEN, _ROOT = "0A", "0"
_SOCKET = "socket:["


@dataclass(frozen=True)
class Listener:
    """A port that somebody listens at.

    :ivar inode: number of the socket
    :ivar roots: whether it is root's; any user may listen at most ports
    """

    address: str
    port: int
    inode: str
    roots: bool

    @property
    def local(self) -> bool:
        """Whether only the host itself gets to it."""
        return is_local(self.address)

    def __str__(self) -> str:
        """Return address and port."""
        return f"{self.address} port {self.port}"


def is_local(address: str) -> bool:
    """Return whether an address is the host's own loopback."""
    if address == "localhost":
        return True
    try:
        parsed = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    # A socket of tcp6 that is bound to ::ffff:127.0.0.1 takes IPv4 from this
    # host alone; is_loopback of older Pythons does not know that.
    return bool((getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback)


def read(host: Host, pid: str) -> list[Listener]:
    """Return the listeners in a process's network namespace.

    Processes of one namespace have one table, which is read once: for each
    reading the kernel walks twice through its table of connections, which has
    as many places as the machine's memory allows, although all are empty.

    :raises Unreadable: if they cannot be read
    """
    known = host.shared.setdefault(__name__, {})
    # The kernel makes the files of /proc/net for each network namespace, with
    # inodes of their own: the inode tells namespaces apart without the right
    # to read the link /proc/PID/ns/net.
    number = host.root.stat(f"{PROC}/{pid}/net/{_FILES[0]}").st_ino
    if number not in known:
        result = []
        step = 1 if platform.of(host.root) is Platform.Z else -1
        for name in _FILES:
            path = f"{PROC}/{pid}/net/{name}"
            try:
                result += [
                    _listener(line, step)
                    # The first line has the titles.
                    for line in islice(host.root.lines(path), 1, None)
                    if line.split()[3] == _LISTEN
                ]
            except Unreadable as error:
                # A kernel without IPv6 has no second.
                if not error.missing or name == _FILES[0]:
                    raise
            except (ValueError, IndexError) as error:
                raise unreadable(path, "is not understood") from error
        known[number] = result
    return list(known[number])


def _listener(line: str, step: int) -> Listener:
    """Read ``0: 0100007F:1F90 00000000:0000 0A … inode …``.

    :param step: -1 where the host has the lowest byte of a word first, else 1
    """
    # Columns: number, local address, remote address, state, queues, timer,
    # retransmits, user, timeout, inode (get_tcp4_sock in net/ipv4/tcp_ipv4.c).
    fields = line.split()
    address, _, port = fields[1].partition(":")
    # Words of four bytes, each in the order of the host.
    words = bytes.fromhex(address)
    packed = b"".join(
        words[place : place + 4][::step] for place in range(0, len(words), 4)
    )
    return Listener(
        str(ipaddress.ip_address(packed)),
        int(port, 16),
        inode=fields[9],
        # Root made it, as libvirtd or as systemd. Any local user can listen at
        # 16509 too, and must not be able to make the host's check fail.
        roots=fields[7] == _ROOT,
    )


def sockets(root: HostRoot, pid: str) -> frozenset[str]:
    """Return the numbers of the sockets that a process has open.

    :raises Unreadable: if only root may see them
    """
    folder = f"{PROC}/{pid}/fd"
    # The link reads "socket:[INODE]" (sockfs_dname), with the inode of the
    # table in /proc/net/tcp: that is how a port is known to be this process's.
    targets = (root.target(f"{folder}/{name}") for name in root.names(folder))
    return frozenset(
        target.removeprefix(_SOCKET).rstrip("]")
        for target in targets
        if target and target.startswith(_SOCKET)
    )

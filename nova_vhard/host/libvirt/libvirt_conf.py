# SPDX-License-Identifier: Apache-2.0
"""libvirt's daemons that listen, and at which ports by their configuration.

Source: the comments in libvirt's src/remote/libvirtd.conf.in. libvirtd reads
libvirtd.conf, virtproxyd virtproxyd.conf, either of them what its ``--config``
names.
"""

import getopt
from collections.abc import Iterator
from dataclasses import dataclass

from nova_vhard.host import guests
from nova_vhard.host.guests import PROC
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import socket_units, virconf
from nova_vhard.host.libvirt.running import Running, is_newer, parent_of
from nova_vhard.host.root import HostRoot, Unreadable, unreadable
from nova_vhard.host.sanitized import shown

_DAEMONS = ("libvirtd", "virtproxyd")
_FOLDER = "/etc/libvirt"
_PLAIN, _TLS = 16509, 16514
# Their options, as getopt(3) takes them: joined, or cut short.
_SHORT = "hvdlf:p:t:V"
_LONG = [
    *("help", "verbose", "daemon", "listen", "version"),
    *("config=", "pid-file=", "timeout="),
]
_CONFIG = ("-f", "--config")

#: What to do where a daemon has not read its configuration.
RESTART = (
    "Restart libvirtd or virtproxyd (systemctl restart; guests keep "
    "running): it reads its configuration only at start."
)


@dataclass(frozen=True)
class Ports:
    """The ports that a daemon listens at, if it does.

    :ivar anybody: whether it lets in by TLS who has no certificate
    """

    plain: int = _PLAIN
    tls: int = _TLS
    anybody: bool = False


def daemons(root: HostRoot) -> Iterator[str]:
    """Yield the pid of each daemon that may listen.

    Not what one of them has forked and not yet made another program of.

    :raises Unreadable: if processes cannot be listed
    """
    result = dict(guests.daemon_pids(root, _DAEMONS))
    # fork(2) copies the command line: until exec(2) a child of the daemon
    # looks like another daemon.
    yield from (pid for pid in result if parent_of(root, pid) not in result)


def read(root: HostRoot, pid: str) -> Ports:
    """Return the ports of a daemon; libvirt's defaults for any other process.

    :raises Unreadable: if its configuration cannot be read
    """
    path = _path(root, pid)
    # The first process, for example: systemd listens at the ports of units.
    if not path:
        return Ports()
    return _of_file(root, path, _place(root, pid, path))


def of_sleeping(root: HostRoot) -> list[Ports]:
    """Return the ports of the daemons that systemd will start, none running.

    Of those whose TLS socket is enabled; of any where none is.

    :raises Unreadable: if a configuration cannot be read
    """
    enabled = set(socket_units.with_tls(root)) & set(_DAEMONS)
    return [
        _of_file(root, f"{_FOLDER}/{name}.conf", root)
        # Without one, an operator may start either of them.
        for name in sorted(enabled or _DAEMONS)
    ]


def _of_file(root: HostRoot, path: str, place: HostRoot) -> Ports:
    """Return the ports of a configuration; libvirt's defaults without one.

    :param place: root that it is read in
    :raises Unreadable: if it cannot be read
    """
    try:
        values = virconf.parse(place.peek(path))
        plain = int(values.get("tcp_port", _PLAIN))
        tls = int(values.get("tls_port", _TLS))
    except Unreadable as error:
        # The daemon starts without the file, with the defaults in its code.
        if error.missing:
            return Ports()
        raise
    except (TypeError, ValueError) as error:
        raise unreadable(path, shown(str(error))) from error
    root.note(f"{path}: tcp_port = {plain}, tls_port = {tls}")
    # Without a look at a client's certificate; with SASL it has to log in.
    unverified = values.get("tls_no_verify_certificate", 0) != 0
    return Ports(plain, tls, unverified and values.get("auth_tls") != "sasl")


def is_stale(root: HostRoot, pid: str) -> bool:
    """Return whether the configuration is newer than its daemon.

    :raises Unreadable: if that cannot be told
    """
    path = _path(root, pid)
    if not path:
        return False
    return is_newer(root, _place(root, pid, path), pid, path)


def _place(root: HostRoot, pid: str, path: str) -> HostRoot:
    """Return where a daemon's file is to be read.

    One that is out of sight there raises Unreadable when it is.

    :raises Unreadable: if it cannot be told whether it is the same as here
    """
    return (
        Running(Host(root))
        .of_process(pid, f"libvirt, process {pid}", path)
        .root
    )


def _path(root: HostRoot, pid: str) -> str:
    """Return the configuration of a daemon; empty for any other process.

    :raises Unreadable: if its command line cannot be read
    """
    words = root.peek(f"{PROC}/{pid}/cmdline").split("\0")
    name = words[0].rpartition("/")[2]
    if name not in _DAEMONS:
        return ""
    try:
        # getopt_long(3) takes "--conf=x", "--config x", "-fx" and "-df x".
        options, _ = getopt.gnu_getopt(words[1:], _SHORT, _LONG)
    except getopt.GetoptError as error:
        raise unreadable(f"{PROC}/{pid}/cmdline", shown(str(error))) from error
    named = [value for option, value in options if option in _CONFIG]
    # The last one counts, as in main() of libvirt's remote_daemon.c.
    return named[-1] if named else f"{_FOLDER}/{name}.conf"

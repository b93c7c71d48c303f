# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-42: libvirt's daemon does not listen to the network in plain."""

from nova_vhard.host import guests, libvirt_conf, listeners
from nova_vhard.host.check import Answer, Check, Status
from nova_vhard.host.guests import PROC
from nova_vhard.host.host import Host
from nova_vhard.host.listeners import Listener
from nova_vhard.host.root import Unreadable
from nova_vhard.host.words import few

# What systemd listens for, on behalf of a daemon that does not run yet.
_FIRST = "1"
_WHOLE = (
    "Let the reporter see every process of the host: run it in the host's PID "
    "namespace, with a /proc that is not mounted with hidepid."
)


class LibvirtNotExposed(Check):
    """Nobody gets to libvirt over the network without TLS or SSH.

    =========  ===========================================================
    PASS       no daemon of libvirt's listens at a TCP port but by TLS, or
               on loopback alone
    FAIL       one listens at libvirt's plain port, or owns another
    UNKNOWN    sockets, daemons or their configuration cannot be seen
    =========  ===========================================================

    Without root a daemon's sockets are known by the ports of its
    configuration; root sees which sockets are its own.
    """

    name = "libvirt_not_exposed"
    id = "Check-Virt-42"
    title = "libvirt does not listen to the network in plain"
    guide = (
        "Beyond the guide: who gets to libvirt's daemon is root on the host, "
        "and reads what migrations say to each other"
    )
    meaning = (
        "No daemon of libvirt's, nor a socket that starts one, listens at a "
        "plain TCP port of an address that other machines get to."
    )
    remediation = (
        "Disable libvirtd-tcp.socket and virtproxyd-tcp.socket, set "
        "listen_tcp = 0 in libvirtd.conf, and have migrations use tls or ssh "
        "(live_migration_scheme of nova.conf)."
    )

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Judge the listeners of each daemon, and of the first process."""
        root = host.root
        daemons = list(libvirt_conf.daemons(root))
        if not (daemons or root.captured or guests.complete(root)):
            text = "not every process is seen, nor a daemon of libvirt's"
            return Answer(Status.UNKNOWN, text, _WHOLE)
        plain = [
            listener
            for pid in (_FIRST, *daemons)
            for listener in _plain(host, pid, evidence)
        ]
        exposed = sorted({str(item) for item in plain if not item.local})
        if exposed:
            text = f"libvirt listens in plain: {few(exposed)}"
            return Answer(Status.FAIL, text)
        if any(libvirt_conf.is_stale(root, pid) for pid in daemons):
            text = "libvirtd.conf was changed since its daemon started"
            return Answer(Status.UNKNOWN, text, libvirt_conf.RESTART)
        return Answer(Status.PASS, "libvirt listens to no network in plain")


def _plain(host: Host, pid: str, evidence: list[str]) -> list[Listener]:
    """Return the plain listeners of libvirt's that a process has or sees.

    :raises Unreadable: if they cannot be read
    """
    ports = libvirt_conf.read(host.root, pid, evidence)
    own = _own(host, pid, evidence)
    every = listeners.read(host.root, pid)
    result = [
        item
        for item in every
        if item.port == ports.plain
        or (item.inode in own and item.port != ports.tls)
    ]
    place = f"{PROC}/{pid}/net"
    evidence.append(
        f"{place}: {len(every)} listeners, {len(result)} of libvirt in plain"
    )
    evidence += [
        f"{place}: {item}{' (loopback)' if item.local else ''}"
        for item in result
    ]
    return result


def _own(host: Host, pid: str, evidence: list[str]) -> frozenset[str]:
    """Return a daemon's sockets; none where only root sees them.

    The first process has sockets of everybody's: those are not looked at.
    """
    if pid == _FIRST:
        return frozenset()
    try:
        return listeners.sockets(host.root, pid)
    except Unreadable as error:
        evidence.append(f"known by its ports alone: {error}")
        return frozenset()

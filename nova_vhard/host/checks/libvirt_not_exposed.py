# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-42: libvirt's daemon does not listen to the network in plain."""

from collections.abc import Collection

from nova_vhard.host import guests
from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    passed,
    unknown,
)
from nova_vhard.host.guests import PROC
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import libvirt_conf, listeners, socket_units
from nova_vhard.host.libvirt.listeners import Listener
from nova_vhard.host.libvirt.running import WHOLE_TABLE
from nova_vhard.host.libvirt.socket_units import Units
from nova_vhard.host.mac import mac
from nova_vhard.host.root import Unreadable
from nova_vhard.host.sanitized import few

# What systemd listens for, on behalf of a daemon that does not run yet.
# systemd's sockets are in its own network namespace. A daemon in a container
# may have another: each is looked at.
_FIRST = "1"

_CLOSED = "libvirt does not accept unencrypted network connections"
_BY_TLS = "libvirt accepts TLS clients without a certificate"
_ANYBODY = (
    "Remove tls_no_verify_certificate from the file in the evidence, or "
    "set auth_tls = sasl, and restart the daemon."
)


class LibvirtNotExposed(Check):
    """libvirt cannot be reached over the network without TLS or SSH.

    =========  ===========================================================
    PASS       each libvirt daemon's TCP ports use TLS or listen on
               loopback only
    FAIL       a daemon listens on libvirt's plain port, owns another port,
               or accepts TLS clients without a certificate
    UNKNOWN    sockets, daemons or their configuration cannot be read
    =========  ===========================================================

    Without root, a daemon's sockets are identified by the configured ports and
    by their owner, root. Root sees which sockets belong to a daemon.
    """

    name = "libvirt_not_exposed"
    id = "Check-Virt-42"
    title = "libvirt does not accept unencrypted network connections"
    guide = (
        "Beyond the guide: anyone who can connect to libvirt's daemon has "
        "root rights on the host, and an unencrypted connection can be read"
    )
    meaning = (
        "Neither libvirt's daemons nor their systemd sockets listen on "
        "unencrypted TCP at an address that other machines can reach."
    )
    remediation = (
        "Disable libvirtd-tcp.socket and virtproxyd-tcp.socket, set "
        "listen_tcp = 0 in libvirtd.conf, and use tls or ssh for "
        "migrations (live_migration_scheme in nova.conf)."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the listeners of each daemon, and of the first process."""
        root = host.root
        daemons = list(libvirt_conf.daemons(root))
        if not (daemons or root.captured or guests.complete(root)):
            return unknown(
                "no libvirt daemon is visible, but not all processes are "
                "visible either",
                WHOLE_TABLE,
            )
        # A unit may name any port: 16509 is only the default of libvirtd.conf.
        units = socket_units.read(root)
        answers = [
            mac.attempt(_judge, host, pid, units) for pid in (_FIRST, *daemons)
        ]
        # Socket activation: none runs, and the next connection starts one.
        if not daemons:
            answers.append(mac.attempt(_sleeping, host, units))
        if not (root.captured or guests.complete(root)):
            answers.append(
                unknown(
                    "not all processes are visible: there may be other "
                    "daemons",
                    WHOLE_TABLE,
                )
            )
        return mac.settle(answers)


def _sleeping(host: Host, units: Units) -> Answer:
    """Judge the TLS settings of daemons that systemd starts on a connection.

    virtproxyd ends after two minutes without a client.

    :raises Unreadable: if that is needed and cannot be read
    """
    tls = {*units.tls, libvirt_conf.Ports().tls}
    if _reaches(tls, listeners.read(host, _FIRST)) and any(
        ports.anybody for ports in libvirt_conf.of_sleeping(host.root)
    ):
        return failed(_BY_TLS, _ANYBODY)
    return passed(_CLOSED)


def _reaches(ports: Collection[int], every: list[Listener]) -> bool:
    """Return whether other machines get to one of some ports."""
    # A local user may listen at such a port. That must not make the host FAIL.
    return any(
        item.port in ports and item.roots and not item.local for item in every
    )


def _judge(host: Host, pid: str, units: Units) -> Answer:
    """Judge the listeners of a daemon, or what the first process sees.

    The default port tells also where the configuration is out of sight.

    :param units: what systemd's sockets of libvirt name
    :raises Unreadable: if that is needed and cannot be read
    """
    root, place = host.root, f"{PROC}/{pid}/net"
    every = listeners.read(host, pid)
    own = _own(host, pid)
    ports = libvirt_conf.Ports()
    exposed = _exposed(every, own, ports, units)
    # Not read where the default port is open already: a file that is out of
    # sight must not make that FAIL UNKNOWN. Where the daemon's sockets are in
    # sight it is: one of them may be for TLS at another port.
    if not exposed or own:
        ports = libvirt_conf.read(root, pid)
        exposed = _exposed(every, own, ports, units)
    root.note(
        f"{place}: {len(every)} listeners, {len(exposed)} of them libvirt's "
        "and unencrypted"
    )
    if exposed:
        return failed(
            "libvirt accepts unencrypted connections: "
            f"{few(sorted({str(item) for item in exposed}))}"
        )
    if ports.anybody and _reaches({*units.tls, ports.tls}, every):
        return failed(_BY_TLS, _ANYBODY)
    if libvirt_conf.is_stale(root, pid):
        return unknown(
            "libvirtd.conf was changed since its daemon started",
            libvirt_conf.RESTART,
        )
    return passed(_CLOSED)


def _exposed(
    every: list[Listener],
    own: frozenset[str],
    ports: libvirt_conf.Ports,
    units: Units,
) -> list[Listener]:
    """Return the listeners that are libvirt's, plain and not on loopback."""
    return [
        item
        for item in every
        if not item.local
        and (
            (item.roots and item.port in {ports.plain, *units.plain})
            or (item.inode in own and item.port not in {*units.tls, ports.tls})
        )
    ]


def _own(host: Host, pid: str) -> frozenset[str]:
    """Return the sockets of a daemon; none if only root can see them.

    PID 1 holds the sockets of all services, so none are returned for it.
    """
    if pid == _FIRST:
        return frozenset()
    try:
        return listeners.sockets(host.root, pid)
    except Unreadable as error:
        host.root.note(f"identified by its ports only: {error}")
        return frozenset()

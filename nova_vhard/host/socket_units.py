# SPDX-License-Identifier: Apache-2.0
"""The TCP ports that systemd listens at for libvirt's daemons.

Source: ``ListenStream=`` in systemd.socket(5), and systemd.unit(5) for where
units and the pieces that are added to them lie.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nova_vhard.host.root import HostRoot
from nova_vhard.host.words import shown

_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_UNIT = re.compile(r"(libvirtd|virt[a-z]+d)(-[a-z]+)?\.socket(\.d)?")
_TLS = "-tls.socket"
_ENABLED = "/etc/systemd/system/sockets.target.wants"
_STREAM = re.compile(r"^\s*ListenStream\s*=\s*(\S+)\s*$", re.MULTILINE)
_PORT = re.compile(r"(?:.*:)?([0-9]{1,5})")


@dataclass(frozen=True)
class Units:
    """The ports that units name, those of TLS by themselves."""

    plain: frozenset[int] = frozenset()
    tls: frozenset[int] = frozenset()


def read(root: HostRoot, evidence: list[str]) -> Units:
    """Return the ports that units name.

    Also those that a piece takes back again: whether somebody listens there
    is seen elsewhere.

    :param evidence: gets them
    :raises Unreadable: if a unit cannot be read
    """
    plain, tls = (
        frozenset(_ports(root, kind, evidence)) for kind in (False, True)
    )
    return Units(plain, tls)


def with_tls(root: HostRoot) -> list[str]:
    """Return the daemons whose socket of TLS systemd opens at boot.

    :raises Unreadable: if that cannot be told
    """
    names = root.names(_ENABLED, missing_ok=True)
    return [name.removesuffix(_TLS) for name in names if name.endswith(_TLS)]


def _ports(root: HostRoot, tls: bool, evidence: list[str]) -> Iterator[int]:
    for path in _paths(root, tls):
        for stream in _STREAM.findall(root.read(path)):
            port = _PORT.fullmatch(stream)
            if port:
                evidence.append(f"{path}: ListenStream = {shown(stream)}")
                yield int(port[1])


def _paths(root: HostRoot, tls: bool) -> Iterator[str]:
    """Yield each unit, and each piece that is added to one.

    :param tls: whether those of TLS, or the others
    """
    for folder in _FOLDERS:
        for name in filter(
            _UNIT.fullmatch, root.names(folder, missing_ok=True)
        ):
            path = f"{folder}/{name}"
            if (_TLS in name) is not tls or root.real(path) == "/dev/null":
                continue
            if name.endswith(".d"):
                yield from (
                    f"{path}/{item}"
                    for item in root.names(path, missing_ok=True)
                )
            else:
                yield path

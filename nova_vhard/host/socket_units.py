# SPDX-License-Identifier: Apache-2.0
"""The TCP ports that systemd listens at for libvirt's daemons.

Source: ``ListenStream=`` in systemd.socket(5), and systemd.unit(5) for where
units and the pieces that are added to them lie.
"""

import re
from collections.abc import Iterator

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
_STREAM = re.compile(r"^\s*ListenStream\s*=\s*(\S+)\s*$", re.MULTILINE)
_PORT = re.compile(r"(?:.*:)?([0-9]{1,5})")


def ports(root: HostRoot, evidence: list[str]) -> frozenset[int]:
    """Return the ports that units name, but for those of TLS.

    Also those that a piece takes back again: whether somebody listens there
    is seen elsewhere.

    :param evidence: gets them
    :raises Unreadable: if a unit cannot be read
    """
    result = set()
    for path in _paths(root):
        for stream in _STREAM.findall(root.read(path)):
            port = _PORT.fullmatch(stream)
            if port:
                evidence.append(f"{path}: ListenStream = {shown(stream)}")
                result.add(int(port[1]))
    return frozenset(result)


def _paths(root: HostRoot) -> Iterator[str]:
    """Yield each unit, and each piece that is added to one."""
    for folder in _FOLDERS:
        for name in filter(
            _UNIT.fullmatch, root.names(folder, missing_ok=True)
        ):
            path = f"{folder}/{name}"
            if _TLS in name or root.real(path) == "/dev/null":
                continue
            if name.endswith(".d"):
                yield from (
                    f"{path}/{item}"
                    for item in root.names(path, missing_ok=True)
                )
            else:
                yield path

# SPDX-License-Identifier: Apache-2.0
"""The TCP ports that systemd listens at for libvirt's daemons.

Source: ``ListenStream=`` in systemd.socket(5); systemd.unit(5) for where units
and their drop-ins are, and which of them counts; systemd.syntax(7).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nova_vhard.host.root import HostRoot

# Of two files of one name the first counts.
_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
# libvirtd-tcp.socket, virtproxyd-tls.socket and those of the modular daemons.
# A folder of drop-ins alone is enough: systemd may have the unit from a
# generator.
_UNIT = re.compile(r"((?:libvirtd|virt[a-z]+d)(?:-[a-z]+)?\.socket)(?:\.d)?")
_TLS = "-tls.socket"
_ENABLED = "/etc/systemd/system/sockets.target.wants"
_SECTION, _STREAM, _LISTEN = "[Socket]", "ListenStream", "Listen"
_PORT = re.compile(r"(?:.*:)?([0-9]{1,5})")


@dataclass(frozen=True)
class Units:
    """The ports that units name, those of TLS by themselves."""

    plain: frozenset[int] = frozenset()
    tls: frozenset[int] = frozenset()


def read(root: HostRoot) -> Units:
    """Return the ports that units name, with their drop-ins.

    :raises Unreadable: if a unit cannot be read
    """
    every = list(_ports(root))
    return Units(
        *(
            # libvirt's daemons also know a socket by the name of its unit
            # (LISTEN_FDNAMES of sd_listen_fds(3)).
            frozenset(port for unit, port in every if (_TLS in unit) is tls)
            for tls in (False, True)
        )
    )


def with_tls(root: HostRoot) -> list[str]:
    """Return the daemons whose socket of TLS systemd opens at boot.

    :raises Unreadable: if that cannot be told
    """
    return [
        name.removesuffix(_TLS)
        for name in root.names(_ENABLED, missing_ok=True)
        if name.endswith(_TLS)
    ]


def _ports(root: HostRoot) -> Iterator[tuple[str, int]]:
    """Yield each unit and a port of it."""
    found = (
        match[1]
        for folder in _FOLDERS
        for match in map(_UNIT.fullmatch, root.names(folder, missing_ok=True))
        if match
    )
    # Each unit once, whichever folder it is in.
    for unit in dict.fromkeys(found):
        streams: list[tuple[str, str]] = []
        for path in _files(root, unit):
            for key, value in _listens(root.peek(path)):
                # An empty ListenStream= takes back also ListenDatagram= and
                # the like.
                if not value:
                    # Whatever was named until here is taken back.
                    streams = []
                elif key == _STREAM:
                    streams.append((path, value))
        for path, stream in streams:
            # The path of a local socket has no port.
            port = _PORT.fullmatch(stream)
            if port:
                root.note(f"{path}: ListenStream = {stream}")
                yield unit, int(port[1])


def _files(root: HostRoot, unit: str) -> list[str]:
    """Return a unit and its drop-ins in the order in which systemd reads them.

    :returns: nothing of a unit that is masked
    """
    places = [f"{folder}/{unit}" for folder in _FOLDERS]
    result = [place for place in places if root.exists(place)][:1]
    # systemd does not start it, even with drop-ins.
    if any(_is_masked(root, path) for path in result):
        return []
    # Those of virtproxyd-.socket are for virtproxyd-tcp.socket as well, and
    # those of socket for every socket.
    name, dash, _ = unit.rpartition("-")
    names = [unit, *([f"{name}-.socket"] if dash else [])]
    folders = [f"{folder}/{each}.d" for folder in _FOLDERS for each in names]
    added: dict[str, str] = {}
    for folder in [*folders, *(f"{each}/socket.d" for each in _FOLDERS)]:
        for item in root.names(folder, missing_ok=True):
            if item.endswith(".conf"):
                added.setdefault(item, f"{folder}/{item}")
    # By name, whichever folder it is in: 50-x.conf of /run is read after
    # 10-y.conf of /etc.
    paths = (path for _, path in sorted(added.items()))
    return result + [path for path in paths if not _is_masked(root, path)]


def _is_masked(root: HostRoot, path: str) -> bool:
    # `systemctl mask` makes a link; an empty file is the same.
    return root.real(path) == "/dev/null" or not root.peek(path)


def _listens(text: str) -> Iterator[tuple[str, str]]:
    """Yield each setting of what a socket listens at: key and value."""
    lines = [line.strip() for line in text.split("\n")]
    # A comment line does not end a continued line.
    kept = (line for line in lines if not line.startswith(("#", ";")))
    section = ""
    for line in "\n".join(kept).replace("\\\n", " ").split("\n"):
        key, _, value = (part.strip() for part in line.partition("="))
        if line.startswith("["):
            section = line
        elif section == _SECTION and key.startswith(_LISTEN):
            yield key, value

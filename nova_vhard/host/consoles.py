# SPDX-License-Identifier: Apache-2.0
"""The consoles of a QEMU, by its own command line.

Source: ``-vnc``, ``-display`` and ``-spice`` in qemu-system(1).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nova_vhard.host.listeners import is_local

_UNIX = "unix:"
_OFF = ("off", "no", "false")


@dataclass(frozen=True)
class Console:
    """One of a guest.

    :ivar kind: vnc or spice
    :ivar where: what it listens at, in QEMU's words
    :ivar closed: whether nobody can listen in on the network
    """

    kind: str
    where: str
    closed: bool


def read(command: Sequence[str]) -> Iterator[Console]:
    """Yield the consoles that a command line asks for.

    :param command: its words
    """
    for option, value in pairwise(command):
        name = f"-{option.lstrip('-')}" if option.startswith("-") else ""
        if name == "-vnc" or (name == "-display" and value.startswith("vnc=")):
            yield from _vnc(value)
        elif name == "-spice":
            yield _spice(value)


def _vnc(value: str) -> Iterator[Console]:
    """Yield a VNC server; nothing for ``none``."""
    where, *options = value.removeprefix("vnc=").split(",")
    if where == "none":
        return
    tls = any(item.startswith("tls-creds=") for item in options)
    yield Console("vnc", where, tls or _is_near(where))
    # It may listen at more addresses, and at others for web sockets.
    for option in options:
        name, _, address = option.partition("=")
        if name == "vnc" or (name == "websocket" and ":" in address):
            yield Console("vnc", address, tls or _is_near(address))


def _is_near(where: str) -> bool:
    """Return whether an address of VNC's is on the host alone."""
    return where.startswith(_UNIX) or is_local(where.rpartition(":")[0])


def _spice(value: str) -> Console:
    """Return a SPICE server: one with a plain port is open to listeners.

    A channel may be plain although it is TLS by default.
    """
    words = value.split(",")
    options = dict(word.partition("=")[::2] for word in words)
    where = options.get("addr", "")
    local = options.get("unix", "off") not in _OFF or is_local(where)
    plain = options.get("port", "0") != "0"
    secure = "tls-channel=default" in words and not any(
        word.startswith("plaintext-channel=") for word in words
    )
    return Console(
        "spice", where or "(every address)", local or not plain or secure
    )

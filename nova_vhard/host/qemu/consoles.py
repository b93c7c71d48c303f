# SPDX-License-Identifier: Apache-2.0
"""The consoles of a QEMU, by its own command line.

TLS keeps others from reading along. It lets in anyone who connects, unless the
server demands a client's certificate, SASL or a password besides.

Source: ``-vnc``, ``-display``, ``-spice`` and ``-object tls-creds-x509`` in
qemu-system(1).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nova_vhard.host.libvirt.listeners import is_local

_OFF = ("off", "no", "false", "n")

#: Where a console is open, and why.
PLAIN = "open"
ANYBODY = "open: TLS without a certificate of the client, SASL or a password"


@dataclass(frozen=True)
class Console:
    """One of a guest.

    :ivar kind: vnc or spice
    :ivar where: what it listens at, in QEMU's words
    :ivar gap: PLAIN or ANYBODY; empty where it is on the host alone, or has
        TLS and authenticates
    """

    kind: str
    where: str
    gap: str


def read(command: Sequence[str]) -> Iterator[Console]:
    """Yield the consoles that a command line asks for.

    :param command: its words
    """
    demanding = frozenset(_demanding(command))
    for option, value in pairwise(command):
        name = f"-{option.lstrip('-')}" if option.startswith("-") else ""
        if name == "-vnc" or (name == "-display" and value.startswith("vnc=")):
            yield from _vnc(value, demanding)
        elif name == "-spice":
            # A channel may be plain although it is TLS by default. SPICE asks
            # no client for a certificate.
            words = value.split(",")
            options = _options(words)
            where = options.get("addr", "")
            plain = options.get("port", "0") != "0"
            listens = plain or options.get("tls-port", "0") != "0"
            secure = "tls-channel=default" in words and not any(
                word.startswith("plaintext-channel=") for word in words
            )
            login = _is_on(options, "sasl") or not _is_on(
                options, "disable-ticketing"
            )
            gap = "" if login else ANYBODY
            if plain and not secure:
                gap = PLAIN
            if not listens or _is_on(options, "unix") or is_local(where):
                gap = ""
            yield Console("spice", where or "(every address)", gap)


def _demanding(command: Sequence[str]) -> Iterator[str]:
    """Yield the ids of the credentials that demand a client's certificate."""
    for option, value in pairwise(command):
        if option.lstrip("-") != "object":
            continue
        kind, *words = value.split(",")
        given: dict[str, Any] = {"qom-type": kind, **_options(words)}
        if value.startswith("{"):
            given = json.loads(value)
        verifies = given.get("verify-peer", True) not in (False, *_OFF)
        if given["qom-type"] == "tls-creds-x509" and verifies:
            yield given["id"]


def _options(words: Sequence[str]) -> dict[str, str]:
    """Return QEMU's options; one without a value is on."""
    pairs = (word.partition("=") for word in words)
    return {name: value if sign else "on" for name, sign, value in pairs}


def _is_on(options: dict[str, str], *names: str) -> bool:
    return any(options.get(name, "off") not in _OFF for name in names)


def _vnc(value: str, demanding: frozenset[str]) -> Iterator[Console]:
    """Yield a VNC server; nothing for ``none``.

    :param demanding: credentials that demand a client's certificate
    """
    where, *words = value.removeprefix("vnc=").split(",")
    if where == "none":
        return
    options = _options(words)
    gap = PLAIN
    if "tls-creds" in options:
        login = _is_on(options, "sasl", "password", "password-secret")
        login = login or options["tls-creds"] in demanding
        gap = "" if login else ANYBODY
    yield Console("vnc", where, "" if _is_near(where) else gap)
    # It may listen at more addresses, and at others for web sockets.
    for word in words:
        name, _, address = word.partition("=")
        if name == "vnc" or (name == "websocket" and ":" in address):
            yield Console("vnc", address, "" if _is_near(address) else gap)


def _is_near(where: str) -> bool:
    """Return whether an address of VNC's is on the host alone."""
    return where.startswith("unix:") or is_local(where.rpartition(":")[0])

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

# What QEMU's qapi_bool_parse() takes for false.
_OFF = ("off", "no", "false", "n")

# SPICE's channels that Nova secures one by one, by [spice] require_secure:
# LibvirtConfigGuestGraphics. A client begins with main.
_SECURE = {
    f"tls-channel={name}"
    for name in (
        *("main", "display", "inputs", "cursor", "playback", "record"),
        *("smartcard", "usbredir"),
    )
}

#: Where a console is open, and why.
PLAIN = "open"
ANYBODY = "open: TLS without client certificate, SASL or password"


@dataclass(frozen=True)
# The domain XML is not asked: libvirt's qemu.conf decides about TLS, and a
# guest keeps what it was started with (qemuBuildGraphicsCommandLine()).
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
    given = list(command)
    # The word behind it is a tenant's (os_command_line), and no option.
    # libvirt writes one -append.
    if "-append" in given:
        place = given.index("-append") + 1
        given[place : place + 1] = [""]
    # First: an -object may come after the -vnc that names it.
    demanding = frozenset(_demanding(given))
    for option, value in pairwise(given):
        # QEMU takes --vnc for -vnc. libvirt writes -vnc; -display vnc= is for
        # a domain with QEMU arguments of its own.
        name = f"-{option.lstrip('-')}" if option.startswith("-") else ""
        if name == "-vnc" or (name == "-display" and value.startswith("vnc=")):
            yield from _vnc(value, demanding)
        elif name == "-spice":
            # A channel may be plain although it is TLS by default. SPICE asks
            # no client for a certificate.
            # libvirt writes an option for each <channel>, so that one name is
            # there several times: `words` has them all, `options` the last.
            words = value.split(",")
            options = _options(words)
            # Without addr= spice-server listens at every address. An empty
            # text is not local: see is_local().
            where = options.get("addr", "")
            # libvirt writes port=0 where nothing is to listen: QEMU demands
            # one of port and tls-port.
            plain = options.get("port", "0") != "0"
            secure = not any(
                word.startswith("plaintext-channel=") for word in words
            ) and ("tls-channel=default" in words or _SECURE.issubset(words))
            # Tickets are SPICE's passwords, and are on unless
            # disable-ticketing is given. libvirt gives it where neither the
            # domain nor qemu.conf has a password.
            login = _is_on(options, "sasl") or not _is_on(
                options, "disable-ticketing"
            )
            gap = "" if login else ANYBODY
            if plain and not secure:
                gap = PLAIN
            # Last: a local listener needs neither TLS nor a login. With
            # unix=on, addr is the path of a socket.
            if (
                not (plain or options.get("tls-port", "0") != "0")
                or _is_on(options, "unix")
                or is_local(where)
            ):
                gap = ""
            yield Console("spice", where or "(every address)", gap)


def _demanding(command: Sequence[str]) -> Iterator[str]:
    """Yield the ids of the credentials that demand a client's certificate."""
    for option, value in pairwise(command):
        if option.lstrip("-") != "object":
            continue
        # libvirt gives JSON to a QEMU that takes it, and key=value to an older
        # one.
        kind, *words = value.split(",")
        given: dict[str, Any] = {"qom-type": kind, **_options(words)}
        if value.startswith("{"):
            given = json.loads(value)
        # QEMU's own default is on (qcrypto_tls_creds_init()). libvirt always
        # writes it: `no` without vnc_tls_x509_verify in qemu.conf.
        verifies = given.get("verify-peer", True) not in (False, *_OFF)
        if given["qom-type"] == "tls-creds-x509" and verifies:
            yield given["id"]


def _options(words: Sequence[str]) -> dict[str, str]:
    """Return QEMU's options; one without a value is on."""
    # QemuOpts doubles a comma in a value, which is cut here. The addresses and
    # ids that are compared have no commas.
    pairs = (word.partition("=") for word in words)
    return {name: value if sign else "on" for name, sign, value in pairs}


def _is_on(options: dict[str, str], *names: str) -> bool:
    return any(options.get(name, "off") not in _OFF for name in names)


def _vnc(value: str, demanding: frozenset[str]) -> Iterator[Console]:
    """Yield a VNC server; nothing for ``none``.

    :param demanding: credentials that demand a client's certificate
    """
    # qemu-system(1): HOST:D, unix:PATH or none. An empty HOST is every
    # address.
    where, *words = value.removeprefix("vnc=").split(",")
    if where == "none":
        return
    options = _options(words)
    gap = PLAIN
    if "tls-creds" in options:
        # Nova sets no console passwords. Its proxy can show a certificate:
        # [vnc] auth_schemes = vencrypt in nova.conf.
        login = _is_on(options, "sasl", "password", "password-secret")
        # Only the credential of this server counts: a command line may have
        # others, for a disk or a migration.
        login = login or options["tls-creds"] in demanding
        gap = "" if login else ANYBODY
    yield Console("vnc", where, "" if _is_near(where) else gap)
    # It may listen at more addresses, and at others for web sockets.
    # "websocket=on" and "websocket=5700" take the host of the VNC address if
    # that is the only one and not a socket; otherwise they are every address
    # (vnc_display_get_addresses() in QEMU).
    alone = not any(
        word.startswith(("unix:", "vnc=")) for word in (where, *words)
    )
    for word in words:
        name, _, address = word.partition("=")
        if name == "vnc" or (
            name == "websocket"
            and address not in _OFF
            and (":" in address or not alone)
        ):
            yield Console("vnc", address, "" if _is_near(address) else gap)


def _is_near(where: str) -> bool:
    """Return whether an address of VNC's is on the host alone."""
    return where.startswith("unix:") or is_local(where.rpartition(":")[0])

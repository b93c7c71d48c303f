# SPDX-License-Identifier: Apache-2.0
"""Marks of the attestor: until when a host counts as attested.

Every login that may write a provider can write its traits, and nova-compute's
login may write every provider. So only the *name* of another trait counts,
which is set on no provider:

    CUSTOM_VHATT_<UNTIL>_<PROVIDERS>_<CODE>

``UNTIL`` is in seconds since the epoch, ``PROVIDERS`` are the uuids of up to
seven root providers in base32, and ``CODE`` is half an HMAC with SHA-256 over
everything before it. Only the attestor and the schedulers have the key, and
no compute node. The code of a mark that another login makes, moves to another
host or extends does not match. Anyone who has seen a removed mark can write
it again until it expires.
"""

import base64
import binascii
import datetime
import hashlib
import hmac
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from nova_vhard.catalogue import traits
from nova_vhard.common.source import UnreadableError, read_private

#: Providers of one mark: a trait's name has 255 characters.
MOST = 7

#: Marks that are looked at; those of 100,000 hosts, twice over.
_LIMIT = 30_000

#: Seconds that the clock of an attestor, or of its verifier, may be ahead.
AHEAD = 60

_DIGITS = 64
_CODE = 16
_UUID = 16
_BASE = 8
_PURPOSE = b"nova-vhard attested 1 "
_MARK = re.compile(
    rf"{traits.MARK}([0-9]{{10}})_([A-Z2-7]{{26,180}})_([A-Z2-7]{{26}})"
)
_KEY = re.compile(rf"([0-9a-fA-F]{{2}}){{{_DIGITS // 2},512}}")

#: What a key file is made by.
MAKE = "openssl rand -hex 32"


class KeyFileError(Exception):
    """Raised if the key is missing or invalid; names place, cause and fix."""


@dataclass(frozen=True)
class Mark:
    """Some hosts, and until when they count as attested.

    :ivar until: seconds since the epoch
    :ivar providers: uuids of their root providers
    :ivar name: of the trait
    """

    until: int
    providers: frozenset[str]
    name: str


def read_keys(path: str) -> tuple[bytes, ...]:
    """Return the keys of a file: one a line, in hexadecimal digits.

    The first one makes marks, and each is good to read them by, so that a key
    can be changed without a gap.

    :param path: of a file that is root's or the reader's own, and that others
        can neither read nor write
    :raises KeyFileError: if there is none that can be used
    """
    if not path:
        # The attestor's own option has a default.
        raise KeyFileError(
            "[vhard] attestation_key_file is not set: name the key file of "
            "nova-vhard-attestor"
        )
    try:
        lines = read_private(path, secret=True).splitlines()
    except UnreadableError as error:
        raise KeyFileError(f"key file {path} {error}") from error
    words = [line.strip() for line in lines]
    keys = [word for word in words if word and not word.startswith("#")]
    if not keys or not all(map(_KEY.fullmatch, keys)):
        raise KeyFileError(
            f"key file {path} must have one key a line, of {_DIGITS} "
            "hexadecimal digits or more, and of an even number of them; "
            f"{MAKE} makes one"
        )
    return tuple(map(bytes.fromhex, keys))


def make(key: bytes, until: int, providers: Collection[str]) -> Mark:
    """Return a mark.

    :param until: seconds since the epoch
    :param providers: uuids, at most MOST
    """
    raw = b"".join(uuid.UUID(item).bytes for item in sorted(providers))
    name = f"{traits.MARK}{until:010}_{_written(raw)}"
    code = _written(_code(key, name))
    return Mark(until, frozenset(providers), f"{name}_{code}")


def read(name: str, keys: Iterable[bytes]) -> Mark | None:
    """Return the mark that a trait's name is; None if its code is not ours."""
    match = _MARK.fullmatch(name)
    if not match:
        return None
    until, providers, code = match.groups()
    signed = name[: match.start(3) - 1]
    raw, given = _bytes(providers), _bytes(code)
    if len(raw) % _UUID or (_written(raw), _written(given)) != (
        providers,
        code,
    ):
        return None
    if not any(hmac.compare_digest(given, _code(key, signed)) for key in keys):
        return None
    return Mark(int(until), _uuids(raw), name)


def attested(
    names: Collection[str],
    keys: Sequence[bytes],
    now: datetime.datetime,
    max_age: float = 86400,
) -> frozenset[str]:
    """Return the hosts that count as attested.

    :param names: of traits, as Placement has them
    :param now: aware time
    :param max_age: seconds that an attestation lasts at most; a mark that
        lasts longer was made by a clock that was ahead, and does not count
    :returns: uuids of their root providers
    """
    timely = sorted(name for name, _ in _timely(names, now, max_age))
    marks = (read(name, keys) for name in timely[-_LIMIT:])
    return frozenset().union(*(mark.providers for mark in marks if mark))


def named(names: Iterable[str], now: datetime.datetime) -> frozenset[str]:
    """Return the hosts that unexpired marks name, without checking the code.

    For callers without a key, which may withdraw but not grant.
    """
    marks = (_bytes(written) for _, written in _timely(names, now))
    return frozenset().union(*map(_uuids, marks))


def _timely(
    names: Iterable[str], now: datetime.datetime, max_age: float = 86400
) -> Iterator[tuple[str, str]]:
    """Yield what looks like a mark in time, and its hosts as written."""
    time = now.timestamp()
    for name in names:
        match = _MARK.fullmatch(name)
        if match and time < int(match[1]) <= time + max_age + AHEAD:
            yield name, match[2]


def _uuids(raw: bytes) -> frozenset[str]:
    parts = (raw[at : at + _UUID] for at in range(0, len(raw), _UUID))
    return frozenset(
        str(uuid.UUID(bytes=part)) for part in parts if len(part) == _UUID
    )


def _code(key: bytes, name: str) -> bytes:
    whole = hmac.new(key, _PURPOSE + name.encode(), hashlib.sha256).digest()
    return whole[:_CODE]


def _written(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    padding = "=" * (-len(text) % _BASE)
    try:
        return base64.b32decode(text + padding)
    except binascii.Error:
        return b""

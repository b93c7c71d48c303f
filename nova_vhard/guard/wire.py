# SPDX-License-Identifier: Apache-2.0
"""Protocol between hook and daemon.

A request is one line, ``OPERATION NAME``, followed by the domain XML up to the
end of the stream. An answer is one line with a word, followed by a text. The
hook does not import this package and has a copy of this format.
"""

import enum
import socket
import time
from dataclasses import dataclass

from nova_vhard.common.text import line

#: Bytes of a domain XML. The hook sends one more of a longer one.
LIMIT = 4 << 20
#: Bytes of the first line: an operation, and a name from libvirt.
HEAD_LIMIT = 1024
#: Bytes of an answer's text, which Nova writes to its log.
TEXT_LIMIT = 2048

#: libvirt's operations that the hook asks about.
MIGRATE = "migrate"
PREPARE = "prepare"
RESTORE = "restore"
#: After PREPARE: libvirt has read the headers of all images by then, so that
#: the XML has whole backing chains, and no QEMU runs yet.
START = "start"
#: An operator's question: what does the daemon work with?
STATUS = "status"

OPERATIONS = (MIGRATE, PREPARE, RESTORE, START, STATUS)


class BadRequest(ValueError):
    """Raised if a client's request is invalid."""


class Word(enum.StrEnum):
    """The daemon's decision on a guest."""

    ALLOW = "allow"
    REFUSE = "refuse"
    #: There is no policy to judge by: the hook does as without a daemon.
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Request:
    """A question about a guest.

    :ivar operation: one of OPERATIONS
    :ivar name: libvirt's name of the guest
    :ivar xml: the domain XML, at most LIMIT + 1 bytes
    """

    operation: str
    name: str
    xml: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The daemon's answer.

    :ivar text: one line, shown in libvirt's error message
    """

    word: Word
    text: str = ""

    def encoded(self) -> bytes:
        """Return the bytes to send."""
        return f"{self.word}\n{line(self.text, TEXT_LIMIT)}".encode(
            errors="replace"
        )


def receive(peer: socket.socket, seconds: float) -> Request:
    """Read a request to its end.

    :param seconds: time limit for the whole request
    :raises BadRequest: if the request is invalid or too long
    :raises OSError: if it does not arrive in time
    """
    deadline = time.monotonic() + seconds
    data = bytearray()
    while part := _part(peer, deadline):
        data += part
        if len(data) > HEAD_LIMIT + LIMIT + 1:
            raise BadRequest("too long")
    head, newline, _ = data[:HEAD_LIMIT].partition(b"\n")
    operation, _, name = head.decode(errors="replace").partition(" ")
    if not newline or operation not in OPERATIONS:
        raise BadRequest("no operation")
    return Request(operation, name, bytes(data[len(head) + 1 :]))


def _part(peer: socket.socket, deadline: float) -> bytes:
    rest = deadline - time.monotonic()
    if rest <= 0:
        raise TimeoutError("the request does not end")
    peer.settimeout(rest)
    return peer.recv(1 << 18)


def ask(path: str, request: Request, seconds: float) -> Answer:
    """Ask a daemon, as the hook does.

    :param path: of its socket
    :raises OSError: without an answer within the time
    """
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(seconds)
        peer.connect(path)
        head = f"{request.operation} {request.name}\n".encode()
        peer.sendall(head + request.xml)
        peer.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + seconds
        data = bytearray()
        while (part := _part(peer, deadline)) and len(data) < 1 << 16:
            data += part
    word, _, text = data.decode(errors="replace").partition("\n")
    try:
        return Answer(Word(word), text)
    except ValueError:
        raise ConnectionError("no answer") from None

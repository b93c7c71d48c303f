# SPDX-License-Identifier: Apache-2.0
"""Who listens in on loopback: every packet that went by."""

import contextlib
import socket
from collections.abc import Iterator

_EVERY_PROTOCOL, _SO_RCVBUFFORCE = 3, 33
_SOL_PACKET, _STATISTICS = 263, 6


@contextlib.contextmanager
def listening() -> Iterator[list[bytes]]:
    """Give the packets that go by until the block ends; needs root."""
    packets: list[bytes] = []
    protocol = socket.htons(_EVERY_PROTOCOL)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, protocol) as each:
        # They are read at the end: nothing is to be lost.
        each.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 29)
        each.bind(("lo", 0))
        yield packets
        each.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                packets.append(each.recv(1 << 17))
        lost = each.getsockopt(_SOL_PACKET, _STATISTICS, 8)[4:]
        assert not any(lost), "packets were not seen"

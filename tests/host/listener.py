# SPDX-License-Identifier: Apache-2.0
"""Who listens in on loopback: every packet, searched for a pattern."""

import socket
import threading

_EVERY_PROTOCOL = 3
_BUFFER = 1 << 28
_LONGEST = 1 << 17


class Listener:
    """Listens until the block ends; needs root.

    :param pattern: that is searched, also where packets cut it in two
    :ivar hits: how often it went by
    :ivar volume: bytes that went by
    """

    def __init__(self, pattern: bytes) -> None:
        self._pattern = pattern
        self._end = threading.Event()
        self.hits = 0
        self.volume = 0

    def __enter__(self) -> "Listener":
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL)
        )
        # Nothing is to be lost while others have the processor.
        force = 33
        self._socket.setsockopt(socket.SOL_SOCKET, force, _BUFFER)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()
        lost = self._lost()
        self._socket.close()
        assert not lost, f"{lost} packets were not seen"

    def _listen(self) -> None:
        while True:
            try:
                packet = self._socket.recv(_LONGEST)
            except TimeoutError:
                if self._end.is_set():
                    return
                continue
            self.volume += len(packet)
            self.hits += packet.count(self._pattern)

    def _lost(self) -> int:
        """Return how many packets the kernel has thrown away."""
        sol_packet, statistics, size = 263, 6, 8
        result = self._socket.getsockopt(sol_packet, statistics, size)
        return int.from_bytes(result[4:], "little")

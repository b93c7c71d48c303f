# SPDX-License-Identifier: Apache-2.0
"""The one client of a benchmark's servers, and how it starts them."""

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.pass_on import GATED
from tests.functional.glance import identity

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "bench"

TOKEN = identity.token("0123456789abcdef0123456789abcdef")


#: Seconds between two looks whether processes have come to rest, and looks.
_REST, _LOOKS = 0.0003, 100


@dataclass(frozen=True)
class Took:
    """Cost of a request.

    :ivar processor: seconds, of all processes involved
    :ivar wall: seconds
    """

    processor: float
    wall: float

    def __add__(self, other: "Took") -> "Took":
        """Return what two requests took."""
        return Took(self.processor + other.processor, self.wall + other.wall)


def processor_time(pid: int) -> float:
    """Return how long all threads of a process have run, in seconds.

    By the clock that clock_getcpuclockid(3) gives: the kernel's own count, in
    nanoseconds.
    """
    return time.clock_gettime((~pid << 3) | 2)


class Client:
    """A running server, and a connection to it that is kept alive.

    :param behind: process ids of what the server asks
    :param gated: for a server with ``pass_on.ByTurn``
    """

    def __init__(
        self, pid: int, port: int, *behind: int, gated: bool = False
    ) -> None:
        self.pid, self._behind = pid, behind
        self._sent = {"X-Auth-Token": TOKEN, GATED: str(int(gated))}
        self.url = f"http://127.0.0.1:{port}"
        self._http = http.client.HTTPConnection("127.0.0.1", port)

    def timed(
        self,
        method: str,
        path: str,
        body: Any = None,
        kind: str = "application/json",
        expect: int = 200,
        **headers: str,
    ) -> tuple[float, bytes]:
        """Send one request; return its duration in seconds and the answer.

        Raises RuntimeError when the status is not the expected one: a
        benchmark of errors shows nothing.
        """
        sent = {**self._sent, "Content-Type": kind, **headers}
        start = time.perf_counter()
        self._http.request(method, path, body, sent)
        response = self._http.getresponse()
        answer = response.read()
        taken = time.perf_counter() - start
        if response.status != expect:
            raise RuntimeError(
                f"{method} {path}: {response.status} {answer!r}"
            )
        return taken, answer

    def measured(self, *words: Any, **more: Any) -> tuple[Took, bytes]:
        """Send one request; return what it took, and the answer.

        :param words: and ``more``, see ``timed``
        """
        begun = self._at_rest()
        wall, answer = self.timed(*words, **more)
        return Took(self._at_rest() - begun, wall), answer

    def _at_rest(self) -> float:
        """Wait until no process works; return how long they have run."""
        ran = self._ran()
        for _ in range(_LOOKS):
            time.sleep(_REST)
            before, ran = ran, self._ran()
            if before == ran:
                break
        return ran

    def _ran(self) -> float:
        return sum(map(processor_time, (self.pid, *self._behind)))

    def peak_mib(self) -> float:
        """Return the most memory that the server has ever held, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (x for x in status.splitlines() if x.startswith("VmHWM"))
        return round(int(line.split()[1]) / 1024, 1)


def _ready(line: str, log: Path) -> tuple[int, tuple[int, int]]:
    """Return the index of a server that is ready, its process id and port.

    :raises RuntimeError: if it could not start
    """
    index, *where = map(int, line.split() or [0])
    if not where:
        raise RuntimeError(log.read_text())
    pid, port = where
    return index, (pid, port)


@contextmanager
def serve(
    module: str, *servers: tuple[Path, str]
) -> Iterator[list[tuple[int, int]]]:
    """Run a server for each directory and filter until the block ends.

    :param module: one that calls ``forked.main``
    :returns: process id and port of each, in the order of ``servers``
    """
    arguments = [str(part) for server in servers for part in server]
    log = servers[0][0].parent / "log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        # A server is known by its index, not by when it got ready.
        ready = dict(_ready(process.stdout.readline(), log) for _ in servers)
        yield [ready[index] for index in range(len(servers))]
    finally:
        process.stdin.close()
        process.stdout.read()  # ends when the last of them has ended
        process.wait()

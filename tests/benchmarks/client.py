# SPDX-License-Identifier: Apache-2.0
"""The client of a benchmark's servers, how it starts them, and their cost."""

import http.client
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.forked import GATED
from tests.functional.glance import identity

ROOT = Path(__file__).resolve().parents[2]
TOKEN = identity.token("0123456789abcdef0123456789abcdef")

#: Seconds between two looks whether processes have come to rest, and looks.
_REST, _LOOKS = 0.0003, 100


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """Return a folder on the checkout's disk, until the block ends."""
    cache = ROOT / ".cache" / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=cache, prefix=f"{name}-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def processor_time(pid: int) -> float:
    """Return how long all threads of a process have run, in seconds.

    By the clock that clock_getcpuclockid(3) gives: the kernel's own count, in
    nanoseconds.
    """
    return time.clock_gettime((~pid << 3) | 2)


def peak_mib(pid: int | str = "self") -> float:
    """Return the most memory that a process has ever held, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (x for x in status.splitlines() if x.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


def spent(
    command: Sequence[str],
    text: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> float:
    """Run a program; return the seconds of the processor that it takes.

    :param text: its standard input
    :raises subprocess.CalledProcessError: if it fails
    """
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, env=env, input=text, capture_output=True, check=True
    )
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


class Client:
    """A running server, and a connection to it that is kept alive.

    :param behind: process ids of what the server asks
    :param gated: for a server with ``forked.ByTurn``
    """

    def __init__(
        self, pid: int, port: int, *behind: int, gated: bool = False
    ) -> None:
        self.pid, self.port, self._all = pid, port, (pid, *behind)
        self.sent = {"X-Auth-Token": TOKEN, GATED: str(int(gated))}
        self.url = f"http://127.0.0.1:{port}"
        self._http = http.client.HTTPConnection("127.0.0.1", port)

    def wait(self) -> None:
        """Wait until the server is there."""
        self._http.request("GET", "/", headers=self.sent)
        self._http.getresponse().read()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        kind: str = "application/json",
        expect: int = 200,
        **headers: str,
    ) -> bytes:
        """Send one request; return the answer.

        Raises RuntimeError when the status is not the expected one: a
        benchmark of errors shows nothing.
        """
        sent = {**self.sent, "Content-Type": kind, **headers}
        self._http.request(method, path, body, sent)
        response = self._http.getresponse()
        answer = response.read()
        if response.status != expect:
            raise RuntimeError(
                f"{method} {path}: {response.status} {answer!r}"
            )
        return answer

    def measured(self, *words: Any, **more: Any) -> float:
        """Send one request; return the seconds of the processor it takes.

        :param words: and ``more``, see ``ask``
        """
        begun = self._at_rest()
        self.ask(*words, **more)
        return self._at_rest() - begun

    def _at_rest(self) -> float:
        """Wait until no process works; return how long they have run."""
        before, ran = -1.0, 0.0
        for _ in range(_LOOKS):
            before, ran = ran, sum(map(processor_time, self._all))
            if before == ran:
                break
            time.sleep(_REST)
        return ran


@contextmanager
def serve(
    module: str, *servers: tuple[Path, str], kind: Any = Client
) -> Iterator[list[Any]]:
    """Run a server for each directory and filter until the block ends.

    :param module: one that calls ``forked.main``
    :param kind: makes a client of process id and port
    """
    arguments = [str(part) for server in servers for part in server]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines = [process.stdout.readline() for _ in servers]
        clients = [kind(*map(int, line.split())) for line in lines]
        for each in clients:
            each.wait()
        yield clients
    finally:
        process.communicate()  # they end with their input

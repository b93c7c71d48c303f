# SPDX-License-Identifier: Apache-2.0
"""Start, watch and stop the demo's service processes."""

import pathlib
import queue
import subprocess
import sys
import threading
import time

from common import commands
from demo import serve

_TOOLS = pathlib.Path(__file__).resolve().parents[1]


class Failed(Exception):
    """A service did not start."""


class Process:
    """One service process.

    :param name: for progress and for the name of its log
    :param module: run with ``python -m``
    :param arguments: of the module
    :param sockets: whose descriptors the process inherits
    :param log: file of its standard error
    :param news: queue that gets (this object, line) for each line that the
        process says, and (this object, None) at its end
    """

    def __init__(self, name, module, arguments, sockets, log, news):
        self.name = name
        with open(log, "ab") as out:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", module, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                pass_fds=[one.fileno() for one in sockets],
                # Ctrl-C is the parent's to handle.
                start_new_session=True,
                env={**commands.environment(), "PYTHONPATH": str(_TOOLS)},
                text=True,
            )
        threading.Thread(
            target=self._listen, args=(news,), daemon=True
        ).start()

    def _listen(self, news):
        for line in self._popen.stdout:
            news.put((self, line.strip()))
        news.put((self, None))

    @property
    def id(self):
        """The process id; None when it has ended."""
        return self._popen.pid if self._popen.poll() is None else None

    def release(self):
        """Ask the process to end."""
        self._popen.stdin.close()

    def stop(self):
        """Wait for the end, and force it if that takes too long."""
        self.release()
        try:
            self._popen.wait(5)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


def wait(waiting, news, say, seconds=180):
    """Wait until processes are ready.

    :param waiting: the processes
    :param news: the queue that they were made with
    :param say: called with a name, and what its process says it does
    :raises Failed: when one ends, or takes too long
    """
    waiting = set(waiting)
    deadline = time.monotonic() + seconds
    while waiting:
        try:
            process, line = news.get(
                timeout=max(0, deadline - time.monotonic())
            )
        except queue.Empty:
            names = ", ".join(sorted(one.name for one in waiting))
            raise Failed(f"Not ready within {seconds} s: {names}") from None
        if line is None:
            raise Failed(f"{process.name} ended while starting")
        say(process.name, line)
        if line == serve.READY:
            waiting.remove(process)

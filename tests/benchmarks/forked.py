# SPDX-License-Identifier: Apache-2.0
"""Services over HTTP on loopback, one process each, forked from one process.

A module that is run as ``python -m MODULE DIRECTORY FILTER ...`` calls
``main``: for each directory it forks a server with the paste filter factory
FILTER in its pipeline, which prints which of them it is, its process id and
its port (nothing but which it is when it cannot start), and serves until the
standard input is closed. They get ready in any order.

Processes that were started apart differ by some percent in speed for no other
reason than where their memory lies; forked ones do not.  So whatever a server
imports must be imported before.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import waitress

#: Makes a directory ready for a server with a filter.
Prepare = Callable[[Path, str], None]
#: Returns the WSGI application of a directory.
Load = Callable[[Path], Any]

_LARGEST_BODY = 4 << 30


def main(arguments: list[str], prepare: Prepare, load: Load) -> None:
    """Fork a server for each directory and filter of the arguments.

    :param prepare: runs here, ``load`` in the server's own process
    """
    answers = sys.stdout.fileno()
    servers = zip(arguments[::2], arguments[1::2], strict=True)
    for index, (name, our_filter) in enumerate(servers):
        directory = Path(name).resolve()
        prepare(directory, our_filter)
        if os.fork() == 0:
            try:
                _serve(load, directory, index, answers)
            except Exception:
                traceback.print_exc()
            os.write(answers, f"{index}\n".encode())
            os._exit(1)
    sys.stdin.read()


def _serve(load: Load, directory: Path, index: int, answers: int) -> None:
    """Serve from a directory; write index, process id and port to a pipe."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server = waitress.create_server(
        load(directory),
        host="127.0.0.1",
        port=0,
        threads=1,
        max_request_body_size=_LARGEST_BODY,
    )
    ready = f"{index} {os.getpid()} {server.effective_port}\n"
    os.write(answers, ready.encode())
    server.run()


def _end_with_parent() -> None:
    """End this process when the benchmark, which holds its input, is gone."""
    sys.stdin.read()
    os._exit(0)

# SPDX-License-Identifier: Apache-2.0
"""Glance APIs over HTTP on loopback, one process each, for the benchmark.

Run as ``python -m tests.benchmarks.glance_server DIRECTORY FILTER ...``: for
each directory it forks a Glance with the paste filter factory FILTER after
``context``, which prints its process id and its port, and serves until the
standard input is closed.
"""

import os
import sys
import tempfile
import threading
from pathlib import Path

import glance.api.v2.router  # noqa: F401
import waitress
from glance.common import wsgi_app

import nova_vhard.gates.glance_api  # noqa: F401  (all imports before a fork)
from tests.functional.glance import service

POLICY = 'version: "1"\nextends: baseline\n'

#: A log file, as in production; and SQLite does not wait for the disk, which
#: is no part of what is measured.
_TUNING = """
[DEFAULT]
log_file = {directory}/glance.log
[database]
sqlite_synchronous = false
"""


def prepare(directory: Path, our_filter: str) -> None:
    """Write the configuration of a server and create its database."""
    configuration = service.write(directory, our_filter)
    with configuration.open("a") as stream:
        stream.write(_TUNING.format(directory=directory))
    (directory / "vhard.yaml").write_text(POLICY)
    service.create_database(configuration)


def serve(directory: Path, answers: int) -> None:
    """Serve Glance from a directory; write pid and port to a pipe."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    # What glance.wsgi.api does under a WSGI server.
    os.environ["OS_GLANCE_CONFIG_DIR"] = str(directory)
    # A server that buffers a body does it on the checkout's disk, too.
    tempfile.tempdir = str(directory)
    server = waitress.create_server(
        wsgi_app.init_app(),
        host="127.0.0.1",
        port=0,
        threads=1,
        max_request_body_size=4 << 30,
    )
    os.write(answers, f"{os.getpid()} {server.effective_port}\n".encode())
    server.run()


def end_with_parent() -> None:
    """End this process when the benchmark, which holds its input, is gone."""
    sys.stdin.read()
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Fork a server for each directory and filter of the arguments.

    Processes that were started apart differ by some percent in speed for no
    other reason than where their memory lies; forked ones do not.
    """
    answers = sys.stdout.fileno()
    for directory, our_filter in zip(
        arguments[::2], arguments[1::2], strict=True
    ):
        prepare(Path(directory), our_filter)
        if os.fork() == 0:
            serve(Path(directory), answers)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])

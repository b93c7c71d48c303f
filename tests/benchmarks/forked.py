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

A gate is compared with ``PassOn``, a paste filter that only calls on.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import waitress

PASS_ON = "tests.benchmarks.forked:filter_factory"
#: For a Glance that has the schema of ``glance_server``.
PASS_ON_WITH_SCHEMA = "tests.benchmarks.forked:factory_with_schema"
GLANCE_BY_TURN = "tests.benchmarks.forked:glance_by_turn"
NOVA_BY_TURN = "tests.benchmarks.forked:nova_by_turn"

#: Header of a request: "1" if it goes through the gate.
GATED = "X-Gated"

#: Makes a directory ready for a server with a filter.
Prepare = Callable[[Path, str], object]
#: Returns the WSGI application of a directory.
Load = Callable[[Path], Any]

_LARGEST_BODY = 4 << 30


class PassOn:
    """The filter."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Call on."""
        return self.app(environ, start_response)


class ByTurn(PassOn):
    """A gate, and no gate, before one application.

    Two processes that do the same differ by one or two percent, by where
    their memory lies.
    """

    def __init__(self, gate: str, app: Callable[..., Iterable[bytes]]) -> None:
        super().__init__(app)
        factory = import_module(f"nova_vhard.gates.{gate}").filter_factory
        self.gate = factory({})(app)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Call the gate if the request wants it."""
        if environ["HTTP_X_GATED"] == "1":
            return self.gate(environ, start_response)
        return super().__call__(environ, start_response)


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[..., PassOn]:
    """Build the filter, as paste asks for it."""
    return PassOn


factory_with_schema = filter_factory


def glance_by_turn(global_conf: dict[str, str]) -> Callable[..., ByTurn]:
    """Build the filter for Glance."""
    return partial(ByTurn, "glance_api")


def nova_by_turn(global_conf: dict[str, str]) -> Callable[..., ByTurn]:
    """Build the filter for Nova."""
    return partial(ByTurn, "nova_api")


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

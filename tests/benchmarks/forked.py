# SPDX-License-Identifier: Apache-2.0
"""Services over HTTP on loopback, one process each, forked from one process.

A module that is run as ``python -m MODULE DIRECTORY FILTER ...`` calls
``main``: for each directory it forks a server with the paste filter factory
FILTER in its pipeline, prints its process id and its port, and serves until
the standard input is closed.

Processes that were started apart differ by some percent in speed for no other
reason than where their memory lies; forked ones do not.  So whatever a server
imports must be imported before.

A gate is compared with ``PassOn``, a paste filter that only calls on.
"""

import os
import socket
import sys
import threading
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


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[..., PassOn]:
    """Build the filter, as paste asks for it."""
    return PassOn


factory_with_schema = filter_factory


def by_turn(
    gate: str, global_conf: dict[str, str], **local_conf: str
) -> Callable[..., Any]:
    """Build a gate, and no gate, before one application.

    Two processes that do the same differ by one or two percent, by where
    their memory lies.
    """
    factory = import_module(f"nova_vhard.gates.{gate}").filter_factory({})

    def build(app: Callable[..., Iterable[bytes]]) -> Callable[..., Any]:
        sides = {"1": factory(app), "0": PassOn(app)}
        return lambda environ, start_response: sides[environ["HTTP_X_GATED"]](
            environ, start_response
        )

    return build


glance_by_turn = partial(by_turn, "glance_api")
nova_by_turn = partial(by_turn, "nova_api")


def main(
    arguments: list[str],
    prepare: Callable[[Path, str], object],
    load: Callable[[Path], Any],
) -> None:
    """Fork a server for each directory and filter of the arguments.

    :param prepare: makes a directory ready for a server with a filter; runs
        here
    :param load: returns the WSGI application of a directory; runs in the
        server's own process
    """
    for name, our_filter in zip(arguments[::2], arguments[1::2], strict=True):
        directory = Path(name).resolve()
        prepare(directory, our_filter)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            pid = os.fork()
            if pid == 0:
                threading.Thread(target=_end_with_parent, daemon=True).start()
                waitress.serve(
                    load(directory),
                    sockets=[listening],
                    threads=1,
                    max_request_body_size=_LARGEST_BODY,
                    _quiet=True,
                )
            print(pid, port, flush=True)
    _end_with_parent()


def _end_with_parent() -> None:
    """End this process when the benchmark, which holds its input, is gone."""
    sys.stdin.read()
    os._exit(0)

# SPDX-License-Identifier: Apache-2.0
"""The paste filters that a gate is compared with: they only call on."""

from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from typing import Any

PASS_ON = "tests.benchmarks.pass_on:filter_factory"
GLANCE_BY_TURN = "tests.benchmarks.pass_on:glance_by_turn"
NOVA_BY_TURN = "tests.benchmarks.pass_on:nova_by_turn"

#: Header of a request: "1" if it goes through the gate.
GATED = "X-Gated"


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


def glance_by_turn(global_conf: dict[str, str]) -> Callable[..., ByTurn]:
    """Build the filter for Glance."""
    return partial(ByTurn, "glance_api")


def nova_by_turn(global_conf: dict[str, str]) -> Callable[..., ByTurn]:
    """Build the filter for Nova."""
    return partial(ByTurn, "nova_api")

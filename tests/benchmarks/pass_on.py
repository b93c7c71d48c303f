# SPDX-License-Identifier: Apache-2.0
"""The paste filter that a gate is compared with: it only calls on."""

from collections.abc import Callable, Iterable
from typing import Any

PASS_ON = "tests.benchmarks.pass_on:filter_factory"


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

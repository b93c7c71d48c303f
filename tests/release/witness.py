# SPDX-License-Identifier: Apache-2.0
"""A paste filter in the gate's place that writes down what it is given."""

from collections.abc import Callable, Iterable
from typing import Any

FACTORY = "tests.release.witness:filter_factory"

#: The environments of the requests that came by.
seen: list[dict[str, Any]] = []


def filter_factory(
    _global_conf: dict[str, str], **_local_conf: str
) -> Callable[..., Any]:
    """Return a filter that notes a request and calls on."""

    def wrap(app: Callable[..., Any]) -> Callable[..., Any]:
        def call(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
            seen.append(dict(environ))
            answer: Iterable[bytes] = app(environ, start)
            return answer

        return call

    return wrap

# SPDX-License-Identifier: Apache-2.0
"""Hostile requests as WSGI environments: written down, and from a seed."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.mutate import Mutator
from tests.fuzz.service import environment, sent

Odd = Callable[[Mutator], tuple[dict[str, Any], bytes]]

JSON = "application/json"
MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    """A request.

    :ivar environ: other keys of the WSGI environment
    """

    name: str
    method: str
    path: str
    body: bytes = b""
    kind: str = JSON
    environ: Mapping[str, Any] = field(default_factory=dict)

    def made(self) -> dict[str, Any]:
        """Return the WSGI environment, with the body still to be read."""
        base = environment(self.method, self.path, self.body, self.kind)
        return sent({**base, **self.environ}, self.body)


def filled(entry: Callable[[int], Any], size: int) -> list[Any]:
    """Return as many entries as take so many bytes of JSON."""
    made: list[Any] = []
    left = size
    while left > 0:
        made.append(entry(len(made)))
        left -= len(json.dumps(made[-1])) + 2
    return made[:-1]


def seeded(odd: Odd, count: int, prefix: str, most: int) -> Iterator[Case]:
    """Yield odd requests; every other one has grown.

    :param odd: returns the environment and the body of one
    :param prefix: of the names
    :param most: bytes of a body
    """
    for number in range(count):
        mutator = Mutator(number)
        environ, body = odd(mutator)
        if number % 2:
            body = grown(mutator, body, most)
            environ["CONTENT_LENGTH"] = str(len(body))
        yield Case(
            f"{prefix}_random_{number}",
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            body,
            environ={
                name: value
                for name, value in environ.items()
                if name.isupper() and name != "PATH_INFO"
            },
        )


def grown(mutator: Mutator, body: bytes, most: int) -> bytes:
    """Return a JSON body with a place made large; any other as it is.

    A string or a list's items are repeated, or a value under new keys.

    :param most: bytes of what is returned, about
    """
    try:
        tree = json.loads(body)
        places = list(_places(tree))
        size = most - len(body)
        if not places or size <= 0:
            return body
        node, key = mutator.one_of(places)
        value = node[key]
        if isinstance(value, str) and value and mutator.chance(0.3):
            node[key] = value * (size // len(json.dumps(value)))
        elif isinstance(node, list):
            node += filled(lambda _: value, size)
        else:
            times = size // (len(json.dumps([key, value])) + 8)
            node |= {f"{key}{number}": value for number in range(times)}
        return json.dumps(tree).encode()
    except (ValueError, RecursionError):
        # No JSON, or nested so deep that it is hostile already.
        return body


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what holds a value, and under which key, for each value."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict | list):
            keys = node if isinstance(node, dict) else range(len(node))
            yield from ((node, key) for key in keys)
            nodes += [node[key] for key in keys]

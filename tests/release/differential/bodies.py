# SPDX-License-Identifier: Apache-2.0
"""Generated requests to Nova's API, most of them such as Nova takes.

Keys that a schema may lack, values that nearly fit, microversions on both
sides of each schema's bounds, and bodies that are no JSON.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as some

from tests.release.differential import body_parts as parts
from tests.release.differential import roots


@dataclass(frozen=True)
class Sent:
    """A request.

    :ivar version: header of the microversion, and its value
    :ivar legacy: whether it is sent to the v2 API
    """

    method: str
    path: str
    body: bytes
    content_type: str
    version: dict[str, str]
    legacy: bool


def _nodes(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list) and tree:
        yield tree
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _nodes(value)


@some.composite
def _changed(draw: Any, tree: Any) -> Any:
    """Change one place of a body."""
    nodes = list(_nodes(tree))
    if not nodes:
        return copy.deepcopy(draw(some.sampled_from(parts.VALUES)))
    node = draw(some.sampled_from(nodes))
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    key = draw(some.sampled_from(keys))
    way = draw(some.integers(0, 5))
    if way == 0:
        del node[key]
    elif way == 1 and isinstance(node[key], str):
        node[key] = f" {node[key]} "
    elif way < 4 and isinstance(node, dict):
        name = draw(some.sampled_from((*parts.NAMES, *map(str, keys))))
        node[name] = copy.deepcopy(draw(some.sampled_from(parts.VALUES)))
    else:
        node[key] = copy.deepcopy(draw(some.sampled_from(parts.VALUES)))
    return tree


@some.composite
def _raw(draw: Any, tree: Any) -> bytes:
    """Write a body, now and then so that it is no JSON."""
    text = json.dumps(tree, ensure_ascii=draw(some.booleans()))
    raw = b"" if tree is None else text.encode()
    if draw(some.integers(0, 15)):
        return raw
    ways = (
        b"",
        b"null",
        b"[]",
        b"[" + raw + b"]",
        raw[:-1],
        raw + b" ",
        raw + raw,
        b"\xef\xbb\xbf" + raw,
        raw.replace(b"{", b'{"server": {}, "rebuild": null, ', 1),
        raw.replace(b'"', b'"\xff', 1),
        text.encode("utf-16"),
    )
    return draw(some.sampled_from(ways))  # type: ignore[no-any-return]


@some.composite
def requests(draw: Any) -> Sent:
    """Give a request."""
    method, path, good = draw(some.sampled_from(parts.TEMPLATES))
    tree = copy.deepcopy(good)
    if path == "/servers" and draw(some.integers(0, 3)) == 0:
        tree = draw(roots.bodies())
    if isinstance(tree, dict) and draw(some.integers(0, 7)) == 0:
        # The v2 API ignores keys of another operation.
        other = draw(some.sampled_from(parts.TEMPLATES))[2]
        tree = {**copy.deepcopy(other or {}), **tree}
    for _ in range(draw(some.sampled_from((0, 0, 1, 1, 1, 2)))):
        tree = draw(_changed(tree))
    value = draw(some.sampled_from(parts.VERSIONS))
    header, form = draw(some.sampled_from(parts.VERSION_HEADERS))
    return Sent(
        method=method,
        path=path,
        body=draw(_raw(tree)),
        content_type=draw(some.sampled_from(parts.TYPES)),
        version={} if value is None else {header: form.format(value)},
        legacy=draw(some.integers(0, 3)) == 0,
    )

# SPDX-License-Identifier: Apache-2.0
"""Good requests made odd, from a seed: the same seed gives the same ones."""

import copy
import json
import random
import signal
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from tests import seeds
from tests.fuzz import odd

#: Seconds after which one input counts as a hang.
PATIENCE = 20


class Hang(BaseException):
    """One input took too long; no handler of exceptions hides it."""


@contextmanager
def patience() -> Iterator[None]:
    """Let one input take its time, but not for ever."""

    def expired(*_: Any) -> None:
        raise Hang(f"more than {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


#: Parts of a WSGI environment, how often each is odd, and its values.
_OUTSIDE = (
    (0.1, "CONTENT_TYPE", odd.TYPES),
    (0.1, "QUERY_STRING", odd.QUERIES),
    (0.08, "CONTENT_LENGTH", odd.LENGTHS),
    (0.08, "HTTP_TRANSFER_ENCODING", odd.ENCODINGS),
    (0.05, "HTTP_ACCEPT", odd.TYPES),
)


class Mutator:
    """Makes made things of good ones.

    :param number: which input of the run this is; with the seed it says all
    """

    def __init__(self, number: int | str) -> None:
        self.random = random.Random(f"{seeds.SEED}/{number}")
        self.name = f"input {number} of NOVA_VHARD_SEED={seeds.SEED}"

    def one_of(self, things: Any) -> Any:
        """Return one of some things."""
        return self.random.choice(things)

    def chance(self, share: float) -> bool:
        """Return True with a probability of ``share``."""
        return self.random.random() < share

    def tree(self, good: Any, changes: int = 3, names: Any = odd.NAMES) -> Any:
        """Return a copy of a JSON tree with some places made odd."""
        made = copy.deepcopy(good)
        for _ in range(self.random.randint(0, changes)):
            made = self._changed(made, names)
        return made

    def mapping(self, good: Any, changes: int = 3) -> dict[str, Any]:
        """Return properties of an image made odd; they stay a mapping."""
        made = self.tree(good, changes)
        return made if isinstance(made, dict) else {"hw_disk_bus": made}

    def texts(self, good: Any, changes: int = 3) -> dict[str, str]:
        """Return odd settings as text, as Nova's columns store them."""
        made = self.mapping(good, changes)
        return {str(name): str(value) for name, value in made.items()}

    def _changed(self, whole: Any, names: Any) -> Any:
        nodes = [each for each in _nodes(whole) if each]
        if not nodes or self.chance(0.03):
            return copy.deepcopy(self.one_of(odd.VALUES))
        node = self.one_of(nodes)
        named = isinstance(node, dict)
        key = self.one_of([*node] if named else range(len(node)))
        way = self.random.randint(0, 6)
        if way == 0:
            del node[key]
        elif way == 1 and named:
            node[self.one_of(names)] = node.pop(key)
        elif way == 2 and named:
            node[self.one_of(names)] = copy.deepcopy(node[key])
        elif way == 2:
            node += copy.deepcopy(node) * self.one_of((1, 2, 300))
        elif way == 3:
            node[key] = copy.deepcopy(self.one_of(nodes))
        elif way == 4:
            for _ in range(self.one_of((1, 2, 30, 33, 100))):
                value = node[key]
                node[key] = [value] if self.chance(0.5) else {"allow": value}
        else:
            node[key] = copy.deepcopy(self.one_of(odd.VALUES))
        return whole

    def body(self, good: Any) -> bytes:
        """Return a JSON body of it, which may be none any more."""
        text = json.dumps(self.tree(good), ensure_ascii=self.chance(0.5))
        raw = text.encode("utf-8", "surrogatepass")
        if self.chance(0.8):
            return raw
        at = self.random.randint(0, len(raw))
        other = (
            raw[:at],
            raw[:at] + self.one_of(odd.BYTES) + raw[at:],
            b"\xef\xbb\xbf" + raw,
            raw.replace(b"{", b'{"server": 1, "hw_disk_bus": "virtio",', 1),
            raw.replace(b"1", b"1e999"),
            text.encode("utf-16", "surrogatepass"),
            b"[" * odd.DEEP + raw + b"]" * odd.DEEP,
            b'{"server":' * odd.DEEP,
            raw + raw,
            b"",
        )
        return bytes(self.one_of(other))

    def environ(self, environ: dict[str, Any]) -> dict[str, Any]:
        """Return a WSGI environment with its outside made odd."""
        made = dict(environ)
        for share, name, values in _OUTSIDE:
            if self.chance(share):
                made[name] = self.one_of(values)
        if "HTTP_TRANSFER_ENCODING" in made and self.chance(0.7):
            made.pop("CONTENT_LENGTH", None)
        if self.chance(0.08):
            path = made["PATH_INFO"]
            at = self.random.randint(0, len(path))
            made["PATH_INFO"] = path[:at] + self.one_of(odd.PATHS) + path[at:]
        return made


def tried(
    outcome: Callable[[Mutator], Hashable], inputs: int, name: str = ""
) -> Counter[Hashable]:
    """Try inputs, and return how many had each outcome.

    :param name: of the inputs, if they are others than those of other tests
    """
    result = Counter(
        outcome(Mutator(f"{name}{number}")) for number in range(inputs)
    )
    print(seeds.SEED, name, result)
    return result


def _nodes(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list):
        yield tree
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _nodes(value)

# SPDX-License-Identifier: Apache-2.0
"""Policies that were changed at random, from a seed."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from nova_vhard.common import yaml_lines
from nova_vhard.policy import document
from tests.fuzz import odd
from tests.fuzz.mutate import Mutator

TEXTS = {
    name: Path(document.shipped(name)).read_text(encoding="utf-8")
    for name in document.SHIPPED
}
#: What the texts say, and the sections that neither of them has.
MORE = {
    "requires": ">=0.1",
    "enabled": True,
    "projects": [{"mode": "warn", "projects": ["p"], "domains": ["d"]}],
    "exemptions": [
        {
            "id": "routers",
            "reason": "no driver",
            "projects": ["p"],
            "images": ["i"],
            "roles": ["r"],
            "flavors": ["f"],
            "domains": ["d"],
            "rules": {
                "guest_devices.disk_bus": ["ide"],
                "passthrough.allow": "*",
                "hosts.require": ["iommu"],
            },
            "until": "2030-01-01",
        }
    ],
}
TREES = {
    name: {**yaml_lines.read(text, print)[0], **MORE}
    for name, text in TEXTS.items()
}
#: A place in a tree: what holds it, and its key or index there.
Place = tuple[Any, Any]
VALUES = (
    *odd.TEXTS,
    *("strict", "*", "warn", "a" * 256, "2030-02-30", "\u0662", "00", "24\n"),
    None,
    True,
    False,
    [],
    {},
    [None],
    [[]],
    ["gpu"],
    ["*"],
    {"a": "b"},
    {"": None},
    [{"mode": "warn"}],
    {"allow": True},
    {"require": {"iommu": True}},
)
NUMBERS = (0, -1, 1.5, 10**400, 1e999)
SYNTAX = (
    *(": ", "- ", "[", "]", "{", "}", ",", "'", '"', "#", "? ", "| ", "> "),
    *("&a ", "*a ", "&a [*a]", "<<: {a: b}\n", "<<: *a\n", "@", "`", "%"),
    *("!!python/object/apply:os.system [x] ", "!!binary ", "!!set ", "!x "),
    *("---\n", "...\n", "%YAML 1.1\n---\n", "%TAG ! x\n", "\t", "\x00"),
    *("\r", "\x85", "\u2028", "\ufeff", "\x1b[0m", "\u202e", "\n", "\n\n  "),
    *("|+2\n", "x" * 70_000, "[" * 3000, "{a: " * 3000, "- " * 3000),
)


def changed_tree(mutator: Mutator, name: str) -> bytes:
    """Return a policy with some of its parts replaced, moved or gone."""
    tree = copy.deepcopy(TREES[name])
    for _ in range(mutator.random.randint(1, 3)):
        places = list(_places(tree))
        if places:
            _change(mutator, tree, mutator.one_of(places))
    if mutator.chance(0.5):
        ascii_only, indent = mutator.chance(0.9), mutator.one_of((None, 1))
        text = json.dumps(tree, ensure_ascii=ascii_only, indent=indent)
        return text.encode("utf-8", "surrogatepass")
    try:
        return yaml.dump(tree, Dumper=yaml.CSafeDumper).encode()
    except (RecursionError, UnicodeEncodeError):
        return json.dumps(tree).encode()


def _places(tree: Any) -> Iterator[Place]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _change(mutator: Mutator, tree: Any, place: Place) -> None:
    holder, key = place
    way = mutator.random.randint(0, 7)
    if way == 0:
        del holder[key]
    elif way == 1 and isinstance(holder, dict):
        other = mutator.one_of([*holder, *TREES["baseline"], *odd.NAMES])
        holder[other] = holder.pop(key)
    elif way == 2 and isinstance(holder, list):
        holder += copy.deepcopy(holder) * mutator.one_of((1, 2, 300))
    elif way == 3:
        holder[key] = _deep(mutator, holder[key])
    elif way == 4:
        other, name = mutator.one_of(list(_places(tree)))
        holder[key] = copy.deepcopy(other[name])
    elif way == 5 and mutator.chance(0.3):
        holder[key] = mutator.one_of(NUMBERS)
    else:
        holder[key] = copy.deepcopy(mutator.one_of(VALUES))


def _deep(mutator: Mutator, value: Any) -> Any:
    for _ in range(mutator.one_of((1, 2, 30, 33, 200))):
        value = [value] if mutator.chance(0.5) else {"allow": value}
    return value


def changed_text(mutator: Mutator, name: str) -> bytes:
    """Return a policy with some of its bytes changed."""
    raw = TEXTS[name].encode()
    for _ in range(mutator.random.randint(1, 4)):
        raw = mutator.one_of(
            (_flipped, _cut, _with_syntax, _lines, _repeated, _encoded)
        )(mutator, raw)
    return raw


def _flipped(mutator: Mutator, raw: bytes) -> bytes:
    made = bytearray(raw)
    for _ in range(min(len(made), mutator.one_of((1, 1, 3, 50)))):
        made[mutator.random.randrange(len(made))] = mutator.random.randrange(
            256
        )
    return bytes(made)


def _cut(mutator: Mutator, raw: bytes) -> bytes:
    start = mutator.random.randint(0, len(raw))
    return raw[:start] + raw[start + mutator.one_of((1, 10, 200, len(raw))) :]


def _with_syntax(mutator: Mutator, raw: bytes) -> bytes:
    start = mutator.random.randint(0, len(raw))
    text = mutator.one_of(SYNTAX).encode()
    return raw[:start] + text + raw[start:]


def _lines(mutator: Mutator, raw: bytes) -> bytes:
    """Write a line twice, elsewhere, deeper or with a tab."""
    lines = raw.split(b"\n")
    number = mutator.random.randrange(len(lines))
    line = lines[number]
    made = mutator.one_of((line, b"  " + line, b"\t" + line, line.strip()))
    if mutator.chance(0.5):
        del lines[number]
    lines.insert(mutator.random.randint(0, len(lines)), made)
    return b"\n".join(lines)


def _repeated(mutator: Mutator, raw: bytes) -> bytes:
    start = mutator.random.randint(0, len(raw))
    part = raw[start : start + mutator.one_of((1, 5, 40))]
    return raw[:start] + part * mutator.one_of((2, 20, 2000)) + raw[start:]


def _encoded(mutator: Mutator, raw: bytes) -> bytes:
    if mutator.chance(0.8):
        return raw
    text = raw.decode(errors="ignore")
    return mutator.one_of(
        (
            text.encode("utf-16"),
            text.encode("utf-8-sig"),
            raw.replace(b"\n", b"\r\n"),
            raw.replace(b"  ", b"\t"),
            raw * 200,
        )
    )

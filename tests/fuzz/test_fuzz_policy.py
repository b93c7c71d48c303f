# SPDX-License-Identifier: Apache-2.0
"""Policies changed at random: each is read, or refused in good words."""

import contextlib
import json
import re
from pathlib import Path

import pytest
import yaml

from nova_vhard.common import source, yaml_lines
from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document
from nova_vhard.policy.model import Policy
from tests import seeds
from tests.fuzz import odd
from tests.fuzz.mutate import Mutator, patience, tried

#: What a JSON schema calls things, and an operator does not.
SCHEMA_WORDS = re.compile(
    r"(must be|not an?) (object|array|string|boolean|null|None)\b"
)
DOCUMENTS = seeds.examples(480)
TEXTS = {
    name: Path(document.shipped(name)).read_text(encoding="utf-8")
    for name in document.SHIPPED
}
#: Sections that none of the texts has.
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
NAMES = (*TREES["baseline"], *odd.NAMES)
SYNTAX = (
    *(": ", "- ", "[", "]", "{", "}", ",", "'", '"', "#", "? ", "| ", "> "),
    *("&a ", "*a ", "&a [*a]", "<<: {a: b}\n", "<<: *a\n", "@", "`", "%"),
    *("!!python/object/apply:os.system [x] ", "!!binary ", "!!set ", "!x "),
    *("---\n", "...\n", "%YAML 1.1\n---\n", "%TAG ! x\n", "\t", "\x00"),
    *("\r", "\x85", "\u2028", "\ufeff", "\x1b[0m", "\u202e", "\n", "\n\n  "),
    *("|+2\n", "x" * 70_000, "[" * 3000, "{a: " * 3000, "- " * 3000),
)


def changed_tree(mutator: Mutator, name: str) -> bytes:
    """Return a policy with some parts replaced, moved or removed."""
    tree = mutator.tree(TREES[name], names=NAMES)
    if mutator.chance(0.5):
        ascii_only, indent = mutator.chance(0.9), mutator.one_of((None, 1))
        return json.dumps(tree, ensure_ascii=ascii_only, indent=indent).encode(
            "utf-8", "surrogatepass"
        )
    try:
        return yaml.dump(tree, Dumper=yaml.CSafeDumper).encode()
    except (RecursionError, UnicodeEncodeError):
        return json.dumps(tree).encode()


def changed_text(mutator: Mutator, name: str) -> bytes:
    """Return a policy with some bytes removed, added or moved."""
    raw = TEXTS[name].encode()
    for _ in range(mutator.random.randint(1, 4)):
        start, other = (mutator.random.randint(0, len(raw)) for _ in range(2))
        end = start + mutator.one_of((0, 0, 1, 3, 10, 200, len(raw)))
        part = raw[other : other + mutator.one_of((1, 5, 40))]
        line = mutator.one_of(raw.split(b"\n"))
        new = mutator.one_of(
            (
                b"",
                mutator.one_of(SYNTAX).encode(),
                mutator.random.randbytes(
                    end - start if end < start + 9 else 1
                ),
                part * mutator.one_of((1, 2, 20, 2000)),
                b"\n" + mutator.one_of((b"", b"  ", b"\t")) + line + b"\n",
            )
        )
        raw = raw[:start] + new + raw[end:]
    if mutator.chance(0.95):
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a path for a policy, beside one that extends it."""
    (tmp_path / "above.yaml").write_text(
        'version: "1"\nextends: policy.yaml\nmode: warn\n'
    )
    return tmp_path / "policy.yaml"


def loaded(mutator: Mutator, path: Path, raw: bytes) -> str:
    """Load a document; a fault of it has its place, and is clean."""
    path.write_bytes(raw)
    above = path.parent / "above.yaml"
    try:
        result = document.load(str(above if mutator.chance(0.2) else path))
    except PolicyError as error:
        details = (mutator.name, raw[:300], error.problems)
        assert error.__cause__ is None, details
        assert len(str(error)) < 64 * 1024, mutator.name
        assert str(error).isprintable(), details
        assert error.problems, details
        lines = len(raw.decode(errors="replace").splitlines()) + 1
        # A file that is too large is not read, so no line is at fault.
        first = 0 if len(raw) > source.MAX_LIMIT else 1
        for problem in error.problems:
            assert first <= problem.line <= lines, details
            assert problem.message, details
            assert not SCHEMA_WORDS.search(problem.message), details
        return "refused"
    assert isinstance(result, Policy)
    return "loaded"


def restored(raw: bytes) -> None:
    """Take a document for a kept copy, which is JSON."""
    data: object = None
    with contextlib.suppress(ValueError):
        data = json.loads(raw)
    with contextlib.suppress(PolicyError):
        document.restore(data, "copy.json", "99")


@pytest.mark.parametrize("name", document.SHIPPED)
@pytest.mark.parametrize("change", [changed_tree, changed_text])
def test_fuzz_of_policies(path: Path, name: str, change: object) -> None:
    """A quarter of the documents: one policy, one way to change it."""

    def outcome(mutator: Mutator) -> str:
        raw = change(mutator, name)
        with patience():
            if change is changed_tree:
                restored(raw)
            return loaded(mutator, path, raw)

    assert (
        len(tried(outcome, DOCUMENTS // 4, f"{name}/{change.__name__}/")) == 2
    )

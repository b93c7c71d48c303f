# SPDX-License-Identifier: Apache-2.0
"""Policies changed at random: each is read, or refused in good words."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document
from nova_vhard.policy.model import Policy
from tests import seeds
from tests.fuzz import policy_texts
from tests.fuzz.mutate import Mutator, patience

#: What a JSON schema calls things, and an operator does not.
SCHEMA_WORDS = re.compile(
    r"(must be|not an?) (object|array|string|boolean|null|None)\b"
)
DOCUMENTS = seeds.examples(800)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a path for a policy, beside one that extends it."""
    above = 'version: "1"\nextends: policy.yaml\nmode: warn\n'
    (tmp_path / "above.yaml").write_text(above)
    return tmp_path / "policy.yaml"


def outcome(mutator: Mutator, path: Path, raw: bytes) -> str:
    """Load a document and return the outcome."""
    path.write_bytes(raw)
    above = path.parent / "above.yaml"
    with patience():
        try:
            result = document.load(str(above if mutator.chance(0.2) else path))
        except PolicyError as error:
            assert error.__cause__ is None, (mutator.name, raw[:300])
            check(mutator, error, raw)
            return "refused"
    assert isinstance(result, Policy)
    return "loaded"


def check(mutator: Mutator, error: PolicyError, raw: bytes) -> None:
    """Every fault has its place, and is short and clean."""
    text = str(error)
    assert len(text) < 64 * 1024, mutator.name
    assert text.isprintable(), (mutator.name, text)
    assert error.problems, mutator.name
    lines = len(raw.decode(errors="replace").splitlines()) + 1
    for problem in error.problems:
        assert 1 <= problem.line <= lines, (mutator.name, problem)
        assert problem.message, mutator.name
        assert not SCHEMA_WORDS.search(problem.message), problem


def restored(mutator: Mutator, raw: bytes) -> Any:
    """Take a document for a kept copy, which is JSON."""
    try:
        data = json.loads(raw)
    except ValueError:
        return
    with patience():
        try:
            document.restore(data, "copy.json", "99")
        except PolicyError:
            return


@pytest.mark.parametrize("name", document.SHIPPED)
@pytest.mark.parametrize("way", ["tree", "text"])
def test_fuzz_of_policies(path: Path, name: str, way: str) -> None:
    """A quarter of the documents: one policy, one way to change it."""
    change = getattr(policy_texts, f"changed_{way}")
    result: Counter[str] = Counter()
    for number in range(DOCUMENTS // 4):
        mutator = Mutator(f"{name}/{way}/{number}")
        raw = change(mutator, name)
        result[outcome(mutator, path, raw)] += 1
        if way == "tree":
            restored(mutator, raw)
    print(seeds.SEED, name, way, result)
    assert result["refused"] and result["loaded"], result

# SPDX-License-Identifier: Apache-2.0
"""Policies changed at random: each is read, or refused in good words."""

import contextlib
import json
import re
from pathlib import Path

import pytest

from nova_vhard.common import source
from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document
from nova_vhard.policy.model import Policy
from tests import seeds
from tests.fuzz import policy_texts
from tests.fuzz.mutate import Mutator, patience, tried

#: What a JSON schema calls things, and an operator does not.
SCHEMA_WORDS = re.compile(
    r"(must be|not an?) (object|array|string|boolean|null|None)\b"
)
DOCUMENTS = seeds.examples(480)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a path for a policy, beside one that extends it."""
    above = 'version: "1"\nextends: policy.yaml\nmode: warn\n'
    (tmp_path / "above.yaml").write_text(above)
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
        text = str(error)
        assert len(text) < 64 * 1024, mutator.name
        assert text.isprintable(), (mutator.name, text)
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
    try:
        data = json.loads(raw)
    except ValueError:
        return
    with contextlib.suppress(PolicyError):
        document.restore(data, "copy.json", "99")


@pytest.mark.parametrize("name", document.SHIPPED)
@pytest.mark.parametrize("way", ["tree", "text"])
def test_fuzz_of_policies(path: Path, name: str, way: str) -> None:
    """A quarter of the documents: one policy, one way to change it."""
    change = getattr(policy_texts, f"changed_{way}")

    def outcome(mutator: Mutator) -> str:
        raw = change(mutator, name)
        with patience():
            if way == "tree":
                restored(raw)
            return loaded(mutator, path, raw)

    assert len(tried(outcome, DOCUMENTS // 4, f"{name}/{way}/")) == 2

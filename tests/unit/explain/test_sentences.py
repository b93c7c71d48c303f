# SPDX-License-Identifier: Apache-2.0
"""Refusals and fixes, word for word: see sentences.py."""

import pytest
import yaml

from nova_vhard.common.text import MESSAGE_LIMIT
from nova_vhard.explain import messages
from tests.unit.explain import sentences

GOLDEN = yaml.safe_load(sentences.FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def now():
    return sentences.sentences()


def test_every_case_has_a_sentence(now):
    assert list(now) == list(GOLDEN)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_a_sentence(name, now):
    assert now.get(name) == GOLDEN[name]


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_what_is_true_of_each(name):
    text = GOLDEN[name]
    assert text.isprintable()
    assert "…" not in text or not text.startswith(messages.OPENING)
    assert len(text.encode()) <= MESSAGE_LIMIT
    # each backtick is of a command, and each command is whole
    commands = text.partition(messages.TO_FIX)[2].split("`")[1::2]
    assert all(
        word.startswith(("openstack ", "--property ")) for word in commands
    )

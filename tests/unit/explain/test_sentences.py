# SPDX-License-Identifier: Apache-2.0
"""Refusals and fixes, word for word: see sentences.py."""

import pytest
import yaml

from nova_vhard.common.text import MESSAGE_LIMIT
from nova_vhard.explain import messages
from tests.unit.explain import sentences

GOLDEN = yaml.safe_load(sentences.FILE.read_text(encoding="utf-8"))
NOW = sentences.sentences()


@pytest.mark.parametrize("name", sorted({*GOLDEN, *NOW}))
def test_a_sentence(name):
    assert NOW.get(name) == GOLDEN.get(name)


@pytest.mark.parametrize("name", sorted(NOW))
def test_what_is_true_of_each(name):
    text = NOW[name]
    assert text.isprintable()
    assert "…" not in text or not text.startswith(messages.OPENING)
    assert len(text.encode()) <= MESSAGE_LIMIT
    # each backtick is of a command, and each command is whole
    commands = text.partition(messages.TO_FIX)[2].split("`")[1::2]
    assert all(
        word.startswith(("openstack ", "--property ")) for word in commands
    )

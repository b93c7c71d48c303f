# SPDX-License-Identifier: Apache-2.0
"""Refusals and fixes, compared word for word; see sentences.py."""

import pytest
import yaml

from nova_vhard.common.text import MESSAGE_LIMIT
from nova_vhard.explain import messages
from tests.unit.explain import sentences

GOLDEN = yaml.safe_load(sentences.FILE.read_text(encoding="utf-8"))
CASES = sentences.cases()


def test_each_case_is_in_the_file():
    assert list(CASES) == list(GOLDEN)


@pytest.mark.parametrize("name", CASES)
def test_a_sentence(name):
    text = CASES[name]()
    assert text == GOLDEN[name]
    assert text.isprintable()
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert len(text.encode()) <= MESSAGE_LIMIT
    # each backtick is of a command, and each command is whole
    commands = text.partition(messages.TO_FIX)[2].split("`")[1::2]
    assert all(
        word.startswith(("openstack ", "--property ")) for word in commands
    )

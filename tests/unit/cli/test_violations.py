# SPDX-License-Identifier: Apache-2.0
"""A fix in a table: text for users, and changes as data for programs."""

import json

import pytest

from nova_vhard.osc.violations import FixCell

CHANGES = [{"place": "image", "id": "a\nb", "property": "x", "value": None}]


def test_it_is_words_and_clean_data():
    cell = FixCell("run\n`ls`", CHANGES)
    assert str(cell) == "run `ls`"
    assert cell.machine_readable() == {
        "text": "run `ls`",
        "changes": [{**CHANGES[0], "id": "a b"}],
    }
    assert json.loads(json.dumps(cell.machine_readable()))


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("", "a")])
def test_it_is_sorted_by_its_words(one, other):
    assert FixCell(one, CHANGES) < FixCell(other)
    assert not FixCell(other) < FixCell(one, CHANGES)

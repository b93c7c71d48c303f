# SPDX-License-Identifier: Apache-2.0
"""YAML as plain data: the parsed values, and the place of each fault.

The sentences are in the golden file of ``test_policy_faults.py``.
"""

import pytest
import yaml

from nova_vhard.common import yaml_lines

# The first is there if PyYAML was built with libyaml.
LOADERS = [
    getattr(yaml, name)
    for name in ("CSafeLoader", "SafeLoader")
    if hasattr(yaml, name)
]
DEEPEST = yaml_lines.MAX_DEPTH


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def reported(request, monkeypatch):
    """Return a function that parses a text into data and fault places."""
    monkeypatch.setattr(yaml_lines, "_LOADER", request.param)

    def read(text):
        faults = []
        data, _ = yaml_lines.read(text, lambda *fault: faults.append(fault))
        assert all(message for *_, message in faults)
        return data, [(line, path) for line, path, _ in faults]

    return read


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None),
        ("# nothing\n", None),
        (
            "a:\nb: ~\nc: null\nd: ''\n",
            {"a": None, "b": None, "c": None, "d": ""},
        ),
        ("[yes, On, TRUE, no, Off, FALSE]", [True] * 3 + [False] * 3),
        ("['yes', y, nO]", ["yes", "y", "nO"]),
        (
            "[00123, 0x1f, 1e10, 1.50, 2027-01-01]",
            ["00123", "0x1f", "1e10", "1.50", "2027-01-01"],
        ),
        ("[=, '<<', <<]", ["=", "<<", "<<"]),
        ("yes: b\n1: c\n", {"yes": "b", "1": "c"}),
        ("'<<': a\n", {"<<": "a"}),
        (
            "[!!str 1, !!int 1, ! b, !!bool Yes, !!null x]",
            ["1", "1", "b", True, None],
        ),
        ("a: !!seq [b]\nc: !!map {d: e}\n", {"a": ["b"], "c": {"d": "e"}}),
        ("[" * DEEPEST + "]" * DEEPEST, None),
    ],
)
def test_data(reported, text, data):
    found, places = reported(text)
    assert places == []
    if data is not None or not text.startswith("["):
        assert found == data


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a: b\nc: [\n", [3]),
        ("a: 'b", [1]),
        ("a: b\n--- \nc: d\n", [2]),
        ("a: !x!y b\n", [1]),
        # every anchor and alias
        ("a: [b, &c d]\ne: *c\nf: &g h\n", [1, 2, 3]),
        ("a: &a [*a]\n", [1, 1]),
        ("? &a b\n: c\n*a : d\n", [1, 3]),
        ("a:\n  " + "[" * DEEPEST + "]" * DEEPEST, [2]),
        ("- " * (DEEPEST + 1), [1]),
        # What is as deep as it may be does not end the search.
        ("[" * DEEPEST + "&a x,\n&b y" + "]" * DEEPEST, [1, 2]),
        ("a:\n  " + "[" * (DEEPEST + 3) + "]" * (DEEPEST + 3), [2]),
        ("a:\n  - b\n - c\n", [3]),
        ("a:\n    b: c\n   d: e\n", [3]),
        ("a: b\n\tc: d\n", [2]),
        ("a: b\x85\tc: d\n", [2]),
        ("a: ä\nb: \x07\nc: \x07\n", [2]),
        ("\n\n\n\x07", [4]),
    ],
)
def test_what_cannot_be_parsed(reported, text, places):
    data, found = reported(text)
    assert data is None
    assert found == [(line, ()) for line in places]


@pytest.mark.parametrize(
    ("text", "data", "places"),
    [
        ("a: b\na: c\na: d\n", {"a": "d"}, [(2, ("a",)), (3, ("a",))]),
        ("- {a: b, a: c}\n", [{"a": "c"}], [(1, (0, "a"))]),
        ("a:\n  ? [b]\n  : c\n", {"a": {}}, [(2, ("a",))]),
        ("? {b: c}\n: d\ne: f\n", {"e": "f"}, [(1, ())]),
        ("a:\n  <<: {b: c}\n", {"a": {"<<": {"b": "c"}}}, [(2, ("a",))]),
        ("a: !!bool treu\n", {"a": False}, [(1, ("a",))]),
        ("a: !!bool ''\n", {"a": False}, [(1, ("a",))]),
        ("a: b\nc: !!python/none d\n", {"a": "b", "c": "d"}, [(2, ("c",))]),
        (
            "a: !!binary b\nc: !d e\n",
            {"a": "b", "c": "e"},
            [(1, ("a",)), (2, ("c",))],
        ),
        (
            "- !!set {d}\n- !mine [d]\n",
            [{"d": None}, ["d"]],
            [(1, (0,)), (2, (1,))],
        ),
        ("- !!str [d]\n- !!map d\n", [["d"], "d"], [(1, (0,)), (2, (1,))]),
    ],
)
def test_what_is_parsed_with_a_fault(reported, text, data, places):
    assert reported(text) == (data, places)


def test_lines(reported):
    text = "\na: b\nc:\n  - d\n  - e:\n      f\ng:\n  h: i\n"
    _, lines = yaml_lines.read(text, print)
    wanted = {
        (): 2,
        ("a",): 2,
        ("c",): 3,
        ("c", 0): 4,
        ("c", 1): 5,
        ("c", 1, "e"): 5,
        ("g",): 7,
        ("g", "h"): 8,
        # missing: the next around it
        ("g", "x", "y"): 7,
        ("c", 2): 3,
        ("x",): 2,
    }
    assert {path: lines.of(path) for path in wanted} == wanted
    assert yaml_lines.Lines({}).of(("a",)) == 1

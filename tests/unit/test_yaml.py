# SPDX-License-Identifier: Apache-2.0
"""YAML that is refused or reported: the line, the place and the sentence."""

import re

import pytest
import yaml

from nova_vhard.common import yaml_lines, yaml_tree

#: What they call such a character; the one counts bytes to it, the other
#: characters. The first is there where PyYAML was built with libyaml.
LOADERS = {
    name: kind
    for name, kind in {
        "CSafeLoader": "control",
        "SafeLoader": "special",
    }.items()
    if hasattr(yaml, name)
}


def reported(text, **limits):
    """Return what a text comes to, and its faults."""
    faults = []
    data, _ = yaml_lines.read(
        text, lambda *fault: faults.append(fault), **limits
    )
    return data, faults


@pytest.mark.parametrize(
    ("text", "line", "path", "message"),
    [
        ("a: [\n", 2, (), "not YAML: did not find expected node content"),
        ("a: b\n--- \nc: d\n", 2, (), "a second document begins here"),
        ("a:\n  ? [b]\n  : c\n", 2, ("a",), "a key must be a word"),
        ("? {b: c}\n: d\n", 1, (), "a key must be a word"),
        ("a:\n  <<: {b: c}\n", 2, ("a",), "merge keys (<<) are not supported"),
        (
            "a: [b, &c d]\n",
            1,
            ("a", 1),
            "anchor &c is not supported; write the value out",
        ),
        (
            "a: [b, *c]\n",
            1,
            ("a", 1),
            "alias *c is not supported; write the value out",
        ),
        (
            f"a:\n {'[' * yaml_tree.MAX_DEPTH}",
            2,
            ("a", *[0] * (yaml_tree.MAX_DEPTH - 1)),
            "is nested deeper than 32 levels",
        ),
    ],
)
def test_what_is_the_end(text, line, path, message):
    assert reported(text) == (None, [(line, path, message)])


TAB = "not YAML: a tab is in the indentation: indent with spaces"
OTHERWISE = (
    "not YAML: the line is indented otherwise than the lines it belongs to: "
    "give them the same number of spaces"
)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: c\n", TAB),
        ("a:\n  \tb: c\n", TAB),
        ("a: b\n\tc: d\n", TAB),
        ("a: >\n\tb\n", TAB),
        ("a:\n\t- b\n", TAB),
        ("a: b\x85\tc: d\n", TAB),
        ("a:\n    b: c\n   d: e\n", OTHERWISE),
        ("a:\n  - b\n - c\n", OTHERWISE),
        ("a:\n  - b: c\n   d: e\n", OTHERWISE),
        # Not certain: the rest of a value, a kind of its own, another fault.
        ('a: "b"\n  "c"\n', None),
        ('a: "b"\n  c\n', None),
        ("a: b\n- c\n", None),
        ("a:\n  - b\n  c: d\n", None),
        ("a: b\n c: d\n", None),
        ("a: [\n  @b]\n", None),
        ("a: {b: c\n  d: e\n", None),
        ("a: \t@b\n", None),
        ("a: 'b' c\n", None),
        ("a: 'b", None),
    ],
)
def test_what_is_indented_wrongly_says_so(monkeypatch, loader, text, message):
    monkeypatch.setattr(yaml_lines, "_LOADER", getattr(yaml, loader))
    data, ((_, path, stated),) = reported(text)
    assert (data, path) == (None, ())
    assert (stated if message else stated in (TAB, OTHERWISE)) == (
        message or False
    )


def test_what_is_refused_says_so():
    builder = yaml_tree.TreeBuilder(lambda *_: None)
    text = "alias *c is not supported; write the value out"
    with pytest.raises(yaml_tree.Refused, match=f"^{re.escape(text)}$"):
        for event in yaml.parse("a: *c\n"):
            builder.take(event)


@pytest.mark.parametrize(
    ("text", "data", "path", "message"),
    [
        ("a: b\na: c\n", {"a": "c"}, ("a",), "stands here twice"),
        (
            "a: b\nc: !!python/none d\n",
            {"a": "b", "c": "d"},
            ("c",),
            "tag tag:yaml.org,2002:python/none is not supported",
        ),
        (
            "a: b\nc: !!set {d}\n",
            {"a": "b", "c": {"d": None}},
            ("c",),
            "tag tag:yaml.org,2002:set is not supported",
        ),
        (
            "- b\n- !mine [d]\n",
            ["b", ["d"]],
            (1,),
            "tag !mine is not supported",
        ),
    ],
)
def test_what_is_not_the_end(text, data, path, message):
    assert reported(text) == (data, [(2, path, message)])


@pytest.mark.parametrize(
    "text", ["'<<': a\n", "a: !!str b\n", "a: !!seq [b]\n", "a: ! b\n"]
)
def test_what_is_no_fault(text):
    data, faults = reported(text)
    assert data
    assert faults == []


@pytest.mark.parametrize(
    ("word", "value"), [("Yes", True), ("on", True), ("NO", False)]
)
def test_a_word_that_is_tagged_as_true_or_false(word, value):
    assert reported(f"a: !!bool {word}\n") == ({"a": value}, [])


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("before", "line"), [("", 1), ("a: b\n", 2), ("ää\n", 2), ("\n\n\n", 4)]
)
def test_a_character_that_is_not_allowed(monkeypatch, loader, before, line):
    monkeypatch.setattr(yaml_lines, "_LOADER", getattr(yaml, loader))
    message = (
        f"not YAML: unacceptable character #x0007: {LOADERS[loader]} "
        "characters are not allowed"
    )
    text = f"{before}\x07\n\n\n"
    assert reported(text) == (None, [(line, (), message)])


def test_half_a_character():
    message = (
        "not YAML: 'utf-8' codec can't encode character '\\ud800' in position "
        "8: surrogates not allowed"
    )
    assert reported("a: b\nc: \ud800") == (None, [(1, (), message)])


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RecursionError("deep\ndown"), "not YAML: deep"),
        (RecursionError(), "not YAML: RecursionError"),
        (yaml.YAMLError("no parser error"), "not YAML: no parser error"),
        (yaml.MarkedYAMLError(problem="odd"), "not YAML: odd"),
    ],
)
def test_a_fault_without_a_place(monkeypatch, error, message):
    def fails(*_arguments, **_options):
        raise error

    monkeypatch.setattr(yaml, "parse", fails)
    assert reported("a: b\n") == (None, [(1, (), message)])


@pytest.mark.parametrize(
    "text", ["a: b\nc: d\n", "a: [b, c]\n", "a: {b: c}\n"]
)
def test_as_many_keys_and_values_as_there_may_be(text):
    nodes = 5
    data, faults = reported(text, most=nodes)
    assert data
    assert faults == []
    data, faults = reported(text, most=nodes - 1)
    assert data is None
    ((_, _, message),) = faults
    assert message == "the file has more than 4 keys and values"


def test_where_there_are_too_many():
    data, faults = reported("a: [b,\nc,\nd]\n", most=4)
    message = "the file has more than 4 keys and values"
    assert (data, faults) == (None, [(2, ("a", 1), message)])


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a", "b"), 5),
        (("a", "b", 0), 5),
        (("a", "b", 0, "c"), 5),
        (("a", "c"), 3),
    ],
)
def test_what_has_no_line_stands_where_the_next_around_it_does(path, line):
    lines = yaml_lines.Lines({("a",): 3, ("a", "b"): 5})
    assert lines.of(path) == line


@pytest.mark.parametrize("word", ["treu", "''", "1"])
def test_a_word_that_is_tagged_and_is_neither(word):
    _, faults = reported(f"a: !!bool {word}\n")
    (fault,) = faults
    assert fault[:2] == (1, ("a",))
    assert "is neither true nor false" in fault[2]

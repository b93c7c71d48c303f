# SPDX-License-Identifier: Apache-2.0
"""XML of others: what is read, and how much of it."""

import pytest

from nova_vhard.common import xml


@pytest.mark.parametrize(
    "text",
    [
        "<a b='ä'><c/>d</a>",
        b"<a b='\xc3\xa4'/>",
        "<?xml version='1.0' encoding='utf-8'?><a b='ä'/>",
        b"<a b='\xc3\xa4'>\n</a>\n",
    ],
)
def test_a_document(text):
    root = xml.parse(text)
    assert (root.tag, root.get("b")) == ("a", "ä")


@pytest.mark.parametrize(
    ("text", "most", "deepest", "message"),
    [
        ("<a><b/><c/></a>", 3, 2, None),
        ("<a>" + " " * 93 + "</a>", 3, 2, None),
        ("<a>" + " " * 94 + "</a>", 3, 2, "larger than 100 bytes"),
        ("<a><b/><c/></a>", 2, 2, "more than 2 elements"),
        ("<a><b/><c/></a>", 3, 1, "more than 1 elements in each other"),
        ("<a><b/><c><d/></c><e/></a>", 5, 3, None),
        (
            "<a><b><c/><d><e/></d></b></a>",
            9,
            3,
            "more than 3 elements in each other",
        ),
        (
            "<a><b/><c><d/></c></a>",
            9,
            2,
            "more than 2 elements in each other",
        ),
    ],
)
def test_elements_are_counted(monkeypatch, text, most, deepest, message):
    monkeypatch.setattr(xml, "MAX_ELEMENTS", most)
    monkeypatch.setattr(xml, "MAX_DEPTH", deepest)
    monkeypatch.setattr(xml, "MAX_SIZE", 100)
    if message is None:
        assert xml.parse(text).tag == "a"
    else:
        with pytest.raises(xml.XmlError) as caught:
            xml.parse(text)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "<!DOCTYPE a><a/>",
            "a document type, in which entities are declared",
        ),
        (b"<a>\xff</a>", "not UTF-8: invalid start byte"),
        ("<a>", "not XML: no element found: line 1, column 3"),
        ("", "not XML: no element found: line 1, column 0"),
    ],
)
def test_what_is_refused_says_why(text, message):
    with pytest.raises(xml.XmlError) as caught:
        xml.parse(text)
    assert str(caught.value) == message

# SPDX-License-Identifier: Apache-2.0
"""Edited documents, as the readers of a request see them."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from nova_vhard.explain.draft import Draft, NotAnswered
from nova_vhard.policy.hardware import BLOCK_DEVICE, IMAGE, NOBODY, STORED
from nova_vhard.policy.subject import ATTACH, BOOT, Subject
from nova_vhard.request.lookups import Flavor, Image, NotFound, Server
from tests.unit.explain.requests import FOREIGN, OWN

WHO = Subject(BOOT, "p1")
PLACE = (IMAGE, OWN)
COPY = (IMAGE, FOREIGN)
BEFORE = {"a": "1", "c": "1"}
AFTER = {"a": "2", "b": "2"}


def edited(document, edits, before=None, place=PLACE):
    """Return a document with these edits, as a draft returns it."""
    named = {(place, name): value for name, value in edits.items()}
    return Draft(WHO, named).of(*place, document, before)


@pytest.mark.parametrize(
    ("document", "edits", "result"),
    [
        ({"a": "1"}, {"a": "2", "b": "3"}, {"a": "2", "b": "3"}),
        ({"a": "1", "b": "2"}, {"a": None, "c": None}, {"b": "2"}),
        # a list as text, and as a list
        ({"a": "[{}, {}]"}, {"a[1].b": "c"}, {"a": '[{}, {"b": "c"}]'}),
        ({"a": [{}, {"b": "d"}]}, {"a[1].b": "c"}, {"a": [{}, {"b": "c"}]}),
        ({"a": [{"b": "d", "e": 1}]}, {"a[0].b": None}, {"a": [{"e": 1}]}),
        ({"a": (None, 5)}, {"a[1]": None}, {"a": [None, {}]}),
    ],
)
def test_a_document(document, edits, result):
    kept = repr(document)
    assert edited(document, edits) == result
    assert repr(document) == kept


def test_another_document_is_not_edited():
    draft = Draft(WHO, {(PLACE, "a"): "2"})
    for place in ((IMAGE, FOREIGN), ("volume", OWN), (IMAGE, NOBODY)):
        assert draft.of(*place, {"a": "1"}) == {"a": "1"}
    assert len(draft.documents) == 3


COUNT = {"hw_serial_port_count": "2"}
DISK = {"hw_disk_bus": "virtio"}
WHOLE = {"hw_pmu": "true", "x": "1", "mappings": "[{}]"}


@pytest.mark.parametrize(
    ("document", "edits", "before", "place", "result"),
    [
        # a change: what is not changed is as it was
        (AFTER, {}, BEFORE, PLACE, AFTER),
        (AFTER, {"a": None}, BEFORE, PLACE, {"a": "1", "b": "2"}),
        (AFTER, {"b": None}, BEFORE, PLACE, {"a": "2"}),
        (AFTER, {"c": None}, BEFORE, PLACE, {**AFTER, "c": "1"}),
        (AFTER, {"a": "3"}, BEFORE, PLACE, {"a": "3", "b": "2"}),
        # a copy has only what a command gives it
        (WHOLE, {}, None, COPY, WHOLE),
        (WHOLE, DISK, None, COPY, {"hw_pmu": "true", **DISK}),
        (
            WHOLE,
            {"mappings[0].disk_bus": "virtio"},
            None,
            COPY,
            {"hw_pmu": "true"},
        ),
        (WHOLE, {"hw_pmu": None}, None, COPY, {}),
        # and only values that a shell takes
        ({"hw_serial_port_count": "a b"}, DISK, None, COPY, DISK),
        ({"hw_serial_port_count": "$(x)"}, DISK, None, COPY, DISK),
        ({"hw_serial_port_count": 2}, DISK, None, COPY, {**DISK, **COUNT}),
    ],
)
def test_a_change_or_a_copy(document, edits, before, place, result):
    assert edited(document, edits, before, place) == result


@pytest.mark.parametrize(
    ("edits", "touched"),
    [
        ({}, {"a", "b"}),
        ({"a": None}, {"b"}),
        ({"a": "1", "c": "2"}, {"a", "b", "c"}),
        ({"d": None}, {"a", "b"}),
    ],
)
def test_what_a_change_touches(edits, touched):
    named = {(PLACE, name): value for name, value in edits.items()}
    assert Draft(WHO, named).touched(frozenset("ab")) == touched


def test_an_answer_is_edited_and_kept():
    asked = []

    def find(name, answer):
        def look_up(*_args):
            asked.append(name)
            return answer

        return look_up

    server = Server("s1", properties={"a": "1"})
    lookups = SimpleNamespace(
        image=find("image", Image({"a": "1"}, holder=OWN)),
        flavor=find("flavor", Flavor(extra_specs={"a": "1"})),
        boot_files=find("files", iter([Image({"a": "1"}, holder=FOREIGN)])),
        server=find("server", server),
        port=find("port", {"a": "1"}),
        own_image=find("own", None),
    )
    answers = {}
    flavor = ("flavor", NOBODY)
    for value in ("2", "3"):
        edits = {(place, "a"): value for place in (PLACE, flavor)}
        edits[(IMAGE, STORED), "hw_disk_bus"] = "ide"
        again = Draft(WHO, edits, answers).lookups(lookups)
        assert again.image("0ef1").properties == {"a": value}
        assert again.flavor("1").extra_specs == {"a": value}
        (file,) = again.boot_files({}, Image())
        assert file.properties == {"a": "1"}
        # a draft does not edit a server, except for added devices
        assert again.server("s1") == server
        attach = Draft(replace(WHO, operation=ATTACH), edits, answers)
        (choice,) = attach.lookups(lookups).server("s1").hardware.choices
        assert choice.value == "ide"
        # a draft does not edit these
        assert again.port("p") == {"a": "1"}
        assert again.own_image(server) is None
    assert asked == ["image", "flavor", "files", "server", "port", "own"]
    assert again.image("another") is not None
    assert asked[-1] == "image"


def test_a_server_without_edits_is_itself():
    server = Server("s1", properties={"a": "1"})
    lookups = SimpleNamespace(server=lambda _id: server)
    assert Draft(WHO).lookups(lookups).server("s1") is server


def test_what_is_not_found_ends_the_search():
    def image(_id):
        raise NotFound("gone")

    lookups = SimpleNamespace(image=image)
    with pytest.raises(NotAnswered):
        Draft(WHO).lookups(lookups).image("1")


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ({"server": {"a": []}}, {"server": {"a": [], "b": "c"}}),
        ({"rescue": {}}, {"rescue": {}}),
        ({"server": None}, {"server": None}),
        ({"server": 1}, {"server": 1}),
        (None, None),
        ("x", "x"),
    ],
)
def test_a_body(body, result):
    draft = Draft(WHO, {((BLOCK_DEVICE, NOBODY), "b"): "c"})
    assert draft.lookups(None).body(body) == result

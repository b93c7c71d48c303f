# SPDX-License-Identifier: Apache-2.0
"""Images page by page, and answers of Glance that make no sense."""

import urllib.parse
from types import SimpleNamespace

import pytest

from nova_vhard.osc.image import selection
from nova_vhard.osc.image.changes import ERRORS


class Glance:
    """Answers with pages, one after the other.

    :ivar asked: queries
    """

    def __init__(self, *bodies):
        self.asked = []
        self._bodies = list(bodies)
        self.http_client = self

    def get(self, path):
        where, _, query = path.partition("?")
        assert where == "/v2/images"
        self.asked.append(dict(urllib.parse.parse_qsl(query)))
        return SimpleNamespace(status_code=200), self._bodies.pop(0)


def page(*ids, **more):
    return {"images": [{"id": each} for each in ids], **more}


def test_all_pages_of_visible_and_hidden_images():
    elsewhere = "http://elsewhere/v2/images?marker=x"
    glance = Glance(page("a", "b", next=elsewhere), page("c"), page("d"))
    listed = selection.listed(glance, {"owner": "p & q", "visibility": "x"})
    assert [image["id"] for image in listed] == ["a", "b", "c", "d"]
    seen = {"owner": "p & q", "visibility": "x", "limit": "500"}
    assert glance.asked == [
        {**seen, "os_hidden": "false"},
        # What follows is asked for by what was seen, of the same Glance.
        {**seen, "os_hidden": "false", "marker": "b"},
        {**seen, "os_hidden": "true"},
    ]


def test_a_last_page_that_is_empty_ends_it():
    glance = Glance(page("a", next="/n"), page(next="/n"), page())
    assert [image["id"] for image in selection.listed(glance, {})] == ["a"]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"images": None},
        {"images": {"id": "a"}},
        {"images": ["a"]},
        {"images": [{"name": "a"}]},
        {"images": [{"id": 7}]},
    ],
)
def test_what_is_no_list_of_images_is_an_error(body):
    with pytest.raises(ERRORS, match="no images in the answer"):
        list(selection.listed(Glance(body), {}))

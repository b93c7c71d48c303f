# SPDX-License-Identifier: Apache-2.0
"""Images and volumes of servers are fetched once and cached with a limit."""

from types import SimpleNamespace

import pytest
from openstack import exceptions

from nova_vhard.osc import paging
from nova_vhard.osc.server import sources as server_sources
from nova_vhard.osc.server.sources import Sources


class Glance:
    def __init__(self):
        self.asked = []

    def get(self, image_id):
        self.asked.append(image_id)
        return {"id": image_id, "disk_format": "iso"}


class Proxy:
    """A service whose answers are given; keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def get(self, path, params, microversion):
        self.asked.append((path, params))
        body = self.answers.pop(0)
        return SimpleNamespace(status_code=200, json=lambda: body)


def test_an_image_is_asked_for_once():
    glance = Glance()
    sources = Sources(SimpleNamespace(images=glance), None)
    result = [sources.image("a"), sources.image("b"), sources.image("a")]
    assert glance.asked == ["a", "b"]
    assert result[0] is result[2]
    assert result[0].value.disk_format == "iso"


def test_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr(server_sources, "_KEPT", 2)
    glance = Glance()
    sources = Sources(SimpleNamespace(images=glance), None)
    for image in ("a", "b", "a", "c", "a", "b"):
        sources.image(image)
    assert glance.asked == ["a", "b", "c", "b"]


def test_a_listing_page_by_page():
    more = [{"rel": "next", "href": "http://behind-a-proxy.invalid"}]
    proxy = Proxy(
        {"ports": [{"id": "1"}, {"id": "2"}], "ports_links": more},
        {"ports": [{"id": "3"}], "ports_links": []},
    )
    result = list(paging.pages(proxy, "/ports", "ports", [("x", "y")]))
    assert [[each["id"] for each in page] for page in result] == [
        ["1", "2"],
        ["3"],
    ]
    assert proxy.asked == [
        ("/ports", [("x", "y")]),
        ("/ports", [("x", "y"), ("marker", "2")]),
    ]


@pytest.mark.parametrize("body", [{}, {"ports": None}, []])
def test_an_answer_that_makes_no_sense(body):
    with pytest.raises(exceptions.SDKException, match="/ports"):
        list(paging.pages(Proxy(body), "/ports", "ports"))

# SPDX-License-Identifier: Apache-2.0
"""``_method`` in the query string replaces a method behind the gate.

Routes does that, in Glance as in Nova: a gate that looks at the method of
the request would not see a POST or a PATCH.
"""

import pytest

from tests.functional.glance.wire import User, create, update


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/images?_method=POST"),
        ("PUT", "/v2/images?_method=POST"),
        ("GET", "/v2/images?_method=post"),
        ("DELETE", "/v2/images?a=b&_method=POST"),
        ("HEAD", "/v2//images?_method=POST&_method=POST"),
        ("PUT", "/v2.9/images?_method=POST"),
        ("PUT", "/v2/images?%5Fmethod=POST&a=_method"),
        ("PUT", "/v2/images?a=_method&_meth%6Fd=POST"),
    ],
)
def test_method_override_is_refused_on_create(
    gated: User, plain: User, method: str, path: str
) -> None:
    # given
    wire = create({"hw_disk_bus": "ide"}, method=method, path=path)
    # when
    response = gated.send(wire)
    # then
    assert response.status_int == 400
    assert plain.images() == []
    # and Glance alone would have obeyed
    assert plain.send(wire).status_int == 201


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
def test_method_override_is_refused_on_update(
    gated: User, plain: User, method: str
) -> None:
    # given
    image = plain.create().json
    wire = update(
        {"op": "add", "path": "/hw_disk_bus", "value": "ide"},
        method=method,
        path="/v2/images/{id}?_method=PATCH",
    ).about(image["id"])
    # when
    response = gated.send(wire)
    # then
    assert response.status_int == 400
    assert plain.image(image["id"]) == image
    # and Glance alone would have obeyed
    assert plain.send(wire).status_int == 200


@pytest.mark.parametrize("query", ["%5Fmethod=POST", "x_method=POST"])
def test_other_spellings_override_nothing(
    gated: User, plain: User, query: str
) -> None:
    # given
    wire = create(
        {"hw_disk_bus": "ide"}, method="PUT", path=f"/v2/images?{query}"
    )
    # when
    gated.send(wire)
    plain.send(wire)
    # then
    assert plain.images() == []

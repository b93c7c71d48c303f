# SPDX-License-Identifier: Apache-2.0
"""No way of writing a request gets a refused device past the gate.

Each request is sent twice: plain Glance stores what it asks for, so that it
is a way past a gate that reads it otherwise; with the gate nothing is stored.
"""

import pytest

from tests.functional.glance.encodings import CREATE, UPDATE, Stored
from tests.functional.glance.wire import User


@pytest.mark.parametrize("case", CREATE.values(), ids=CREATE.keys())
def test_create_is_refused(gated: User, plain: User, case: Stored) -> None:
    # when
    response = gated.send(case.wire)
    # then
    assert response.status_int == 403, response.text
    assert "not allowed" in response.json["forbidden"]["message"]
    assert plain.images() == []
    # and plain Glance creates it
    response = plain.send(case.wire)
    assert response.status_int == 201, response.text
    assert [image[case.name] for image in plain.images()] == [case.value]


@pytest.mark.parametrize("case", UPDATE.values(), ids=UPDATE.keys())
def test_update_is_refused(gated: User, plain: User, case: Stored) -> None:
    # given
    before = plain.create().json
    wire = case.wire.about(before["id"])
    # when
    response = gated.send(wire)
    # then
    assert response.status_int == 403, response.text
    assert "not allowed" in response.json["forbidden"]["message"]
    assert plain.image(before["id"]) == before
    # and plain Glance makes the change
    response = plain.send(wire)
    assert response.status_int == 200, response.text
    assert plain.image(before["id"])[case.name] == case.value

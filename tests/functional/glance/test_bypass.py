# SPDX-License-Identifier: Apache-2.0
"""No way of writing a request gets a refused device past the gate.

Each request is sent twice: plain Glance stores what it asks for, so that it
is a way past a gate that reads it otherwise; with the gate nothing is stored.
"""

import pytest

from tests.functional.glance.encodings import CREATE, UPDATE, Stored
from tests.functional.glance.wire import User

creations = pytest.mark.parametrize("case", CREATE.values(), ids=CREATE.keys())
updates = pytest.mark.parametrize("case", UPDATE.values(), ids=UPDATE.keys())


@creations
def test_plain_glance_creates_it(plain: User, case: Stored) -> None:
    # when
    response = plain.send(case.wire)
    # then
    assert response.status_int == 201, response.text
    assert [image[case.name] for image in plain.images()] == [case.value]


@creations
def test_create_is_refused(gated: User, plain: User, case: Stored) -> None:
    # when
    response = gated.send(case.wire)
    # then
    assert response.status_int == 403, response.text
    assert "not allowed" in response.json["forbidden"]["message"]
    assert plain.images() == []


@updates
def test_plain_glance_updates_it(plain: User, case: Stored) -> None:
    # given
    image = plain.create().json["id"]
    # when
    response = plain.send(case.wire.about(image))
    # then
    assert response.status_int == 200, response.text
    assert plain.image(image)[case.name] == case.value


@updates
def test_update_is_refused(gated: User, plain: User, case: Stored) -> None:
    # given
    before = plain.create().json
    # when
    response = gated.send(case.wire.about(before["id"]))
    # then
    assert response.status_int == 403, response.text
    assert "not allowed" in response.json["forbidden"]["message"]
    assert plain.image(before["id"]) == before

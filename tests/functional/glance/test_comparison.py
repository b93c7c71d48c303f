# SPDX-License-Identifier: Apache-2.0
"""The gate's result of a PATCH equals the image that Glance stores."""

import pytest

from tests.functional.glance import encodings
from tests.functional.glance.changes import ACCEPTED, REFUSED
from tests.functional.glance.wire import User, Wire, update

ENCODED = {
    f"encoding: {name}": ({}, case.wire)
    for name, case in encodings.UPDATE.items()
}
CHANGES = {
    name: (change.stored, update(*change.operations))
    for name, change in (ACCEPTED | REFUSED).items()
}
CASES = ENCODED | CHANGES


@pytest.mark.parametrize(
    ("properties", "wire"), CASES.values(), ids=CASES.keys()
)
def test_the_image_after_a_patch(
    plain: User, properties: dict[str, str], wire: Wire
) -> None:
    # given
    from glance.api.v2.images import RequestDeserializer
    from glance.common.wsgi import Request

    from nova_vhard.gates.glance_api import changed

    before = plain.create(**properties).json
    parsed = RequestDeserializer().update(Request(wire.environ()))
    # when
    expected = changed(before, parsed["changes"])
    response = plain.send(wire.about(before["id"]))
    # then
    assert response.status_int == 200, response.text
    after = plain.image(before["id"])
    assert after | {"updated_at": None} == expected | {"updated_at": None}

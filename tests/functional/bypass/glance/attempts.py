# SPDX-License-Identifier: Apache-2.0
"""One attempt at Glance with the gate, and at Glance as it ships."""

from tests.functional.glance.wire import User, Wire, message


def refused(
    gated: User,
    plain: User,
    wire: Wire,
    name: str = "hw_disk_bus",
    value: str = "ide",
) -> None:
    """Check that a request is refused, and that Glance alone obeys it.

    :param wire: makes an image, or changes one
    :param name: property that is named by the refusal, and stored by Glance
    """
    before = []
    if "{id}" in wire.path:
        before = [plain.create().json]
        wire = wire.about(before[0]["id"])
    assert name in message(gated.send(wire))
    assert plain.images() == before
    response = plain.send(wire)
    assert response.status_int in (200, 201), response.text
    assert [image[name] for image in plain.images()] == [value]

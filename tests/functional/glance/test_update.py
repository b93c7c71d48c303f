# SPDX-License-Identifier: Apache-2.0
"""A PATCH is judged on the image as it would be afterwards.

A change is refused only for the properties that it adds or names: an image
with an old bus can be renamed. A default that a change causes is refused at
the boot.
"""

from typing import Any

import pytest

from nova_vhard.gates import nova_images
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.request.server_request import of_image
from tests.functional.glance.changes import (
    ACCEPTED,
    DEFAULTS,
    REFUSED,
    Change,
)
from tests.functional.glance.wire import User, Wire, add, message
from tests.unit.helpers import TODAY, shipped


@pytest.mark.parametrize("change", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(gated: User, plain: User, change: Change) -> None:
    # given
    image, twin = (plain.create(**change.stored).json["id"] for _ in range(2))
    expected = plain.update(twin, *change.operations)
    assert expected.status_int == 200, expected.text
    # when
    response = gated.update(image, *change.operations)
    # then
    assert response.status_int == 200, response.text
    assert _content(plain.image(image)) == _content(plain.image(twin))


@pytest.mark.parametrize("change", DEFAULTS.values(), ids=DEFAULTS.keys())
def test_a_default_is_refused_at_the_boot(
    gated: User, plain: User, change: Change
) -> None:
    # given
    image = plain.create(**change.stored).json["id"]
    # when
    response = gated.update(image, *change.operations)
    # then
    assert response.status_int == 200, response.text
    read = nova_images.read(plain.image(image))
    boot = of_image(read, Subject(BOOT, project=plain.project))
    refusals = boot.verdict(shipped("baseline"), TODAY).refusals
    assert [rule for each in refusals for rule in each.rules] == change.named


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_refused(gated: User, plain: User, change: Change) -> None:
    # given
    before = plain.create(**change.stored).json
    # when
    response = gated.update(before["id"], *change.operations)
    # then
    text = message(response)
    assert [word for word in change.named if word not in text] == []
    assert [word for word in change.unnamed if word in text] == []
    assert plain.image(before["id"]) == before
    # and Glance without the gate takes it
    response = plain.update(before["id"], *change.operations)
    assert response.status_int == 200, response.text


@pytest.mark.parametrize("name", ["name", "hw_disk_bus"])
def test_an_image_that_is_not_there_is_for_glance_to_miss(
    gated: User, plain: User, name: str
) -> None:
    # given
    stranger = User(plain.app)
    theirs = stranger.create(hw_disk_bus="ide").json["id"]
    gone = plain.create().json["id"]
    plain.send(Wire("DELETE", f"/v2/images/{gone}"))
    # when
    for image in (theirs, gone, "00000000-0000-0000-0000-000000000000", "x"):
        response = gated.update(image, add(f"/{name}", "ide"))
        # then
        assert response.status_int == 404
        assert response.text == plain.update(image, add("/name", "a")).text
    assert stranger.image(theirs)["name"] == "image"


def test_another_projects_public_image_is_for_glance_to_guard(
    gated: User, plain: User
) -> None:
    # given
    admin = User(plain.app, roles="admin,member,reader")
    image = admin.create(visibility="public").json["id"]
    # when
    response = gated.update(image, add("/name", "mine"))
    # then
    assert response.status_int == 403
    assert response.text == plain.update(image, add("/name", "mine")).text


def _content(image: dict[str, Any]) -> dict[str, Any]:
    own = ("id", "self", "file", "created_at", "updated_at")
    return {key: image[key] for key in image if key not in own}

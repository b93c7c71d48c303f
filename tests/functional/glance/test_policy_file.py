# SPDX-License-Identifier: Apache-2.0
"""The policy file under a running Glance: edited, broken, gone."""

from pathlib import Path

import pytest

from tests.functional.glance.conftest import BASELINE, MakeUser
from tests.functional.glance.wire import User, Wire, add, message

BROKEN = BASELINE + "guest_devices: {disk_bus: {allow: [virtoi]}}\n"


@pytest.mark.refused_policy
def test_an_edited_policy_is_obeyed_and_a_broken_one_is_not(
    under: MakeUser, policy_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    user = under("guest_devices: {disk_bus: {allow: [virtio, ide]}}\n")
    assert user.create(hw_disk_bus="ide").status_int == 201
    for text in (BASELINE, BROKEN, ""):
        policy_file.write_text(text)
        # also to a worker that is started now
        for each in (user, under(None)):
            assert message(each.create(hw_disk_bus="ide"))
            assert each.create(hw_disk_bus="virtio").status_int == 201
    errors = [r for r in caplog.records if r.levelname == "ERROR"]
    assert all(str(policy_file) in each.getMessage() for each in errors)
    assert errors
    policy_file.unlink()
    for each in (user, under(None)):
        assert message(each.create(hw_disk_bus="ide"))


@pytest.mark.refused_policy
@pytest.mark.parametrize("text", [None, BROKEN, ""])
def test_without_a_good_policy_only_what_is_judged_stops(
    under: MakeUser, policy_file: Path, plain: User, text: str | None
) -> None:
    # given
    image = plain.create(hw_disk_bus="ide").json
    if text is not None:
        policy_file.write_text(text)
    user = under(None)
    # then
    for response in (
        user.create(name="good"),
        user.update(image["id"], add("/hw_disk_bus", "virtio")),
    ):
        assert response.status_int == 503
        assert "policy" in response.json["serviceUnavailable"]["message"]
    assert plain.images() == [user.image(image["id"])] == [image]
    delete = Wire("DELETE", f"/v2/images/{image['id']}")
    assert user.send(delete).status_int == 204
    # when
    policy_file.write_text(BASELINE)
    # then
    assert user.create(hw_disk_bus="virtio").status_int == 201

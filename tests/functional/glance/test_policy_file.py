# SPDX-License-Identifier: Apache-2.0
"""The policy file under a running Glance: edited, broken, gone."""

import os
from pathlib import Path

import pytest

from tests.functional.glance.conftest import BASELINE, MakeUser
from tests.functional.glance.wire import User, Wire, add, message

BROKEN = {
    "no YAML": "version: [",
    "unknown key": BASELINE + "colour: blue\n",
    "unknown value": BASELINE
    + "guest_devices: {disk_bus: {allow: [virtoi]}}\n",
    "unknown parent": 'version: "1"\nextends: nowhere\n',
    "empty": "",
    "list": "- version\n",
}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Give what is logged from information level on."""
    caplog.set_level("INFO", "nova_vhard")
    return caplog


def test_an_edited_policy_is_obeyed(
    under: MakeUser, policy_file: Path
) -> None:
    # given
    user = under()
    assert message(user.create(hw_disk_bus="ide"))
    # when
    policy_file.write_text(
        BASELINE + "guest_devices: {disk_bus: {allow: [virtio, ide]}}\n"
    )
    # then
    assert user.create(hw_disk_bus="ide").status_int == 201
    # when
    new = policy_file.with_suffix(".new")
    new.write_text(BASELINE)
    os.replace(new, policy_file)
    # then
    assert message(user.create(hw_disk_bus="ide"))


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_policy_leaves_the_last_good_one(
    under: MakeUser,
    policy_file: Path,
    log: pytest.LogCaptureFixture,
    text: str,
) -> None:
    # given
    user = under()
    assert message(user.create(hw_disk_bus="ide"))
    # when
    policy_file.write_text(text)
    # then
    assert message(user.create(hw_disk_bus="ide"))
    assert user.create(hw_disk_bus="virtio").status_int == 201
    errors = [r for r in log.records if r.levelname == "ERROR"]
    assert len(errors) == 1
    assert str(policy_file) in errors[0].getMessage()
    # and a worker that is started now has it, too
    assert message(under(None).create(hw_disk_bus="ide"))


def test_a_policy_that_is_gone_leaves_the_last_good_one(
    under: MakeUser, policy_file: Path
) -> None:
    # given
    user = under()
    user.create()
    # when
    policy_file.unlink()
    # then
    assert message(user.create(hw_disk_bus="ide"))
    assert message(under(None).create(hw_disk_bus="ide"))


@pytest.mark.parametrize("text", [None, *BROKEN.values()])
def test_without_a_good_policy_only_what_is_judged_stops(
    under: MakeUser, policy_file: Path, plain: User, text: str | None
) -> None:
    # given
    image = plain.create(hw_disk_bus="ide").json
    if text is not None:
        policy_file.write_text(text)
    user = under(None)
    # when
    created = user.create(name="good")
    changed = user.update(image["id"], add("/hw_disk_bus", "virtio"))
    # then
    for response in (created, changed):
        assert response.status_int == 503
        assert response.content_type == "application/json"
        assert "policy" in response.json["serviceUnavailable"]["message"]
    assert plain.images() == [user.image(image["id"])] == [image]
    delete = Wire("DELETE", f"/v2/images/{image['id']}")
    assert user.send(delete).status_int == 204
    # when
    policy_file.write_text(BASELINE)
    # then
    assert user.create(hw_disk_bus="virtio").status_int == 201

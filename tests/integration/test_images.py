# SPDX-License-Identifier: Apache-2.0
"""Uploads, by the real clients, to the real Glance."""

import io

import pytest

from cloud import policies
from tests.integration.people import IDE, REFUSED, refusal, until


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1024))
    return str(path)


def test_the_plain_client_shows_the_whole_explanation(member, disk, decisions):
    # when
    answer = member.command(
        *("image", "create", "--file", disk, "--disk-format", "raw"),
        *("--property", "hw_disk_bus=ide"),
        *("--property", "hw_vif_model=e1000", "refused-router"),
    )
    # then
    assert not answer.success
    assert REFUSED in answer.text
    assert IDE in answer.text
    assert "hw_vif_model='e1000' is not allowed (allowed: virtio)" in (
        answer.text
    )
    assert "[rule guest_devices.vif_model]" in answer.text
    assert member.image.find_image("refused-router") is None
    (event,) = decisions()
    assert event["gate"] == "glance-api"
    assert event["outcome"] == "refuse"
    assert event["subject"]["project"] == member.project


def test_a_clean_image_is_taken(member):
    image = member.upload("modern", hw_disk_bus="virtio")
    assert image.status == "active"
    member.image.delete_image(image)


def test_a_change_is_refused_like_an_upload(member):
    image = member.upload("changed-later")
    text = refusal(member.glance.images.update, image.id, hw_disk_bus="ide")
    assert REFUSED + IDE in text
    assert "hw_disk_bus" not in member.glance.images.get(image.id)
    member.image.delete_image(image)


def test_who_may_not_upload_is_told_so_by_glance(reader):
    text = refusal(reader.upload, "by-reader")
    assert "403" in text
    assert REFUSED not in text


def test_an_administrator_is_judged_too(admin):
    assert IDE in refusal(admin.upload, "by-admin", hw_disk_bus="ide")


def test_an_import_is_judged_by_the_policy_of_its_end(
    member, policy, decisions
):
    # given an image that is created before the policy is in force
    policy(policies.OFF)
    images = member.glance.images
    image = images.create(
        name="imported-later",
        disk_format="raw",
        container_format="bare",
        hw_disk_bus="ide",
    )
    policy(policies.BASELINE)
    # when
    images.stage(image.id, io.BytesIO(b"a disk"))
    images.image_import(image.id)
    # then
    tasks = member.image.image_tasks
    until(lambda: {task.status for task in tasks(image.id)} == {"failure"})
    (task,) = tasks(image.id)
    assert IDE in task.message
    assert member.image.get_image(image.id).status != "active"
    (event,) = [it for it in decisions() if it["gate"] == "glance-import"]
    assert event["outcome"] == "refuse"
    member.image.delete_image(image.id)

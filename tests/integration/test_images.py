# SPDX-License-Identifier: Apache-2.0
"""Uploads, by the real clients, to the real Glance."""

import io

from cloud import policies
from tests.integration.people import IDE, REFUSED, until


def test_the_plain_client_shows_the_whole_explanation(
    member, tmp_path, decisions
):
    # given
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1024))
    # when
    answer = member.command(
        *("image", "create", "--file", str(disk), "--disk-format", "raw"),
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

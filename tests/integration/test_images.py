# SPDX-License-Identifier: Apache-2.0
"""An import into the real Glance; test_story.py has uploads."""

import io

from cloud import policies
from tests.integration.people import IDE, until


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

# SPDX-License-Identifier: Apache-2.0
"""Servers: booted, rebuilt, and refused."""

import re

from story.steps.uploads import DISK_BUS
from story.telling import NotAsTold, line, output, refusal, shown, step

IDE = (DISK_BUS, "hw_disk_bus", "virtio")


@step("A server from the clean image")
def clean_boot(stage):
    server = stage.member.boot("web", image_id=stage.images["clean"].id)
    stage.servers["clean"] = server
    return stage.passed(shown(server), "allow", "nova-api", "scheduler")


@step("A server from old-web, an image that is older than the policy")
def old_boot(stage):
    image = stage.images["web"].id
    text = refusal(stage.member.ask, "web-2", image_id=image)
    stage.notes["fix"] = text
    return stage.refused("nova-api", text, *IDE)


@step("Run the suggested command, then try again")
def fixed_boot(stage):
    fix = re.search(
        r"`openstack (image set [^`]+)`", stage.notes.get("fix", "")
    )
    if not fix:
        raise NotAsTold("not refused: there is no fix to follow")
    output(stage.member, *fix[1].split())
    server = stage.member.boot("web-2", image_id=stage.images["web"].id)
    text = f"openstack {fix[1]}: done; {shown(server)}"
    return stage.passed(text, "allow", "glance-api", "nova-api", "scheduler")


@step(
    "A server from old-router at a nova-api whose paste file has no gate "
    "yet; then openstack server show"
)
def old_boot_without_api_gate(stage):
    image = stage.images["old"].id
    server = stage.member.boot("router-1", "plain-nova", image_id=image)
    if server.status != "ERROR":
        raise NotAsTold(
            f"not refused: server {server.name} is {server.status}"
        )
    words = ("-f", "json", "-c", "status", "-c", "fault", server.id)
    text = line(output(stage.member, "server", "show", *words))
    wanted = ("No valid host was found", "hw_disk_bus=ide", "virtio")
    return stage.refused("scheduler", text, DISK_BUS, *wanted)


@step(
    "A rebuild of the server web with old-router; afterwards web must be "
    "as it was"
)
def rebuild(stage):
    text, after = refused_rebuild(
        stage, stage.servers["clean"], stage.images["old"]
    )
    if after.image.id != stage.images["clean"].id:
        raise NotAsTold("the server has another image now")
    return stage.refused("nova-api", text, *IDE)


def refused_rebuild(stage, server, image):
    """Return why a rebuild is refused, and the server as it is then."""
    try:
        text = refusal(
            stage.member.compute().rebuild_server, server, image=image.id
        )
    finally:
        after = stage.member.settle(server)
    return f"{text} ({shown(after)} still)", after


@step(
    "A server from old-router for the project heritage, which has an "
    "exemption in the policy"
)
def exempted_boot(stage):
    server = stage.heritage.boot("router", image_id=stage.images["old"].id)
    return stage.passed(shown(server), "allow", "nova-api", "scheduler")

# SPDX-License-Identifier: Apache-2.0
"""Ways round the scheduler, and what is older than the policy."""

from story.steps.uploads import DISK_BUS
from story.telling import NotAsTold, Outcome, refusal, shown, step


@step(
    "A server of the clean image, with disk_bus: ide in the block device "
    "mapping of the request"
)
def block_device(stage):
    image = stage.images["clean"].id
    disk = {
        "boot_index": 0,
        "uuid": image,
        "source_type": "image",
        "destination_type": "local",
        "disk_bus": "ide",
    }
    text = refusal(
        stage.member.ask,
        "router-3",
        image_id=image,
        block_device_mapping=[disk],
    )
    return stage.refused("nova-api", text, DISK_BUS, "disk_bus", "virtio")


@step(
    "A rescue of the server web with old-router, which Nova does not "
    "schedule; afterwards web must be as it was"
)
def rescue(stage):
    server, image = stage.servers["clean"], stage.images["old"].id
    compute = stage.member.compute()
    text = refusal(compute.rescue_server, server, image_ref=image)
    text += f" ({shown(stage.member.settle(server))} still)"
    return stage.refused("nova-api", text, DISK_BUS, "hw_disk_bus", "virtio")


@step(
    "The server that is older than the policy: migrated by the admin; then "
    "shelved, for which Nova makes an image that asks for the same bus"
)
def old_server(stage):
    server, admin, member = stage.servers["old"], stage.admin, stage.member
    before = admin.host(server)
    admin.compute().migrate_server(server)
    moved = admin.settle(server, leaving="ACTIVE")
    text = shown(moved, "VERIFY_RESIZE")
    after = admin.host(server)
    if after == before:
        raise NotAsTold(f"{text} on {after} as before")
    admin.compute().confirm_server_resize(server)
    shown(admin.settle(server, leaving="VERIFY_RESIZE"))
    member.compute().shelve_server(server)
    shelved = member.settle(server, leaving="SHELVED")
    text = f"from {before} to {after}; then "
    text += shown(shelved, "SHELVED_OFFLOADED")
    return stage.passed(text, "warn", "scheduler", "glance-api")


@step("A new server of that image; then openstack server unshelve veteran")
def snapshot(stage):
    server, member = stage.servers["old"], stage.member
    name = f"{server.name}-shelved"
    image = next(member.image.images(name=name, sort="created_at:desc"))
    text = refusal(member.ask, "heir", image_id=image.id)
    outcome = stage.refused(
        "nova-api", text, DISK_BUS, "hw_disk_bus", "virtio"
    )
    member.compute().unshelve_server(server)
    back = shown(member.settle(server, leaving="SHELVED_OFFLOADED"))
    return Outcome(outcome.gate, f"{text} ... {back} again")

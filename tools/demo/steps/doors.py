# SPDX-License-Identifier: Apache-2.0
"""Ways round the scheduler, and what is older than the policy."""

from demo import telling

_BUS = "guest_devices.disk_bus"


@telling.step(
    "A server of the clean image, with disk_bus: ide in the block device "
    "mapping of the request"
)
def block_device(stage):
    """See what no RequestSpec, and so no scheduler filter, is told."""
    image = stage.images["clean"].id
    disk = {
        "boot_index": 0,
        "uuid": image,
        "source_type": "image",
        "destination_type": "local",
        "disk_bus": "ide",
    }
    said = telling.refusal(
        stage.alice.boot,
        "router-3",
        image_id=image,
        block_device_mapping=[disk],
    )
    return stage.refused("nova-api", said, _BUS, "disk_bus", "virtio")


@telling.step(
    "A rescue of the server web with old-router, which no scheduler is "
    "asked about; afterwards web must be as it was"
)
def rescue(stage):
    """Judge what nobody else would."""
    server = stage.servers["clean"]
    said = telling.refusal(
        stage.alice.compute().rescue_server,
        server,
        image_ref=stage.images["old"].id,
    )
    after = stage.alice.settle(server)
    said += f" ({telling.active(after)} still)"
    return stage.refused("nova-api", said, _BUS, "hw_disk_bus", "virtio")


@telling.step(
    "The server that is older than the policy: migrated by the admin; then "
    "shelved, for which Nova makes an image that asks for ide"
)
def old_server(stage):
    """Never strand a server that exists."""
    server = stage.servers["old"]
    before = stage.admin.host(server)
    stage.admin.compute().migrate_server(server)
    moved = stage.admin.settle(server)
    said = telling.shown(moved, "VERIFY_RESIZE")
    after = stage.admin.host(server)
    if after == before:
        raise telling.NotAsTold(f"{said} on {after} as before")
    stage.admin.compute().confirm_server_resize(server)
    telling.active(stage.admin.settle(server, leaving="VERIFY_RESIZE"))
    stage.alice.compute().shelve_server(server)
    shelved = telling.shown(stage.alice.settle(server), "SHELVED_OFFLOADED")
    said = f"from {before} to {after}; then {shelved}"
    return stage.passed(said, "warn", "scheduler", "glance-api")


@telling.step(
    "A new server of that image; then openstack server unshelve veteran"
)
def snapshot(stage):
    """Tell a new wish from what a server has already."""
    server = stage.servers["old"]
    image = stage.alice.image.find_image(f"{server.name}-shelved")
    said = telling.refusal(stage.alice.boot, "heir", image_id=image.id)
    told = stage.refused("nova-api", said, _BUS, "hw_disk_bus", "virtio")
    stage.alice.compute().unshelve_server(server)
    back = telling.active(stage.alice.settle(server))
    return telling.Told(told.gate, f"{said} ... {back} again")

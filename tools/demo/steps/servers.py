# SPDX-License-Identifier: Apache-2.0
"""Servers: booted, rebuilt, and refused."""

import re

from demo import identity, telling, volumes


@telling.step("A server from the clean image")
def clean_boot(stage):
    """Give a server to whoever asks for good hardware."""
    stage.servers["clean"] = server = stage.alice.boot(
        "web", image_id=stage.images["clean"].id
    )
    return stage.passed(
        telling.active(server), "allow", "nova-api", "scheduler"
    )


@telling.step("A server from old-web, an image that is older than the policy")
def old_boot(stage):
    """Answer at once, before there is a server."""
    said = telling.refusal(
        stage.alice.boot, "web-2", image_id=stage.images["web"].id
    )
    stage.notes["fix"] = said
    return stage.refused(
        "nova-api", said, "guest_devices.disk_bus", "hw_disk_bus", "virtio"
    )


@telling.step("The very command that this explanation gives; then once more")
def fixed_boot(stage):
    """Be told how to get a server, and get it."""
    fix = re.search(
        r"`openstack (image set [^`]+)`",
        stage.notes.get("fix", ""),
    )
    if not fix:
        raise telling.NotAsTold("there is no explanation to follow")
    words = fix[1].split()
    answer = stage.alice.command(*words)
    if not answer.success:
        raise telling.NotAsTold(answer.text)
    server = stage.alice.boot("web-2", image_id=stage.images["web"].id)
    said = f"openstack {' '.join(words)}: done; {telling.active(server)}"
    return stage.passed(said, "allow", "glance-api", "nova-api", "scheduler")


@telling.step(
    "A server from old-router at a nova-api whose paste file has no gate "
    "yet; then openstack server show"
)
def old_boot_without_api_gate(stage):
    """Have the scheduler answer, in the server's fault."""
    server = stage.alice.boot(
        "router-1", identity.PLAIN_REGION, image_id=stage.images["old"].id
    )
    if server.status != "ERROR":
        raise telling.NotAsTold(
            f"not refused: server {server.name} is {server.status}"
        )
    answer = stage.alice.command(
        "server",
        "show",
        "-f",
        "json",
        "-c",
        "status",
        "-c",
        "fault",
        server.id,
    )
    return stage.refused(
        "scheduler",
        telling.one_line(answer.text),
        "guest_devices.disk_bus",
        "No valid host was found",
        "hw_disk_bus=ide",
        "virtio",
    )


@telling.step(
    "A rebuild of the server web with old-router; afterwards web must be "
    "as it was"
)
def rebuild(stage):
    """Refuse before Nova has touched the server."""
    server = stage.servers["clean"]
    compute = stage.alice.compute()
    try:
        said = telling.refusal(
            compute.rebuild_server, server, image=stage.images["old"].id
        )
    finally:
        after = stage.alice.settle(server)
    said += f" ({telling.active(after)} still)"
    if after.image.id != stage.images["clean"].id:
        raise telling.NotAsTold("the server has another image now")
    return stage.refused(
        "nova-api", said, "guest_devices.disk_bus", "hw_disk_bus", "virtio"
    )


@telling.step(
    "A server with a disk on scsi, rebuilt with the clean image, which says "
    "nothing of scsi; afterwards the server must be as it was"
)
def scsi_rebuild(stage):
    """Say what an innocent rebuild would leave the disk on.

    Nova keeps the bus of a disk, and takes its controller from the image
    that comes: without a model there libvirt picks one itself.
    """
    image = stage.alice.upload(
        "on-scsi", hw_disk_bus="scsi", hw_scsi_model="virtio-scsi"
    )
    server = stage.alice.boot("archive", image_id=image.id)
    compute = stage.alice.compute()
    try:
        answer = telling.refusal(
            compute.rebuild_server, server, image=stage.images["clean"].id
        )
    finally:
        after = stage.alice.settle(server)
    answer += f" ({telling.active(after)} still)"
    return stage.refused(
        "nova-api",
        answer,
        "guest_devices.scsi_model",
        "hw_scsi_model=virtio-scsi",
        "on which the server's disk sda is",
    )


@telling.step(
    "A server from a volume whose image metadata says hw_disk_bus=ide"
)
def volume_boot(stage):
    """See the properties that Cinder keeps with a volume."""
    said = telling.refusal(
        stage.alice.boot, "router-2", volume=volumes.IDE_VOLUME
    )
    return stage.refused(
        "nova-api", said, "guest_devices.disk_bus", "hw_disk_bus", "virtio"
    )


@telling.step(
    "A server from old-router for the project heritage, which has an "
    "exemption in the policy"
)
def exempted_boot(stage):
    """Let through what somebody has signed for."""
    server = stage.bob.boot("router", image_id=stage.images["old"].id)
    return stage.passed(
        telling.active(server), "allow", "nova-api", "scheduler"
    )

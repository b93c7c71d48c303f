# SPDX-License-Identifier: Apache-2.0
"""Images on their way into Glance."""

from cloud import policies
from story.telling import NotAsTold, refusal, refused_command, shown, step

DISK_BUS, VIF_MODEL = "guest_devices.disk_bus", "guest_devices.vif_model"


@step(
    "Before the policy (enabled: false): image old-web of a tenant with "
    "hw_disk_bus=sata, the public old-router with ide; a server of old-web"
)
def before_the_policy(stage):
    stage.policy(policies.OFF)
    web = stage.member.upload("old-web", hw_disk_bus="sata")
    old = stage.admin.upload(
        "old-router",
        hw_disk_bus="ide",
        hw_machine_type="pc",
        visibility="public",
    )
    stage.images |= {"web": web, "old": old}
    server = stage.member.boot("veteran", image_id=web.id)
    stage.servers["old"] = server
    stage.enforce()
    text = f"both images are {_active(web) and _active(old)}; "
    return stage.passed(
        text + shown(server), "disabled", "glance-api", "scheduler"
    )


@step(
    "The policy holds: openstack image create --property hw_disk_bus=ide "
    "--property hw_vif_model=e1000"
)
def upload(stage):
    text = refused_command(
        stage.member,
        *("image", "create", "--disk-format", "raw"),
        *("--file", str(stage.cloud.place.policy)),
        *("--property", "hw_disk_bus=ide"),
        *("--property", "hw_vif_model=e1000", "my-router"),
    )
    words = ("hw_disk_bus", "hw_vif_model", "virtio")
    return stage.refused("glance-api", text, DISK_BUS, VIF_MODEL, *words)


@step(
    "The same in legacy spelling, through python-glanceclient: "
    "vmware_adaptertype=ide, hw_vif_model=VirtualE1000"
)
def legacy_upload(stage):
    text = refusal(
        stage.member.glance.images.create,
        name="my-router",
        disk_format="raw",
        container_format="bare",
        vmware_adaptertype="ide",
        hw_vif_model="VirtualE1000",
    )
    words = ("vmware_adaptertype", "VirtualE1000", "virtio")
    return stage.refused("glance-api", text, DISK_BUS, VIF_MODEL, *words)


@step("A clean image: hw_disk_bus=virtio, hw_vif_model=virtio")
def clean_upload(stage):
    image = stage.member.upload("clean", **policies.IMAGES["clean"])
    stage.images["clean"] = image
    text = f"image clean is {_active(image)}"
    return stage.passed(text, "allow", "glance-api")


@step("openstack image set --property hw_disk_bus=ide, of the clean image")
def change(stage):
    image = stage.images["clean"].id
    words = ("image", "set", "--property", "hw_disk_bus=ide", image)
    try:
        text = refused_command(stage.member, *words)
    finally:
        after = stage.member.image.get_image(image)
        if after.hw_disk_bus != "virtio":
            # The next steps need it clean.
            stage.member.image.update_image(after, hw_disk_bus="virtio")
    return stage.refused("glance-api", text, DISK_BUS, "hw_disk_bus", "virtio")


def _active(image):
    if image.status != "active":
        raise NotAsTold(f"image {image.name} is {image.status}")
    return image.status

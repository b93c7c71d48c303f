# SPDX-License-Identifier: Apache-2.0
"""Images on their way into Glance."""

from demo import policies, telling


@telling.step(
    "Before the policy (enabled: false): two images with hw_disk_bus=ide, "
    "old-web of a tenant and the public old-router, and a server of old-web"
)
def before_the_policy(stage):
    """Have images that are older than the policy."""
    stage.images["web"] = stage.alice.upload("old-web", hw_disk_bus="ide")
    stage.images["old"] = stage.admin.upload(
        "old-router",
        hw_disk_bus="ide",
        hw_machine_type="pc",
        visibility="public",
    )
    stage.servers["old"] = server = stage.alice.boot(
        "veteran", image_id=stage.images["web"].id
    )
    stage.policy(policies.enforced())
    said = f"both images are {_status(stage.images['web'])}; "
    return stage.passed(
        said + telling.active(server), "disabled", "glance-api", "scheduler"
    )


@telling.step(
    "The policy holds: openstack image create --property hw_disk_bus=ide "
    "--property hw_vif_model=e1000"
)
def upload(stage):
    """See the plain client's own output, and all violations at once."""
    answer = stage.alice.command(
        "image",
        "create",
        "--disk-format",
        "raw",
        "--file",
        str(stage.cloud.place.policy),
        "--property",
        "hw_disk_bus=ide",
        "--property",
        "hw_vif_model=e1000",
        "my-router",
    )
    return stage.refused(
        "glance-api",
        telling.failed_command(answer),
        "guest_devices.disk_bus",
        "guest_devices.vif_model",
        "hw_disk_bus",
        "hw_vif_model",
        "virtio",
    )


@telling.step(
    "The same in legacy spelling, through python-glanceclient: "
    "vmware_adaptertype=ide, hw_vif_model=VirtualE1000"
)
def legacy_upload(stage):
    """Be read as Nova will read it."""
    said = telling.refusal(
        stage.alice.glance.images.create,
        name="my-router",
        disk_format="raw",
        container_format="bare",
        vmware_adaptertype="ide",
        hw_vif_model="VirtualE1000",
    )
    return stage.refused(
        "glance-api",
        said,
        "guest_devices.disk_bus",
        "guest_devices.vif_model",
        "vmware_adaptertype",
        "VirtualE1000",
        "virtio",
    )


@telling.step("A clean image: hw_disk_bus=virtio, hw_vif_model=virtio")
def clean_upload(stage):
    """Let good images in."""
    stage.images["clean"] = image = stage.alice.upload(
        "clean", hw_disk_bus="virtio", hw_vif_model="virtio"
    )
    said = f"image clean is {_status(image)}"
    return stage.passed(said, "allow", "glance-api")


@telling.step("openstack image set --property hw_disk_bus=ide clean")
def change(stage):
    """Refuse what an upload would be refused, and keep the image as it was."""
    answer = stage.alice.command(
        "image", "set", "--property", "hw_disk_bus=ide", "clean"
    )
    image = stage.alice.image.get_image(stage.images["clean"].id)
    if image.hw_disk_bus != "virtio":
        # The next steps need it clean.
        stage.alice.image.update_image(image, hw_disk_bus="virtio")
        raise telling.NotAsTold("not refused: the image now asks for ide")
    return stage.refused(
        "glance-api",
        telling.failed_command(answer),
        "guest_devices.disk_bus",
        "hw_disk_bus",
        "virtio",
    )


def _status(image):
    if image.status != "active":
        raise telling.NotAsTold(f"the image is {image.status}")
    return image.status

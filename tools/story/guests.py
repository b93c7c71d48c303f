# SPDX-License-Identifier: Apache-2.0
"""Steps on images and servers, which the gates refuse or allow."""

import json
import re

from cloud import policies
from story.telling import (
    GATES,
    NotAsTold,
    Outcome,
    fault,
    line,
    output,
    refusal,
    refused_command,
    shown,
    step,
)

DISK_BUS, VIF_MODEL = "guest_devices.disk_bus", "guest_devices.vif_model"
#: The rule and the words of a refused IDE disk.
IDE = (DISK_BUS, "hw_disk_bus", "virtio")
_E1000 = "guest_devices: {vif_model: {allow: [virtio, e1000]}}\n"


@step(
    "Before the policy (enabled: false): image old-web of a tenant with "
    "hw_disk_bus=sata, the public old-router with ide; a server of old-web"
)
def before_the_policy(stage):
    stage.policy(policies.OFF)
    web = stage.member.upload("old-web", hw_disk_bus="sata")
    ide = {"hw_disk_bus": "ide", "hw_machine_type": "pc"}
    old = stage.admin.upload("old-router", visibility="public", **ide)
    server = stage.member.boot("veteran", image_id=web.id)
    stage.images |= {"web": web, "old": old}
    stage.servers["old"] = server
    stage.enforce()
    text = f"both images are {_active(web) and _active(old)}; {shown(server)}"
    return stage.passed(text, "disabled", "glance-api", "scheduler")


@step(
    "The policy is enforced: openstack image create "
    "--property hw_disk_bus=ide --property hw_vif_model=e1000"
)
def upload(stage):
    text = refused_command(
        stage.member,
        *("image", "create", "--disk-format", "raw"),
        *("--file", str(stage.cloud.place.policy)),
        *("--property", "hw_disk_bus=ide"),
        *("--property", "hw_vif_model=e1000", "my-router"),
    )
    return stage.refused("glance-api", text, *IDE, VIF_MODEL, "hw_vif_model")


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
    return stage.passed(
        f"image clean is {_active(image)}", "allow", "glance-api"
    )


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
    return stage.refused("glance-api", text, *IDE)


@step("A server from the clean image")
def clean_boot(stage):
    server = stage.member.boot("web", image_id=stage.images["clean"].id)
    stage.servers["clean"] = server
    return stage.passed(shown(server), "allow", "nova-api", "scheduler")


@step("A server from old-web, an image that is older than the policy")
def old_boot(stage):
    image = stage.images["web"].id
    stage.fix = refusal(stage.member.ask, "web-2", image_id=image)
    return stage.refused("nova-api", stage.fix, *IDE)


@step("Run the suggested command, then try again")
def fixed_boot(stage):
    fix = re.search(r"`openstack (image set [^`]+)`", stage.fix)
    if not fix:
        raise NotAsTold("not refused: there is no fix to follow")
    output(stage.member.command(*fix[1].split()))
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
    fault(server)
    words = ("-f", "json", "-c", "status", "-c", "fault", server.id)
    text = line(output(stage.member.command("server", "show", *words)))
    wanted = ("No valid host was found", "hw_disk_bus=ide", "virtio")
    return stage.refused("scheduler", text, DISK_BUS, *wanted)


def still(stage, server, call, *rules, **more):
    """Judge a refusal by the Nova API that leaves a server as it was."""
    try:
        text = refusal(call, server, **more)
    finally:
        after = stage.member.settle(server)
    if after.image.id != server.image.id:
        raise NotAsTold("the server has another image now")
    text = f"{text} ({shown(after)} still)"
    return stage.refused("nova-api", text, *rules)


@step(
    "A rebuild of the server web with old-router; afterwards web must be "
    "as it was"
)
def rebuild(stage):
    call, old = stage.member.compute().rebuild_server, stage.images["old"]
    return still(stage, stage.servers["clean"], call, *IDE, image=old.id)


@step(
    "A server from old-router for the project heritage, which has an "
    "exemption in the policy"
)
def exempted_boot(stage):
    server = stage.heritage.boot("router", image_id=stage.images["old"].id)
    return stage.passed(shown(server), "allow", "nova-api", "scheduler")


@step(
    "A server of the clean image, with disk_bus: ide in the block device "
    "mapping of the request"
)
def block_device(stage):
    image = stage.images["clean"].id
    disk = {"source_type": "image", "destination_type": "local"}
    disk |= {"boot_index": 0, "uuid": image, "disk_bus": "ide"}
    wanted = {"image_id": image, "block_device_mapping": [disk]}
    text = refusal(stage.member.ask, "router-3", **wanted)
    return stage.refused("nova-api", text, DISK_BUS, "disk_bus", "virtio")


@step(
    "A rescue of the server web with old-router, which Nova does not "
    "schedule; afterwards web must be as it was"
)
def rescue(stage):
    call, old = stage.member.compute().rescue_server, stage.images["old"]
    return still(stage, stage.servers["clean"], call, *IDE, image_ref=old.id)


@step(
    "The server that is older than the policy: migrated by the admin; then "
    "shelved, for which Nova makes an image that asks for the same bus"
)
def old_server(stage):
    server, admin, member = stage.servers["old"], stage.admin, stage.member
    before = admin.host(server)
    admin.compute().migrate_server(server)
    text = shown(admin.settle(server, leaving="ACTIVE"), "VERIFY_RESIZE")
    after = admin.host(server)
    if after == before:
        raise NotAsTold(f"{text} on {after} as before")
    admin.compute().confirm_server_resize(server)
    shown(admin.settle(server, leaving="VERIFY_RESIZE"))
    member.compute().shelve_server(server)
    text = shown(member.settle(server, leaving="SHELVED"), "SHELVED_OFFLOADED")
    text = f"from {before} to {after}; then {text}"
    return stage.passed(text, "warn", "scheduler", "glance-api")


@step("A new server of that image; then openstack server unshelve veteran")
def snapshot(stage):
    server, member = stage.servers["old"], stage.member
    name = f"{server.name}-shelved"
    image = next(member.image.images(name=name, sort="created_at:desc"))
    text = refusal(member.ask, "heir", image_id=image.id)
    outcome = stage.refused("nova-api", text, *IDE)
    member.compute().unshelve_server(server)
    back = shown(member.settle(server, leaving="SHELVED_OFFLOADED"))
    return Outcome(outcome.gate, f"{text} ... {back} again")


@step("The policy is edited to mode: warn, and an ide image is uploaded")
def warn(stage):
    stage.enforce(mode="warn")
    try:
        stage.member.upload("warned", hw_disk_bus="ide")
    finally:
        stage.enforce()
    for event in stage.decisions():
        if event["outcome"] == "warn":
            gate = GATES[event["gate"]]
            return Outcome(f"{gate}: warn", f"event: {json.dumps(event)}")
    raise NotAsTold("no decision event says warn")


@step(
    "The policy is edited: e1000 refused, then allowed, then refused again, "
    "without a restart of a process"
)
def edited(stage):
    before = stage.cloud.daemons.ids()
    _refused_e1000(stage)
    stage.enforce(_E1000)
    try:
        image = stage.member.upload("router-e1000", hw_vif_model="e1000")
        stage.passed(f"image {image.name}", "allow", "glance-api")
    finally:
        stage.enforce()
    again = _refused_e1000(stage)
    if stage.cloud.daemons.ids() != before:
        raise NotAsTold("a process has ended")
    text = f"allowed: image {image.name} is {image.status}; refused again: "
    return Outcome(again.gate, text + again.text)


@step(
    "A server of the clean image; then nova-vhard-status upgrade check on the "
    "files of this cloud"
)
def status(stage):
    text = shown(stage.member.boot("last", image_id=stage.images["clean"].id))
    if wrong := stage.cloud.check():
        raise NotAsTold(f"not refused, says nova-vhard-status: {wrong}")
    return Outcome("-", f"{text}; every check is a success")


def _refused_e1000(stage):
    text = refusal(stage.member.upload, "router-e1000", hw_vif_model="e1000")
    return stage.refused("glance-api", text, VIF_MODEL)


def _active(image):
    if image.status != "active":
        raise NotAsTold(f"image {image.name} is {image.status}")
    return image.status

# SPDX-License-Identifier: Apache-2.0
"""Steps on passthrough devices, their users, and the proof of hosts."""

from cloud import machines
from cloud.machines import PROVEN, UNPROVEN
from story import reporters
from story.steps.servers import IDE, refused_rebuild
from story.telling import (
    NotAsTold,
    Outcome,
    expect,
    fault,
    refusal,
    shown,
    step,
)

#: What the explanations say about hosts, whatever the reason.
_PROOF = ("No valid host was found", "has passed", "interrupt_remapping")
REQUIRE = "passthrough.require"
_ALLOW = ("passthrough.allow", "pci_passthrough:alias")
_OURS = "CUSTOM_VHARD_"
_IOMMU = f"{_OURS}IOMMU"
_GPUS = "passthrough: {allow: {aliases: [gpu]}}\n"


def boot(stage, name, flavor=machines.GPU_FLAVOR):
    """Boot a server with a device as a tenant; return it."""
    image = stage.images["clean"].id
    return stage.member.boot(name, flavor=flavor, image_id=image)


def lands_on_proven(stage, name, flavor=machines.GPU_FLAVOR):
    """Boot a server, which has to land on the host that has proof."""
    text = stage.landed(boot(stage, name, flavor), PROVEN)
    return stage.passed(text, "allow", "nova-api", "scheduler")


@step("A server from a volume whose image metadata says hw_disk_bus=ide")
def volume_boot(stage):
    disk = {"uuid": machines.IDE_VOLUME, "boot_index": 0}
    disk |= {"source_type": "volume", "destination_type": "volume"}
    text = refusal(stage.member.ask, "router-2", block_device_mapping=[disk])
    return stage.refused("nova-api", text, *IDE)


@step(
    "A server with a disk on scsi, rebuilt with the clean image, which says "
    "nothing of scsi; afterwards the server must be as it was"
)
def scsi_rebuild(stage):
    """Show what bus an innocent rebuild would leave the disk on.

    Nova keeps the bus of a disk, and takes its controller from the new
    image: without a model there, libvirt picks one itself.
    """
    image = stage.member.upload(
        "on-scsi", hw_disk_bus="scsi", hw_scsi_model="virtio-scsi"
    )
    server = stage.member.boot("archive", image_id=image.id)
    text, _ = refused_rebuild(stage, server, stage.images["clean"])
    return stage.refused(
        "nova-api",
        text,
        "guest_devices.scsi_model",
        "hw_scsi_model=virtio-scsi",
        "for the server's disk sda",
    )


@step(
    "A server of flavor g1.tiny (pci_passthrough:alias=gpu:1), while the "
    "policy allows no passthrough"
)
def not_allowed(stage):
    text = refusal(boot, stage, "gpu-1")
    return stage.refused("nova-api", text, *_ALLOW, "gpu")


@step("The policy is edited to allow the alias gpu; no host has reported yet")
def nothing_proven(stage):
    stage.enforce(_GPUS)
    text = fault(boot(stage, "gpu-2"))
    words = ("no host of this cloud", *_PROOF)
    return stage.refused("scheduler", text, REQUIRE, *words)


@step(
    "The reporters run, on hosts with VT-d on (compute1), off (compute2) and "
    "absent (compute3), and on this very machine (compute4)"
)
def reported(stage):
    reporters.report(stage.facts, *stage.facts.machines)
    proven = _ours(stage, PROVEN)
    expect(proven, _IOMMU, f"{_OURS}REPORTED_")
    if _IOMMU in _ours(stage, UNPROVEN):
        raise NotAsTold("compute2 has passed iommu")
    return Outcome("reporter", f"traits of compute1: {proven}")


@step("The same server: compute2 has GPUs too, and Nova would take it first")
def lands(stage):
    return lands_on_proven(stage, "gpu-3")


@step(
    "A resize of the server web to f1.tiny, whose alias fpga the policy does "
    "not allow: a new device is refused, although moves only warn"
)
def resize_not_allowed(stage):
    server = stage.servers["clean"]
    text = refusal(_resize, stage, server, machines.FPGA_FLAVOR)
    return stage.refused("nova-api", text, *_ALLOW, "fpga")


@step("A resize of a server without devices to g1.tiny")
def resize_lands(stage):
    server = boot(stage, "growing", machines.TINY)
    before = stage.admin.host(server)
    after = _resize(stage, server, machines.GPU_FLAVOR)
    text = stage.landed(after, PROVEN, "VERIFY_RESIZE")
    text += f", and was on {before}"
    return stage.passed(text, "allow", "nova-api", "scheduler")


@step(
    "compute1 restarts with VT-d off, and its reporter runs; then a "
    "server of flavor g1.tiny"
)
def lost(stage):
    reporters.install(stage.facts, PROVEN, machines.VTD_OFF)
    reporters.report(stage.facts, PROVEN)
    text = fault(boot(stage, "gpu-4"))
    return stage.refused("scheduler", text, REQUIRE, *_PROOF)


@step(
    "Meanwhile a resize of another such server to g1.tiny; compute2 has GPUs"
)
def resize_elsewhere(stage):
    server = boot(stage, "growing-2", machines.TINY)
    after = _resize(stage, server, machines.GPU_FLAVOR)
    if after.status != "ACTIVE":
        raise NotAsTold(
            f"not refused: server {server.name} is {after.status} on "
            f"{stage.admin.host(server)}"
        )
    compute = stage.admin.compute()
    newest = next(iter(compute.server_actions(server)))
    action = compute.get_server_action(newest.request_id, server)
    details = {event.details for event in action.events if event.details}
    text = (
        f"{shown(after)} as before; openstack server event show: "
        f"{action.action}: {action.message}; to admins: {sorted(details)}"
    )
    words = ("resize: Error", "No valid host")
    return stage.refused("scheduler", text, REQUIRE, *words)


@step(
    "VT-d is back, but its reporter has not run for 5 hours; "
    "nova-vhard-reporter sweep; then a server of flavor g1.tiny"
)
def silent(stage):
    reporters.install(stage.facts, PROVEN, machines.VTD_ON)
    reporters.report_of_long_ago(stage.facts, PROVEN, hours=5)
    expect(_ours(stage, PROVEN), _IOMMU)
    swept = reporters.sweep(stage.facts)
    expect(swept, PROVEN.name)
    left = _ours(stage, PROVEN)
    if left:
        raise NotAsTold(f"after the sweep compute1 has {left}")
    text = f"sweep: {swept}; server: {fault(boot(stage, 'gpu-5'))}"
    return stage.refused("scheduler", text, REQUIRE, *_PROOF)


def _resize(stage, server, flavor):
    stage.member.compute().resize_server(server, flavor.id)
    return stage.member.settle(server)


def _ours(stage, machine):
    traits = stage.admin.traits(machine.node)
    return ", ".join(sorted(name for name in traits if _OURS in name))

# SPDX-License-Identifier: Apache-2.0
"""Steps on passthrough devices, their users, and the proof of hosts."""

import time

from cloud import machines
from cloud.machines import PROVEN, UNPROVEN
from story import reporters
from story.guests import IDE, still
from story.telling import (
    NotAsTold,
    Outcome,
    by_placement,
    expect,
    fault,
    line,
    output,
    refusal,
    refused_command,
    rows,
    shown,
    step,
)

#: Words about hosts that are in every explanation.
_PROOF = ("No valid host was found", "has passed", "interrupt_remapping")
_REQUIRE = "passthrough.require"
_ALLOW = ("passthrough.allow", "pci_passthrough:alias")
_OURS = "CUSTOM_VHARD_"
_IOMMU = f"{_OURS}IOMMU"
_SPEC = f"trait:{_OURS}"
#: Extra specs by which Placement itself requires the proof of hosts.
_WANTED = dict.fromkeys(
    (f"trait:{_IOMMU}", f"{_SPEC}INTERRUPT_REMAPPING"), "required"
)
_GPUS = "passthrough: {allow: {aliases: [gpu]}}\n"
_ONE_TIME_USE = """\
passthrough:
  allow: {aliases: [gpu, crypto]}
  require: [iommu, interrupt_remapping, one_time_use]
"""
_GPU, _CRYPTO = machines.GPU_FLAVOR, machines.CRYPTO_FLAVOR


def boot(stage, name, flavor=_GPU):
    """Boot a server with a device as a tenant; return it."""
    image = stage.images["clean"].id
    return stage.member.boot(name, flavor=flavor, image_id=image)


def lands_on_proven(stage, name, flavor=_GPU):
    """Boot a server, which has to land on the host that has proof."""
    text = stage.landed(boot(stage, name, flavor), PROVEN)
    return stage.passed(text, "allow", "nova-api", "scheduler")


def unproven(stage, name, *words, before=""):
    """Boot a server of g1.tiny, which the scheduler has to refuse."""
    text = before + fault(boot(stage, name))
    return stage.refused("scheduler", text, _REQUIRE, *words)


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
    """Show the bus on which a harmless rebuild would leave the disk.

    Nova keeps the bus of a disk, and takes its controller from the new
    image: without a model there, libvirt picks one itself.
    """
    scsi = {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}
    image = stage.member.upload("on-scsi", **scsi)
    return still(
        stage,
        stage.member.boot("archive", image_id=image.id),
        stage.member.compute().rebuild_server,
        "guest_devices.scsi_model",
        "hw_scsi_model=virtio-scsi",
        "for the server's disk sda",
        image=stage.images["clean"].id,
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
    return unproven(stage, "gpu-2", "no host of this cloud", *_PROOF)


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
    text = stage.landed(_resize(stage, server), PROVEN, "VERIFY_RESIZE")
    text += f", and was on {before}"
    return stage.passed(text, "allow", "nova-api", "scheduler")


@step(
    "compute1 restarts with VT-d off, and its reporter runs; then a "
    "server of flavor g1.tiny"
)
def lost(stage):
    reporters.install(stage.facts, PROVEN, machines.VTD_OFF)
    reporters.report(stage.facts, PROVEN)
    return unproven(stage, "gpu-4", *_PROOF)


@step("A resize of another such server to g1.tiny; compute2 has GPUs")
def resize_elsewhere(stage):
    after = _resize(stage, boot(stage, "growing-2", machines.TINY))
    if after.status != "ACTIVE":
        raise NotAsTold(
            f"not refused: server {after.name} is {after.status} on "
            f"{stage.admin.host(after)}"
        )
    compute = stage.admin.compute()
    newest = next(iter(compute.server_actions(after)))
    action = compute.get_server_action(newest.request_id, after)
    details = {event.details for event in action.events if event.details}
    text = (
        f"{shown(after)} as before; openstack server event show: "
        f"{action.action}: {action.message}; to admins: {sorted(details)}"
    )
    words = ("resize: Error", "No valid host")
    return stage.refused("scheduler", text, _REQUIRE, *words)


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
    if left := _ours(stage, PROVEN):
        raise NotAsTold(f"after the sweep compute1 has {left}")
    before = f"sweep: {swept}; server: "
    return unproven(stage, "gpu-5", *_PROOF, before=before)


@step(
    "openstack flavor set --property pci_passthrough:alias=gpu:1 m1.small: "
    "Placement would not require the checks of its hosts"
)
def without_traits(stage):
    words = ("flavor", "set", "--property", "pci_passthrough:alias=gpu:1")
    text = refused_command(stage.admin, *words, machines.SMALL.name)
    specs = (f"{name}=required" for name in _WANTED)
    return stage.refused("nova-api", text, _REQUIRE, *specs)


@step(
    "compute1 passes iommu again; the admin forces a server of g1.tiny "
    "onto compute2 (--availability-zone nova:compute2)"
)
def forced_before(stage):
    reporters.report(stage.facts, PROVEN)
    server = _forced(stage, "forced-1")
    text = f"{shown(server)} on {stage.admin.host(server)}"
    return stage.passed(f"{text}: Nova asks no filter", "allow", "nova-api")


@step(
    "openstack vhard flavor audit; flavor sync, which only prints its "
    "changes; flavor sync --yes"
)
def synced(stage):
    audit, dry = _flavor(stage, "audit"), _flavor(stage, "sync")
    if _specs(stage):
        raise NotAsTold("sync without --yes has changed the flavor")
    done = _flavor(stage, "sync", "--yes")
    if _specs(stage) != _WANTED:
        raise NotAsTold(f"the flavor has {_specs(stage)}")
    text = f"lacks {audit['Lacks']}: {audit['State']}; {dry['State']}; "
    return Outcome("-", f"{_GPU.name} {text}{done['State']}")


@step("The admin forces the same server onto compute2 once more")
def forced_after(stage):
    return by_placement(_forced(stage, "forced-2"))


@step("A server of the synced g1.tiny that is not forced onto a host")
def synced_lands(stage):
    return lands_on_proven(stage, "gpu-6")


@step("openstack vhard host list: two checks (below)")
def fleet(stage):
    columns = ("Host", "Status", "iommu", "interrupt_remapping")
    words = (word for name in columns for word in ("-c", name))
    stage.fleet = output(stage.admin.command("vhard", "host", "list", *words))
    expect(
        line(stage.fleet),
        "| compute1 | fresh | PASS | PASS |",
        "| compute2 | fresh | - | PASS |",
        "| compute3 | fresh | - | - |",
        # Whatever the machine is that this runs on.
        "| compute4 | fresh |",
    )
    return Outcome("-", "each host, with the checks that it has passed")


@step(
    "passthrough.require gets one_time_use; a server of c1.tiny, whose alias "
    "crypto is for a card that Nova gives to one guest only"
)
def used(stage):
    stage.enforce(_ONE_TIME_USE)
    stage.cleaner.plug()
    stage.cleaner.rules(flash=False)
    server = stage.servers["crypto"] = boot(stage, "crypto-1", _CRYPTO)
    text = stage.landed(server, PROVEN)
    stage.cleaner.once()
    stage.cleaner.rewrite()
    return stage.passed(text, "allow", "nova-api", "scheduler")


@step("A server of g1.tiny: Nova never holds back a used GPU here")
def never_cleaned(stage):
    return unproven(stage, "gpu-7", "gpu", "one_time_use")


@step("crypto-1 is deleted; the next server of c1.tiny")
def dirty(stage):
    stage.member.remove(stage.servers["crypto"])
    return by_placement(boot(stage, "crypto-2", _CRYPTO))


@step(
    "The cleaner of compute1 reads the card's firmware (its rules have no "
    "more); then another server of c1.tiny"
)
def not_clean(stage):
    # A deleted server is gone before its allocation in Placement is.
    deadline = time.monotonic() + 60
    while _card(stage)["Status"] == "in use":
        if time.monotonic() > deadline:
            raise NotAsTold("the card of the deleted server is still in use")
        time.sleep(0.5)
    stage.cleaner.once()
    row = _card(stage)
    text = f"openstack vhard device list: {row['Status']}, {row['Why']}"
    if (row["Status"], "FAILED" in row["Why"]) != ("reserved", True):
        raise NotAsTold(f"not reserved because of a failed step; {text}")
    refused = by_placement(boot(stage, "crypto-3", _CRYPTO))
    return Outcome("cleaner", f"{text}; {refused.text}")


@step("The rules flash the card first; the cleaner runs again")
def cleaned(stage):
    stage.cleaner.rules(flash=True)
    text = stage.cleaner.once()
    row = _card(stage)
    if row["Status"] == "reserved":
        raise NotAsTold(f"{row}: {text}")
    return Outcome("cleaner", text)


@step("Once more a server of c1.tiny")
def issued_again(stage):
    return lands_on_proven(stage, "crypto-4", _CRYPTO)


def _resize(stage, server, flavor=_GPU):
    stage.member.compute().resize_server(server, flavor.id)
    return stage.member.settle(server)


def _ours(stage, machine):
    traits = stage.admin.traits(machine.node)
    return ", ".join(sorted(name for name in traits if _OURS in name))


def _forced(stage, name):
    return stage.admin.boot(
        name,
        flavor=_GPU,
        image_id=stage.images["clean"].id,
        availability_zone=f"nova:{UNPROVEN.name}",
    )


def _row(table, column, value):
    """Return the one row of a command that has a value in a column."""
    by_value = {row[column]: row for row in table}
    if value not in by_value:
        raise NotAsTold(f"{value} is not in {by_value}")
    return by_value[value]


def _card(stage):
    table = rows(stage.admin, "device", "list")
    return _row(table, "Address", machines.CRYPTO_ADDRESS)


def _flavor(stage, *words):
    table = rows(stage.admin, "flavor", *words)
    return _row(table, "Flavor", _GPU.name)


def _specs(stage):
    compute = stage.admin.compute()
    specs = compute.get_flavor(_GPU.id, get_extra_specs=True).extra_specs
    return {name: specs[name] for name in specs if name.startswith(_SPEC)}

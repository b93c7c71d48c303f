# SPDX-License-Identifier: Apache-2.0
"""Flavors that say to Placement itself what a host must have proven."""

from cloud import machines
from story import reporters
from story.steps.devices import REQUIRE, lands_on_proven
from story.telling import (
    NotAsTold,
    Outcome,
    by_placement,
    expect,
    line,
    output,
    refused_command,
    rows,
    shown,
    step,
)

_SPEC = "trait:CUSTOM_VHARD_"
_WANTED = {
    f"{_SPEC}IOMMU": "required",
    f"{_SPEC}INTERRUPT_REMAPPING": "required",
}
_GPU = machines.GPU_FLAVOR


@step(
    "openstack flavor set --property pci_passthrough:alias=gpu:1 m1.small: "
    "Placement would not be told what its hosts must have passed"
)
def without_traits(stage):
    words = ("flavor", "set", "--property", "pci_passthrough:alias=gpu:1")
    text = refused_command(stage.admin, *words, machines.SMALL.name)
    specs = (f"{name}=required" for name in _WANTED)
    return stage.refused("nova-api", text, REQUIRE, *specs)


@step(
    "compute1 passes iommu again; the admin forces a server of g1.tiny "
    "onto compute2 (--availability-zone nova:compute2)"
)
def forced_before(stage):
    reporters.report(stage.facts, machines.PROVEN)
    server = _forced(stage, "forced-1")
    text = f"{shown(server)} on {stage.admin.host(server)}"
    return stage.passed(f"{text}: Nova asks no filter", "allow", "nova-api")


@step(
    "openstack vhard flavor audit; flavor sync, which only says what it "
    "would do; flavor sync --yes"
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


@step("A server of the synced g1.tiny that nobody forces anywhere")
def lands(stage):
    return lands_on_proven(stage, "gpu-6")


@step("openstack vhard host list: two checks (below)")
def fleet(stage):
    columns = ("Host", "Status", "iommu", "interrupt_remapping")
    shown = (word for name in columns for word in ("-c", name))
    text = output(stage.admin, "vhard", "host", "list", *shown)
    stage.notes["fleet"] = text
    expect(
        line(text),
        "| compute1 | fresh | PASS | PASS |",
        "| compute2 | fresh | - | PASS |",
        "| compute3 | fresh | - | - |",
        # Whatever the machine is that this runs on.
        "| compute4 | fresh |",
    )
    return Outcome("-", "each host, with the checks that it has passed")


def _forced(stage, name):
    return stage.admin.boot(
        name,
        flavor=_GPU,
        image_id=stage.images["clean"].id,
        availability_zone=f"nova:{machines.UNPROVEN.name}",
    )


def _flavor(stage, *words):
    """Run ``openstack vhard flavor``; return the row of flavor g1.tiny."""
    policy = f"--policy={stage.cloud.place.policy}"
    table = rows(stage.admin, "flavor", *words, policy)
    by_name = {row["Flavor"]: row for row in table}
    if _GPU.name not in by_name:
        raise NotAsTold(f"{_GPU.name} is not in {by_name}")
    return by_name[_GPU.name]


def _specs(stage):
    compute = stage.admin.compute()
    flavor = compute.get_flavor(_GPU.id, get_extra_specs=True)
    return {
        name: value
        for name, value in flavor.extra_specs.items()
        if name.startswith(_SPEC)
    }

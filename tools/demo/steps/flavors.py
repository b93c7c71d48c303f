# SPDX-License-Identifier: Apache-2.0
"""Flavors that say to Placement itself what a host must have proven."""

import json

from common import commands
from demo import flavors, machines, telling
from demo.steps import passthrough

_SPEC = "trait:CUSTOM_VHARD_"


@telling.step(
    "openstack flavor set --property pci_passthrough:alias=gpu:1 m1.small: "
    "Placement would not be told what its hosts must have proven"
)
def without_traits(stage):
    """Have the operator write both, or neither."""
    answer = stage.admin.command(
        "flavor",
        "set",
        "--property",
        "pci_passthrough:alias=gpu:1",
        flavors.SMALL.name,
    )
    return stage.refused(
        "nova-api",
        telling.failed_command(answer),
        passthrough.REQUIRE,
        f"{_SPEC}IOMMU=required",
        f"{_SPEC}INTERRUPT_REMAPPING=required",
    )


@telling.step(
    "VT-d of compute1 is proven again; the admin forces a server of g1.tiny "
    "onto compute2 (--availability-zone nova:compute2)"
)
def forced_before(stage):
    """Know the limit: Nova asks no filter about a forced host."""
    failed = stage.reporters.report(machines.PROVEN)
    if failed:
        raise telling.NotAsTold("no report of compute1")
    server = _forced(stage, "forced-1")
    said = f"{telling.active(server)} on {stage.admin.host(server)}"
    return stage.passed(f"{said}: Nova asks no filter", "allow", "nova-api")


@telling.step(
    "openstack vhard flavor audit; flavor sync, which only says what it "
    "would do; flavor sync --yes"
)
def synced(stage):
    """Put the policy's demand where Placement itself enforces it."""
    audit, dry = commands.at_once(
        lambda words: _flavor(stage, *words), [("audit",), ("sync",)]
    )
    if _specs(stage):
        raise telling.NotAsTold("sync without --yes has changed the flavor")
    done = _flavor(stage, "sync", "--yes")
    wanted = {
        f"{_SPEC}IOMMU": "required",
        f"{_SPEC}INTERRUPT_REMAPPING": "required",
    }
    if _specs(stage) != wanted:
        raise telling.NotAsTold(f"the flavor has {_specs(stage)}")
    said = f"lacks {audit['Lacks']}: {audit['State']}; {dry['State']}; "
    return telling.Told("-", f"{flavors.GPU.name} {said}{done['State']}")


@telling.step("The admin forces the same server onto compute2 once more")
def forced_after(stage):
    """Have Placement refuse what no filter is asked about."""
    said = telling.fault(_forced(stage, "forced-2"))
    # Placement gives no reasons. Whatever else there is would be one.
    if said != "No valid host was found.":
        raise telling.NotAsTold(f"another refusal: {said}")
    return telling.Told("Placement", said)


@telling.step("A server of the synced g1.tiny that nobody forces anywhere")
def lands(stage):
    """Go on as before for everybody else."""
    server = passthrough.boot(stage, "gpu-6")
    said = stage.landed(server, machines.PROVEN)
    return stage.passed(said, "allow", "nova-api", "scheduler")


def _forced(stage, name):
    return stage.admin.boot(
        name,
        flavor=flavors.GPU,
        image_id=stage.images["clean"].id,
        availability_zone=f"nova:{machines.UNPROVEN.name}",
    )


def _flavor(stage, *words):
    """Run ``openstack vhard flavor``; give the row of flavor g1.tiny."""
    answer = stage.admin.command(
        "vhard",
        "flavor",
        *words,
        "-f",
        "json",
        "--policy",
        str(stage.cloud.place.policy),
    )
    if not answer.success:
        raise telling.NotAsTold(telling.one_line(answer.text))
    rows = {row["Flavor"]: row for row in json.loads(answer.text)}
    if flavors.GPU.name not in rows:
        raise telling.NotAsTold(f"{flavors.GPU.name} is not in {rows}")
    return rows[flavors.GPU.name]


def _specs(stage):
    """Give the extra specs of g1.tiny that are ours."""
    found = stage.admin.compute().get_flavor(
        flavors.GPU.id, get_extra_specs=True
    )
    return {
        name: value
        for name, value in found.extra_specs.items()
        if name.startswith(_SPEC)
    }

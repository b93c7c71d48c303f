# SPDX-License-Identifier: Apache-2.0
"""What hosts prove, and that they can lose it again."""

from cloud import machines
from cloud.machines import PROVEN, UNPROVEN
from story import reporters
from story.steps.passthrough import REQUIRE, boot
from story.steps.passthrough import UNPROVEN as UNPROVEN_WORDS
from story.telling import NotAsTold, Outcome, expect, fault, output, step

_OURS = "CUSTOM_VHARD_"
_IOMMU = f"{_OURS}IOMMU"


@step(
    "The reporters run, on hosts with VT-d on (compute1), off (compute2) and "
    "absent (compute3), and on this very machine (compute4)",
    small=True,
)
def reported(stage):
    """Have Placement know what each host has proven."""
    reporters.report(stage.facts, *stage.facts.machines)
    proven = _ours(stage, PROVEN)
    expect(proven, _IOMMU, f"{_OURS}REPORTED_")
    if _IOMMU in _ours(stage, UNPROVEN):
        raise NotAsTold("compute2 has proven an IOMMU")
    return Outcome("reporter", f"traits of compute1: {proven}")


@step(
    "compute1 comes up again with VT-d off, and its reporter runs; then a "
    "server of flavor g1.tiny",
    small=True,
)
def lost(stage):
    """Refuse what was allowed, with the reason."""
    reporters.install(stage.facts, PROVEN, machines.VTD_OFF)
    reporters.report(stage.facts, PROVEN)
    text = fault(boot(stage, "gpu-4"))
    return stage.refused("scheduler", text, REQUIRE, *UNPROVEN_WORDS)


@step(
    "VT-d is back, but its reporter has not run for 5 hours; "
    "nova-vhard-reporter sweep; then a server of flavor g1.tiny",
    small=True,
)
def silent(stage):
    """Trust nobody who has fallen silent."""
    reporters.install(stage.facts, PROVEN, machines.VTD_ON)
    reporters.report_of_long_ago(stage.facts, PROVEN, hours=5)
    expect(_ours(stage, PROVEN), _IOMMU)
    swept = reporters.sweep(stage.facts)
    expect(swept, PROVEN.name)
    left = _ours(stage, PROVEN)
    if left:
        raise NotAsTold(f"after the sweep compute1 has {left}")
    text = f"sweep: {swept}; server: {fault(boot(stage, 'gpu-5'))}"
    return stage.refused("scheduler", text, REQUIRE, *UNPROVEN_WORDS)


@step("openstack vhard host list --long (below)", small=True)
def fleet(stage):
    """See the whole fleet's posture."""
    text = output(stage.admin, "vhard", "host", "list", "--long")
    stage.notes["fleet"] = text
    table = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    cells = {host: row for host, *row in table[1:]}
    wanted = {
        "compute1": ["fresh", "PASS", "PASS"],
        "compute2": ["fresh", "-", "PASS"],
        "compute3": ["fresh", "-", "-"],
        # Whatever the machine is that this runs on.
        "compute4": ["fresh"],
    }
    for name, row in wanted.items():
        if cells.get(name, [])[: len(row)] != row:
            raise NotAsTold(f"{name} is shown as {cells.get(name)}")
    return Outcome("-", f"{len(cells)} hosts, with what each has proven")


def _ours(stage, machine):
    """Return our traits of a machine, in words."""
    traits = stage.admin.traits(machine.node)
    return ", ".join(sorted(name for name in traits if _OURS in name))

# SPDX-License-Identifier: Apache-2.0
"""What hosts prove, and that they can lose it again."""

from demo import machines, telling
from demo.steps import passthrough

_OURS = "CUSTOM_VHARD_"
_IOMMU = f"{_OURS}IOMMU"
_PASS, _NOT = "PASS", "-"


@telling.step(
    "The reporters run, on hosts with VT-d on (compute1), off (compute2) and "
    "absent (compute3), and on this very machine (compute4)"
)
def reported(stage):
    """Have Placement know what each host has proven."""
    _report(stage, *machines.MACHINES)
    proven = _ours(stage, machines.PROVEN)
    telling.expect(proven, _IOMMU, f"{_OURS}REPORTED_")
    if _IOMMU in _ours(stage, machines.UNPROVEN):
        raise telling.NotAsTold("compute2 has proven an IOMMU")
    return telling.Told("reporter", f"traits of compute1: {proven}")


@telling.step(
    "compute1 comes up again with VT-d off, and its reporter runs; then a "
    "server of flavor g1.tiny"
)
def lost(stage):
    """Refuse what was allowed, with the reason."""
    stage.reporters.install(machines.PROVEN, machines.VTD_OFF)
    _report(stage, machines.PROVEN)
    said = telling.fault(passthrough.boot(stage, "gpu-4"))
    return stage.refused(
        "scheduler", said, passthrough.REQUIRE, *passthrough.UNPROVEN
    )


@telling.step(
    "VT-d is back, but its reporter has not run for 5 hours; "
    "nova-vhard-reporter sweep; then a server of flavor g1.tiny"
)
def silent(stage):
    """Trust nobody who has fallen silent."""
    stage.reporters.install(machines.PROVEN, machines.VTD_ON)
    stage.reporters.report_of_long_ago(machines.PROVEN, hours=5)
    telling.expect(_ours(stage, machines.PROVEN), _IOMMU)
    swept = telling.one_line(stage.reporters.sweep().text)
    telling.expect(swept, machines.PROVEN.name)
    left = _ours(stage, machines.PROVEN)
    if left:
        raise telling.NotAsTold(f"after the sweep compute1 has {left}")
    said = telling.fault(passthrough.boot(stage, "gpu-5"))
    return stage.refused(
        "scheduler",
        f"sweep: {swept}; server: {said}",
        passthrough.REQUIRE,
        *passthrough.UNPROVEN,
    )


@telling.step("openstack vhard host list --long (below)")
def fleet(stage):
    """See the whole fleet's posture."""
    answer = stage.admin.command("vhard", "host", "list", "--long")
    if not answer.success:
        raise telling.NotAsTold(telling.one_line(answer.text))
    stage.notes["fleet"] = answer.text
    _, *rows = _rows(answer.text)
    rows = dict(rows)
    wanted = {
        machines.PROVEN.name: ("fresh", _PASS, _PASS),
        machines.UNPROVEN.name: ("fresh", _NOT, _PASS),
        "compute3": ("fresh", _NOT, _NOT),
        # Whatever the machine is that the demo runs on.
        "compute4": ("fresh",),
    }
    for name, cells in wanted.items():
        if rows.get(name, ())[: len(cells)] != cells:
            raise telling.NotAsTold(f"{name} is shown as {rows.get(name)}")
    return telling.Told("-", f"{len(rows)} hosts, with what each has proven")


def _report(stage, *reporting):
    failed = stage.reporters.report(*reporting)
    if failed:
        raise telling.NotAsTold(f"no report of {', '.join(failed)}")


def _ours(stage, machine):
    """Give our traits of a machine, in words."""
    traits = stage.admin.traits(machine.node)
    return ", ".join(sorted(one for one in traits if one.startswith(_OURS)))


def _rows(text):
    for line in text.splitlines():
        if line.startswith("|"):
            name, *cells = (cell.strip() for cell in line.split("|")[1:-1])
            yield name, tuple(cells)

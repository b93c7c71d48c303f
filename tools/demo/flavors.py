# SPDX-License-Identifier: Apache-2.0
"""The flavors of the demo's cloud."""

from dataclasses import dataclass, field

from demo import machines


@dataclass(frozen=True)
class Flavor:
    """A flavor, as the operator made it."""

    id: str
    name: str
    memory_mb: int = 512
    root_gb: int = 1
    extra_specs: dict[str, str] = field(default_factory=dict)


def _with(card):
    return {"pci_passthrough:alias": f"{card.alias}:1"}


TINY = Flavor("1", "m1.tiny")
SMALL = Flavor("2", "m1.small", 2048, 20)
GPU = Flavor("3", "g1.tiny", extra_specs=_with(machines.GPU))
FPGA = Flavor("4", "f1.tiny", extra_specs=_with(machines.FPGA))

FLAVORS = (TINY, SMALL, GPU, FPGA)

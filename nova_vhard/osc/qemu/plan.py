# SPDX-License-Identifier: Apache-2.0
"""A plan of what to build of QEMU: what is needed, what is not, and why."""

from dataclasses import dataclass, field

from nova_vhard.catalogue.qemu import KCONFIG, SELECTED, SELECTS, TYPES
from nova_vhard.catalogue.qemu_parts import Part
from nova_vhard.policy.model import Policy

MACHINE, DEVICE, FEATURE = "machine", "device", "feature"

#: Name to the reasons, in the order in which they were found.
Reasons = dict[str, list[str]]


@dataclass
class Plan:
    """A plan for a QEMU build.

    :ivar machines: machine types to why they are needed
    :ivar devices: devices to why they are needed
    :ivar symbols: Kconfig symbols to why they are set
    :ivar features: features of ``configure`` to why they are on
    :ivar left_machines: machine types to why they are not needed
    :ivar left_devices: likewise
    :ivar left_features: likewise
    """

    policy: Policy
    arch: str
    machines: Reasons = field(default_factory=dict)
    devices: Reasons = field(default_factory=dict)
    symbols: Reasons = field(default_factory=dict)
    features: Reasons = field(default_factory=dict)
    left_machines: Reasons = field(default_factory=dict)
    left_devices: Reasons = field(default_factory=dict)
    left_features: Reasons = field(default_factory=dict)

    def patched(self) -> dict[str, list[str]]:
        """Return the devices that a patch must remove, with the reasons.

        The symbols that are set, or symbols that these select, enable them,
        but they are not needed.
        """
        brought = set(self.symbols)
        brought = brought.union(*(SELECTED[each] for each in self.machines))
        brought = brought.union(*(SELECTS.get(each, ()) for each in brought))
        return {
            device: self.left_devices[device]
            for device in sorted(TYPES)
            if device in self.left_devices and KCONFIG[device] in brought
        }


def add(plan: Plan, part: Part, before: str = "") -> None:
    """Note a part as needed."""
    why = before + part.why
    for names, known in (
        (part.devices, plan.devices),
        (part.symbols, plan.symbols),
        (part.options, plan.features),
    ):
        for name in names:
            note(known, name, why)


def note(known: Reasons, name: str, why: str) -> None:
    """Note a reason, once."""
    reasons = known.setdefault(name, [])
    if why not in reasons:
        reasons.append(why)


def refusal(plan: Plan, kind: str, value: str) -> str:
    """Return why no guest may have a value, and who may all the same."""
    rule = f"guest_devices.{kind}"
    text = f"{rule} refuses {value}"
    letting = sorted(
        exemption.id
        for exemption in plan.policy.exemptions
        if value in exemption.rules.get(rule, ())
    )
    if letting:
        text += f", which exemption {', '.join(letting)} lets through"
    return text

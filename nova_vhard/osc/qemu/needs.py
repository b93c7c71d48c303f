# SPDX-License-Identifier: Apache-2.0
"""Parts of QEMU that a compute node needs under a policy, and the rest.

Pure functions: from a policy and the catalogue to a plan. Parts that are not
known to be needed are not needed, since the build names each part that it has.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from nova_vhard.catalogue import qemu_parts as catalogue
from nova_vhard.catalogue.qemu import (
    DEVICES,
    KCONFIG,
    LINKED,
    SELECTED,
    SELECTS,
    TYPES,
    part,
    served,
)
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.reporter.hosts import allowance

#: Supported architectures; the catalogue has only their machine types.
ARCHITECTURES = ("x86_64", "aarch64")

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


def add(plan: Plan, part: catalogue.Part, before: str = "") -> None:
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
    """Return why a value is refused, and which exemptions allow it."""
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


def make(policy: Policy, arch: str, extras: Iterable[str] = ()) -> Plan:
    """Return what a compute node needs.

    :param arch: one of ``ARCHITECTURES``
    :param extras: names of ``EXTRAS``, that the operator wants
    """
    plan = Plan(policy, arch)
    for name in extras:
        add(plan, catalogue.EXTRAS[name], f"--with {name}: ")
    _add_machines(plan)
    for kind, value, device in _served(plan):
        why = allowance(plan.policy, kind, value)
        if why and _possible(device):
            note(plan.devices, device, why)
    for (kind, value), result in catalogue.CHOSEN.items():
        why = allowance(plan.policy, kind, value)
        if why and _of_arch(plan, result):
            add(plan, result, f"{why}: ")
    for alway in catalogue.ALWAYS:
        if _of_arch(plan, alway) and (
            alway.unless is None or allowance(policy, *alway.unless)
        ):
            add(plan, alway)
    _add_passthrough(plan)
    for machine, devices in catalogue.CONVENTIONAL.items():
        needed = sorted(devices & set(plan.devices))
        if needed and machine in plan.machines:
            add(plan, catalogue.BRIDGE, f"{', '.join(needed)}: ")
    _add_inseparable(plan)
    for device in plan.devices:
        if device in KCONFIG:
            note(plan.symbols, KCONFIG[device], device)
    for symbol, others in LINKED.items():
        if symbol in plan.symbols:
            for other in others:
                note(plan.symbols, other, f"{symbol} is not linked without")
    _add_features(plan)
    for kind, value, device in _served(plan):
        if device in plan.devices:
            continue
        if device in catalogue.XEN:
            why = "for Xen's guests; Nova refuses it on KVM"
        elif not allowance(plan.policy, kind, value):
            why = refusal(plan, kind, value)
        else:
            why = "Nova never asks for 3D acceleration"
        note(plan.left_devices, device, why)
    for result in (catalogue.PASSTHROUGH, catalogue.BRIDGE):
        for device in result.devices:
            if device not in plan.devices:
                note(plan.left_devices, device, f"nothing needs {result.why}")
    return plan


def _add_machines(plan: Plan) -> None:
    """Note the machine types that a guest may have."""
    for name, board in catalogue.MACHINES.items():
        if board.only != plan.arch:
            continue
        why = allowance(plan.policy, "machine_type", name)
        if why:
            note(plan.machines, name, why)
            add(plan, board, f"machine type {name}: ")
        else:
            why = refusal(plan, "machine_type", name)
            note(plan.left_machines, name, why)


def _served(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Yield each kind and value with each device that serves it there."""
    for kind, values in DEVICES.items():
        for value in values:
            for device in served(kind, value, plan.arch):
                yield kind, value, device


def _possible(device: str) -> bool:
    return device not in catalogue.XEN | catalogue.UNASKED


def _of_arch(plan: Plan, part: catalogue.Part) -> bool:
    return part.only in ("", plan.arch)


def _add_passthrough(plan: Plan) -> None:
    """Note the parts for passthrough that the policy allows."""
    rule = plan.policy.passthrough
    if rule is None or rule.mode not in (None, Mode.ENFORCE):
        why = (
            f"passthrough is in mode {rule.mode}"
            if rule
            else "no rule on passthrough"
        )
        add(plan, catalogue.PASSTHROUGH, f"{why}: ")
        add(plan, catalogue.VDPA, f"{why}: ")
        return
    for name, values in rule.allow.items():
        if set(values.listed) - {"vdpa"}:
            before = f"passthrough.allow.{name}: "
            add(plan, catalogue.PASSTHROUGH, before)
        if name == "ports" and "vdpa" in values:
            add(plan, catalogue.VDPA, "passthrough.allow.ports: ")


def _add_inseparable(plan: Plan) -> None:
    """Note the devices that QEMU always builds along with needed parts."""
    built = [(part(device), device) for device in plan.devices]
    for machine in plan.machines:
        built += ((x, f"machine type {machine}") for x in SELECTED[machine])
    needed: Reasons = {}
    for symbol, name in built:
        for item in (symbol, *SELECTS.get(symbol, ())):
            note(needed, item, f"is built with {name}")
    for _, _, device in _served(plan):
        if (
            device not in plan.devices
            and part(device) in needed
            and _possible(device)
        ):
            note(plan.devices, device, needed[part(device)][0])


def _add_features(plan: Plan) -> None:
    """Note what ``configure`` is to switch on and off."""
    if plan.policy.assume.virt_type == "kvm":
        note(plan.features, "kvm", "assume.virt_type is kvm")
    else:
        note(plan.features, "tcg", "assume.virt_type is not kvm")
    for always in (catalogue.FEATURES_ON, catalogue.FEATURES_OF[plan.arch]):
        for name, why in always.items():
            note(plan.features, name, why)
    for name, why in catalogue.FEATURES_OFF.items():
        if name not in plan.features:
            note(plan.left_features, name, why)


def unstarted(plan: Plan) -> Iterator[str]:
    """Yield which guests do not start on such a QEMU, and why."""
    policy = plan.policy
    if "usb-tablet" in plan.left_devices:
        yield (
            "Without the USB tablet: set [DEFAULT] pointer_model = ps2mouse "
            "in nova.conf of these hosts first, or no guest starts"
        )
    if plan.arch == "aarch64" and "usb-kbd" in plan.left_devices:
        yield (
            "Without the USB keyboard: only guests whose image has "
            "hw_input_bus=virtio start, since Nova adds one to all others"
        )
    for (kind, value), result in catalogue.UNSTARTED.items():
        if allowance(policy, kind, value) and _of_arch(plan, result):
            yield f"{kind} {value}: {result.why}"
    for name, result in catalogue.EXTRAS.items():
        if not (plan.devices.keys() | plan.features.keys()).issuperset(
            result.devices + result.options
        ):
            yield f"--with {name} was not given: {result.why}"
    for exemption in policy.exemptions:
        if any(rule.startswith("guest_devices.") for rule in exemption.rules):
            yield (
                f"Exemption {exemption.id} lets guests have devices that this "
                "QEMU may lack: keep hosts with a full one for them"
            )
    modes = (
        ("mode", policy.mode),
        *(("projects", each.mode) for each in policy.projects),
        ("moves.guest_devices", policy.moves_guest_devices),
    )
    for place, mode in dict.fromkeys(modes):
        if mode is not Mode.ENFORCE:
            yield (
                f"{place}: {mode} lets guests through whose devices this QEMU "
                "lacks: they do not start here"
            )

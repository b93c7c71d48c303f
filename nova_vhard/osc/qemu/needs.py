# SPDX-License-Identifier: Apache-2.0
"""What a compute node needs of QEMU under a policy, and what it does not.

Pure: a policy and the catalogue in, a plan out. What is not known to be
needed is not needed, since the build names each part that it has.
"""

from collections.abc import Iterable, Iterator

from nova_vhard.catalogue import qemu_build as catalogue
from nova_vhard.catalogue.qemu import (
    DEVICES,
    KCONFIG,
    LINKED,
    SELECTED,
    SELECTS,
    VERSIONS,
    family,
    part,
    served,
)
from nova_vhard.node.reporter.hosts import refused
from nova_vhard.osc.qemu.plan import (
    Plan,
    Reasons,
    add,
    note,
    refusal,
)
from nova_vhard.policy.model import Policy

#: What can be planned for; the catalogue knows their machines alone.
ARCHITECTURES = ("x86_64", "aarch64")


def make(policy: Policy, arch: str, extras: Iterable[str] = ()) -> Plan:
    """Return what a compute node needs.

    :param arch: one of ``ARCHITECTURES``
    :param extras: names of ``EXTRAS``, that the operator wants
    """
    plan = Plan(policy, arch)
    for name in extras:
        add(plan, catalogue.EXTRAS[name], f"--with {name}: ")
    _add_machines(plan)
    _add_chosen(plan)
    _add_always(plan)
    _add_passthrough(plan)
    _add_bridge(plan)
    _add_inseparable(plan)
    _add_symbols(plan)
    _add_features(plan)
    _leave(plan)
    return plan


def _add_machines(plan: Plan) -> None:
    """Note the machine types that a guest may have."""
    assumed = family(plan.policy.assume.machine_type.get(plan.arch, ""))
    rule = plan.policy.guest_devices.get("machine_type")
    for name, board in catalogue.MACHINES.items():
        if board.only != plan.arch:
            continue
        if name == assumed:
            why = f"assume.machine_type: {plan.arch} is {name}"
        elif rule is None:
            why = "no rule on machine_type"
        elif any(_fits(item, name) for item in rule.allow.listed):
            why = f"guest_devices.machine_type allows {name}"
        else:
            note(plan.left_machines, name, refusal(plan, rule.kind, [name]))
            continue
        note(plan.machines, name, why)
        add(plan, board, f"machine type {name}: ")


def _fits(allowed: str, machine: str) -> bool:
    """Return whether a word of the rule allows some version of a machine."""
    plain = allowed.rstrip("*")
    if plain == allowed:
        return family(allowed) == machine
    versions = VERSIONS[machine]
    return versions.startswith(plain) or plain.startswith(versions)


def _add_chosen(plan: Plan) -> None:
    """Note the devices of each value that a guest may ask for."""
    out = refused(plan.policy)
    for kind, value, devices in _served(plan):
        if value in out.get(kind, ()):
            continue
        for device in filter(_possible, devices):
            note(plan.devices, device, _allowance(plan, kind, value))
    for (kind, value), result in catalogue.CHOSEN.items():
        if _of_arch(plan, result) and _allowed(plan.policy, kind, value):
            add(plan, result, f"{_allowance(plan, kind, value)}: ")


def _served(plan: Plan) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield each kind and value, and the devices that serve it there."""
    for kind, values in DEVICES.items():
        for value in values:
            yield kind, value, served(kind, value, plan.arch)


def _possible(device: str) -> bool:
    return device not in catalogue.XEN | catalogue.UNASKED


def _of_arch(plan: Plan, part: catalogue.Part) -> bool:
    return part.only in ("", plan.arch)


def _allowed(policy: Policy, kind: str, value: str) -> bool:
    """Return whether a guest may have a value; ``*`` is any at all."""
    rule = policy.guest_devices.get(kind)
    if rule is None:
        return True
    return bool(rule.allow.listed) if value == "*" else value in rule.allow


def _allowance(plan: Plan, kind: str, value: str) -> str:
    """Return why a guest may have a value."""
    if kind not in plan.policy.guest_devices:
        return f"no rule on {kind}"
    return f"guest_devices.{kind} allows {value}"


def _add_always(plan: Plan) -> None:
    for alway in catalogue.ALWAYS:
        if not _of_arch(plan, alway):
            continue
        if alway.unless and not _allowed(plan.policy, *alway.unless):
            continue
        add(plan, alway)


def _add_passthrough(plan: Plan) -> None:
    """Note what hands devices of the host over, where that is allowed."""
    rule = plan.policy.passthrough
    if rule is None:
        add(plan, catalogue.PASSTHROUGH, "no rule on passthrough: ")
        add(plan, catalogue.VDPA, "no rule on passthrough: ")
        return
    for name, values in rule.allow.items():
        devices = set(values.listed) - {"vdpa"}
        if devices:
            before = f"passthrough.allow.{name}: "
            add(plan, catalogue.PASSTHROUGH, before)
        if name == "ports" and "vdpa" in values:
            add(plan, catalogue.VDPA, "passthrough.allow.ports: ")


def _add_bridge(plan: Plan) -> None:
    for machine, devices in catalogue.CONVENTIONAL.items():
        needed = sorted(devices & set(plan.devices))
        if needed and machine in plan.machines:
            add(plan, catalogue.BRIDGE, f"{', '.join(needed)}: ")


def _add_inseparable(plan: Plan) -> None:
    """Note what no build leaves out that has what is needed."""
    needed: Reasons = {}
    for device in plan.devices:
        symbol = part(device)
        for item in (symbol, *SELECTS.get(symbol, ())):
            note(needed, item, f"is built with {device}")
    for machine in plan.machines:
        for symbol in sorted(SELECTED.get(machine, ())):
            for item in (symbol, *SELECTS.get(symbol, ())):
                note(needed, item, f"is built with machine type {machine}")
    for device in _known(plan):
        if device not in plan.devices and part(device) in needed:
            note(plan.devices, device, needed[part(device)][0])


def _known(plan: Plan) -> Iterator[str]:
    """Yield every device of the catalogue that this machine may have."""
    seen = set()
    for _, _, devices in _served(plan):
        for device in filter(_possible, devices):
            if device not in seen:
                seen.add(device)
                yield device


def _add_symbols(plan: Plan) -> None:
    """Note the symbol of each device, and what that one needs."""
    for device in plan.devices:
        symbol = KCONFIG.get(device)
        if symbol:
            note(plan.symbols, symbol, device)
    for symbol, others in LINKED.items():
        if symbol in plan.symbols:
            for other in others:
                note(plan.symbols, other, f"{symbol} is not linked without")


def _add_features(plan: Plan) -> None:
    """Note what ``configure`` is to switch on and off."""
    types = {plan.policy.assume.virt_type}
    if "kvm" in types:
        note(plan.features, "kvm", "assume.virt_type is kvm")
    else:
        note(plan.features, "tcg", "assume.virt_type is not kvm")
    of_arch = catalogue.FEATURES_OF[plan.arch]
    for name, why in (*catalogue.FEATURES_ON.items(), *of_arch.items()):
        note(plan.features, name, why)
    for name, why in catalogue.FEATURES_OFF.items():
        if name not in plan.features:
            note(plan.left_features, name, why)


def _leave(plan: Plan) -> None:
    """Note what is known and not needed."""
    out = refused(plan.policy)
    for kind, value, devices in _served(plan):
        for device in devices:
            if device in plan.devices:
                continue
            if device in catalogue.XEN:
                why = "for Xen's guests; Nova refuses it on KVM"
            elif value in out.get(kind, ()):
                why = refusal(plan, kind, [value])
            else:
                why = "Nova never asks for 3D acceleration"
            note(plan.left_devices, device, why)
    for result in (catalogue.PASSTHROUGH, catalogue.BRIDGE):
        for device in result.devices:
            if device not in plan.devices:
                note(plan.left_devices, device, f"nothing needs {result.why}")

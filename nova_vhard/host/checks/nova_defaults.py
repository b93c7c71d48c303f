# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-08: Nova's own defaults are those that the policy assumes."""

from collections.abc import Iterator
from typing import Any

from nova_vhard.catalogue.machines import NOVA_MACHINE_TYPES
from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    passed,
    unknown,
)
from nova_vhard.host.host import NO_POLICY, Expected, Host
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.nova.nova_facts import NovaFacts


class NovaDefaults(Check):
    """An image that says nothing gets what the policy judged.

    =========  ===========================================================
    PASS       virt type, machine type of each architecture, virtio for
               network cards and forced config drive match ``assume``;
               also pointer and CPU mode if a rule depends on them
    FAIL       a setting differs from ``assume``
    UNKNOWN    there is no policy to compare with, or Nova's settings
               cannot be read
    =========  ===========================================================
    """

    name = "nova_defaults"
    id = "Check-Virt-08"
    title = "Nova's defaults match the policy's assumptions"
    guide = (
        "Beyond the guide: if an image does not set a property, the host's "
        "nova.conf decides, and the policy must know the result"
    )
    meaning = (
        "virt_type, hw_machine_type, use_virtio_for_bridges, "
        "force_config_drive, pointer_model and cpu_mode of this host match "
        "the section assume of the policy, so that a guest gets the "
        "devices that the gates checked."
    )
    remediation = (
        "Correct nova.conf on this host and restart nova-compute, or "
        "correct the section assume of the policy."
    )

    def answer(self, host: Host) -> Answer:
        """Compare Nova's settings with the policy's assumptions."""
        facts = nova_facts.read(host)
        different = []
        for name, result, assumed in _compared(facts, host.expected):
            host.root.note(f"{facts.path}: {name} = {result}")
            if result != assumed:
                different.append(
                    f"{name} is {result}, but the policy assumes {assumed}"
                )
        host.root.note(
            *(
                f"{facts.path}: {name} = {result}"
                for name, result in _named(facts)
            )
        )
        # After the notes: the evidence is useful without a policy, too.
        if not host.expected.policy:
            return unknown("there is no policy to compare with", NO_POLICY)
        if different:
            return failed("; ".join(different))
        return passed("Nova's defaults match the policy's assumptions")


def _compared(
    facts: NovaFacts, expected: Expected
) -> Iterator[tuple[str, Any, Any]]:
    """Yield an option, its value, and the value that the policy assumes."""
    yield "[libvirt] virt_type", facts.virt_type, expected.virt_type
    # Of several machine types for an architecture, Nova takes the first.
    # get_default_machine_type() of nova/virt/libvirt/utils.py skips an entry
    # without a machine type.
    machines: dict[str, str] = {}
    for item in facts.hw_machine_type:
        arch, _, machine = item.partition("=")
        if machine:
            machines.setdefault(arch, machine)
    assumed = {**NOVA_MACHINE_TYPES, **expected.machine_types}
    for arch in sorted(machines.keys() | expected.machine_types.keys()):
        # Nova's own default, which is in its code and in no option.
        result = machines.get(arch) or NOVA_MACHINE_TYPES.get(arch)
        unset = "" if arch in machines else " (not set)"
        name = f"[libvirt] hw_machine_type of {arch}{unset}"
        yield name, result, assumed.get(arch)
    yield (
        "[libvirt] use_virtio_for_bridges",
        facts.use_virtio_for_bridges,
        expected.virtio_for_bridges,
    )
    yield (
        "[DEFAULT] force_config_drive",
        facts.force_config_drive,
        expected.force_config_drive,
    )
    # Only where a rule depends on it: otherwise the policy assumes nothing.
    if expected.pointer_model is not None:
        yield (
            "[DEFAULT] pointer_model",
            facts.pointer_model or "none",
            expected.pointer_model,
        )
    if expected.cpu_mode is not None:
        # Nova's default, except on Arm, where every mode has a PMU.
        yield (
            "[libvirt] cpu_mode",
            facts.cpu_mode or "host-model",
            expected.cpu_mode,
        )


def _named(facts: NovaFacts) -> Iterator[tuple[str, Any]]:
    """Yield what the policy assumes nothing of, and a reader wants to know.

    A rescue takes the devices that the rescue image asks for.
    """
    if facts.rescue_image_id:
        yield "[libvirt] rescue_image_id", facts.rescue_image_id
    yield "[DEFAULT] config_drive_format", facts.config_drive_format
    yield "[DEFAULT] pointer_model", facts.pointer_model

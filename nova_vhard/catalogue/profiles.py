# SPDX-License-Identifier: Apache-2.0
"""Profiles: named sets of host checks, for wherever checks are named.

Data only, but for ``expand``. A host meets a profile when it has passed each
of its checks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """A named set of host checks.

    :ivar name: name in policies and flavors, ``hosts-baseline``
    :ivar title: one line
    :ivar why: what is in it and what is not
    :ivar checks: names of checks
    """

    name: str
    title: str
    why: str
    checks: tuple[str, ...]


_BASELINE = (
    "nova_defaults",
    "qemu_relro",
    "qemu_canary",
    "qemu_nx",
    "qemu_pie",
    "qemu_fortify",
    "kernel_aslr",
    "mac_confinement",
    "mac_guests",
)
_PASSTHROUGH = (
    "iommu",
    "interrupt_remapping",
    "passthrough_disabled",
    "passthrough_isolated",
    "passthrough_resettable",
)

_PROFILES = (
    Profile(
        name="hosts-baseline",
        title="What an ordinary distribution's compute node can prove",
        why="The compiler hardening that distributions build QEMU with, and "
        "guests that libvirt confines. Nothing has to be bought or rebuilt. "
        "selinux_booleans is not in it: it makes no sense under AppArmor; "
        "name it beside the profile where all hosts run SELinux.",
        checks=_BASELINE,
    ),
    Profile(
        name="hosts-passthrough",
        title="What a host of devices for guests must prove",
        why="For passthrough.require: translation and interrupt remapping, "
        "and that each offered device can be taken apart from the host and "
        "be reset. A host that offers no PCI device has nothing to "
        "isolate and does not pass: where the policy allows mediated "
        "devices too, name iommu and interrupt_remapping alone. Cleaning "
        "before re-issue (passthrough_one_time_use) is not in it: virtual "
        "functions cannot be cleaned so.",
        checks=_PASSTHROUGH,
    ),
    Profile(
        name="hosts-strict",
        title="hosts-baseline, an IOMMU, a minimal QEMU and a measured boot",
        why="The host's own devices go through the IOMMU, QEMU has none of "
        "the devices that the policy refuses, and Nova offers no device. "
        "Expect to rebuild QEMU, and to boot without iommu=pt. It demands "
        "nothing of the processor, of the cage of each QEMU and of what "
        "leaves the host: name hosts-scs, guest_cage, migration_encrypted, "
        "libvirt_not_exposed and console_encrypted beside it.",
        checks=(
            *_BASELINE,
            "iommu",
            "interrupt_remapping",
            "iommu_strict",
            "passthrough_disabled",
            "qemu_minimal",
            "tpm_measured_boot",
        ),
    ),
    Profile(
        name="hosts-scs",
        title="What hosts of SCS flavors without the suffix i must prove",
        why="SCS-0100 wants the suffix i (insecure) on a flavor whose hosts "
        "lack mitigations, microcode or, on processors open to L1TF, "
        "separate threads. smt asks for the last of every processor. "
        "microcode can pass on Intel's with Linux 6.16 or later alone: "
        "elsewhere name the other two.",
        checks=("cpu_mitigations", "microcode", "smt"),
    ),
)

#: Every profile by its name.
PROFILES: Mapping[str, Profile] = {
    profile.name: profile for profile in _PROFILES
}


def expand(names: Iterable[str]) -> frozenset[str]:
    """Return the checks, with each profile replaced by its checks.

    A name that is not a profile is kept, even if no such check exists.
    """
    sets = (PROFILES[n].checks if n in PROFILES else (n,) for n in names)
    return frozenset().union(*sets)

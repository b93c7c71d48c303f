# SPDX-License-Identifier: Apache-2.0
"""Names of all host checks: the checks that a policy may require.

The title, meaning and fix of a check are in nova_vhard/host/checks. Checks of
other packages are found by their entry points; none is loaded here.
"""

import re
from collections.abc import Iterator, Mapping
from importlib import metadata

#: Where checks are plugged in.
NAMESPACE = "nova_vhard.host_checks"

#: Ours, in the order of the documentation: name to number there.
OURS: Mapping[str, str] = {
    "iommu": "Check-Virt-01",
    "interrupt_remapping": "Check-Virt-02",
    "iommu_strict": "Check-Virt-03",
    "passthrough_disabled": "Check-Virt-04",
    "passthrough_isolated": "Check-Virt-05",
    "passthrough_resettable": "Check-Virt-06",
    "passthrough_one_time_use": "Check-Virt-07",
    "nova_defaults": "Check-Virt-08",
    "qemu_relro": "Check-Virt-10",
    "qemu_canary": "Check-Virt-11",
    "qemu_nx": "Check-Virt-12",
    "qemu_pie": "Check-Virt-13",
    "qemu_fortify": "Check-Virt-14",
    "kernel_aslr": "Check-Virt-15",
    "qemu_minimal": "Check-Virt-16",
    "mac_confinement": "Check-Virt-20",
    "mac_guests": "Check-Virt-21",
    "mac_images": "Check-Virt-22",
    "selinux_booleans": "Check-Virt-23",
    "tpm_measured_boot": "Check-Virt-30",
    "cpu_mitigations": "Check-Virt-31",
    "smt": "Check-Virt-32",
    "memory_sharing": "Check-Virt-33",
    "nested_off": "Check-Virt-34",
    "microcode": "Check-Virt-35",
    "guest_cage": "Check-Virt-40",
    "migration_encrypted": "Check-Virt-41",
    "libvirt_not_exposed": "Check-Virt-42",
    "console_encrypted": "Check-Virt-43",
    "guard_in_force": "Check-Virt-44",
}

#: What no host says of itself: a verifier off the host has just verified the
#: machine. A policy requires it as it requires a check.
ATTESTED = "attested"

# A name makes a trait (``CUSTOM_VHARD_<NAME>``). That of a report's hour is no
# check's to claim, nor is the attestor's.
_NAME = re.compile(rf"(?!reported|{ATTESTED}\Z)[a-z][a-z0-9_]{{0,63}}")


def is_name(name: str) -> bool:
    """Return whether a check may have a name."""
    return bool(_NAME.fullmatch(name))


def _others() -> Iterator[str]:
    """Yield the names of the checks of other packages.

    Every service of ours and every command does so once, and a service has
    hundreds of packages: those that do not name the group are not parsed.
    """
    for package in metadata.distributions():
        if NAMESPACE in (package.read_text("entry_points.txt") or ""):
            for point in package.entry_points.select(group=NAMESPACE):
                if point.name not in OURS and is_name(point.name):
                    yield point.name


#: Every check that is known: name to number, which is empty of others'.
CHECKS: Mapping[str, str] = {**OURS, **dict.fromkeys(sorted(_others()), "")}

#: What a policy or a flavor may require of a host.
REQUIRABLE = (*CHECKS, ATTESTED)

# SPDX-License-Identifier: Apache-2.0
"""Controls of other guides that correspond to host checks. Data only.

A check corresponds to a control if its PASS is evidence for a part of it;
a check alone never meets a control. Sources: NIST SP 800-53 revision 5, the
standards of the Sovereign Cloud Stack, and the subjects of VMware's vSphere
Security Configuration Guide, whose numbers change with each edition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Controls:
    """Controls of other guides for one check.

    :ivar nist: controls of NIST SP 800-53, as OSCAL spells them
    :ivar scs: standard of the Sovereign Cloud Stack; empty for none
    :ivar vmware: subject in VMware's guide; empty for none
    """

    nist: tuple[str, ...]
    scs: str = ""
    vmware: str = ""


_ISOLATION = Controls(("sc-39",), vmware="PCI passthrough is avoided")
_REUSE = Controls(("sc-4",))
_MEMORY = Controls(("si-16",))
_MANDATORY = Controls(("ac-3.3", "sc-39"))
_FUNCTIONS = Controls(("cm-7",))
_INSUFFICIENT = "SCS-0100, suffix i"

#: Name of a check to what it corresponds to.
CONTROLS: Mapping[str, Controls] = MappingProxyType(
    {
        "iommu": _ISOLATION,
        "interrupt_remapping": _ISOLATION,
        "iommu_strict": _ISOLATION,
        "passthrough_disabled": Controls(
            ("cm-7",), vmware="PCI passthrough is avoided"
        ),
        "passthrough_isolated": _ISOLATION,
        "passthrough_resettable": _REUSE,
        "passthrough_one_time_use": _REUSE,
        "nova_defaults": Controls(("cm-6",)),
        "qemu_relro": _MEMORY,
        "qemu_canary": _MEMORY,
        "qemu_nx": _MEMORY,
        "qemu_pie": _MEMORY,
        "qemu_fortify": _MEMORY,
        "kernel_aslr": _MEMORY,
        "qemu_minimal": Controls(
            ("cm-7",), vmware="devices that are not needed are removed"
        ),
        "mac_confinement": _MANDATORY,
        "mac_guests": _MANDATORY,
        "mac_images": _MANDATORY,
        "selinux_booleans": _FUNCTIONS,
        "tpm_measured_boot": Controls(
            ("si-7.9",), vmware="TPM 2.0, Secure Boot and attestation"
        ),
        "cpu_mitigations": Controls(("si-2", "sc-4"), _INSUFFICIENT),
        "smt": Controls(
            ("sc-4",), _INSUFFICIENT, "warnings on hyperthreading are shown"
        ),
        "memory_sharing": Controls(
            ("sc-4",), vmware="transparent page sharing between guests is off"
        ),
        "nested_off": _FUNCTIONS,
        "microcode": Controls(
            ("si-2",), _INSUFFICIENT, "firmware and microcode are of today"
        ),
        "guest_cage": Controls(("ac-6", "sc-39")),
        "migration_encrypted": Controls(
            ("sc-8.1",), vmware="vMotion is encrypted"
        ),
        "libvirt_not_exposed": Controls(
            ("ac-17.2",), vmware="access to the host's management by TLS"
        ),
        "console_encrypted": Controls(
            ("sc-8.1",), vmware="console connections are limited"
        ),
        "guard_in_force": Controls(("cm-7.2",)),
    }
)

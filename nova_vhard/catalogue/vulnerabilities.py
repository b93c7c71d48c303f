# SPDX-License-Identifier: Apache-2.0
"""Vulnerabilities of processors, by what a guest can do with them.

The names are those of the kernel's files. Data only. Source: the table
"Summary of attack-vector mitigations" in
Documentation/admin-guide/hw-vuln/attack_vector_controls.rst of the kernel,
columns Guest-to-Host, Guest-to-Guest and Cross-Thread; multihit.rst and
vmscape.rst beside it; arch/riscv for ghostwrite.
"""

#: A guest can use them against its host or another guest.
OF_GUESTS = frozenset(
    (
        "gather_data_sampling",
        "ghostwrite",
        "indirect_target_selection",
        "itlb_multihit",
        "l1tf",
        "mds",
        "mmio_stale_data",
        "reg_file_data_sampling",
        "retbleed",
        "spec_rstack_overflow",
        "spectre_v2",
        "srbds",
        "tsa",
        "tsx_async_abort",
        "vmscape",
    )
)

#: Kernels that know them show them on every machine, but for one of RISC-V's.
KNOWN = OF_GUESTS - {"ghostwrite"}

#: Programs use them against the kernel that they run on, or one another: a
#: guest's against that guest.
OF_PROGRAMS = frozenset(("meltdown", "spec_store_bypass", "spectre_v1"))

#: No vulnerability: a comparison, which Check-Virt-35 judges.
OLD_MICROCODE = "old_microcode"

# SPDX-License-Identifier: Apache-2.0
"""Two hosts: nothing is open on the one, and everything on the other.

The kernel's words are those of emulated processors and of its sources.
"""

from tests.trees import facts

VULNERABILITIES = "/sys/devices/system/cpu/vulnerabilities"
CPU = "/sys/devices/system/cpu"
KSM = "/sys/kernel/mm/ksm"
NESTED = "/sys/module/kvm_intel/parameters/nested"

INTEL = {"/proc/cpuinfo": "vendor_id\t: GenuineIntel\nmicrocode\t: 0x1\n"}


def words(**texts):
    """Return the kernel's words on vulnerabilities, by their names."""
    return {
        f"{VULNERABILITIES}/{name}": f"{text}\n"
        for name, text in texts.items()
    }


GOOD = {
    **INTEL,
    **facts(),
    **words(
        gather_data_sampling="Mitigation: Microcode",
        itlb_multihit="KVM: Mitigation: Split huge pages",
        l1tf="Mitigation: PTE Inversion; VMX: cache flushes, SMT disabled",
        mds="Mitigation: Clear CPU buffers; SMT disabled",
        meltdown="Not affected",
        old_microcode="Not affected",
        retbleed="Mitigation: Enhanced IBRS",
        spec_store_bypass="Vulnerable",
        spectre_v1="Mitigation: usercopy/swapgs barriers and __user pointer "
        "sanitization",
        spectre_v2="Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; "
        "STIBP: disabled; PBRSB-eIBRS: Not affected; BHI: Vulnerable, KVM: "
        "SW loop",
        vmscape="Mitigation: IBPB before exit to userspace",
    ),
    f"{CPU}/smt/active": "0\n",
    f"{CPU}/smt/control": "off\n",
    f"{KSM}/run": "2\n",
    NESTED: "N\n",
}

BAD = {
    **INTEL,
    **facts(),
    **words(
        gather_data_sampling="Vulnerable: No microcode",
        itlb_multihit="KVM: Vulnerable",
        l1tf="Mitigation: PTE Inversion; VMX: vulnerable, SMT vulnerable",
        mds="Vulnerable; SMT vulnerable",
        meltdown="Vulnerable",
        old_microcode="Vulnerable",
        retbleed="Vulnerable",
        spec_store_bypass="Vulnerable",
        spectre_v1="Vulnerable: __user pointer sanitization and usercopy "
        "barriers only; no swapgs barriers",
        spectre_v2="Vulnerable; IBPB: disabled; STIBP: disabled; PBRSB-eIBRS: "
        "Vulnerable; BHI: Vulnerable",
        vmscape="Vulnerable",
    ),
    f"{CPU}/smt/active": "1\n",
    f"{CPU}/smt/control": "on\n",
    f"{KSM}/run": "1\n",
    NESTED: "Y\n",
}

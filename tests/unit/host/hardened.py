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


# Numbers of mounts are of one namespace each.
MOUNT = "{} 1 0:5 / / rw - ext4 /dev/vda rw\n"
STATUS = """Name:\tqemu-system-x86
Uid:\t{uid}\t{uid}\t{uid}\t{uid}
CapPrm:\t{capabilities}
CapEff:\t{capabilities}
NoNewPrivs:\t{caged}
Seccomp:\t{seccomp}
"""
CAGED = STATUS.format(
    uid=64055, capabilities="0000000000000000", caged=1, seccomp=2
)
OPEN = STATUS.format(
    uid=0, capabilities="000001ffffffffff", caged=0, seccomp=0
)
TCP = "  sl  local_address rem_address   st\n"
LISTENS = (
    "   0: {}:{:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000"
    "     0        0 {} 1 0000000000000000 100 0 0 10 0\n"
)
ANY = "00000000"
QEMU = "/usr/bin/qemu-system-x86_64"
STAT = "{} (x) S 1 " + "0 " * 17 + "100 0\n"


def tcp(*listening):
    """Return the listeners of a process: address, port and inode of each."""
    return TCP + "".join(LISTENS.format(*each) for each in listening)


def process(pid, command, mounts=0, listening=(), status=""):
    """Return the files of a process in /proc."""
    place = f"/proc/{pid}"
    return {
        f"{place}/cmdline": "\0".join((*command, "")),
        f"{place}/comm": f"{command[0].rpartition('/')[2][:15]}\n",
        f"{place}/exe": f"-> {command[0]}",
        f"{place}/stat": STAT.format(pid),
        f"{place}/mountinfo": MOUNT.format(mounts or pid),
        f"{place}/net/tcp": tcp(*listening),
        f"{place}/status": status or "Name:\tx\n",
        f"{place}/fd": None,
    }


def guest(pid, words=(), **more):
    """Return the files of a guest's process."""
    command = (QEMU, "-name", f"guest=vm{pid}", "-machine", "q35", *words)
    return process(pid, command, **more)


#: Whoever sees the kernel's threads sees every process.
WHOLE = {
    "/proc/2/comm": "kthreadd\n",
    "/proc/2/cmdline": "",
    "/proc/stat": "btime 1700000000\n",
    "/etc/libvirt/qemu": None,
}

GOOD = {
    **WHOLE,
    **process(1, ["/sbin/init"]),
    **process(50, ["/usr/sbin/libvirtd"], listening=[(ANY, 16514, 1)]),
    **guest(70, ["-vnc", "127.0.0.1:0"], status=CAGED),
    **INTEL,
    **facts(libvirt={"live_migration_with_native_tls": True}),
    **words(
        gather_data_sampling="Mitigation: Microcode",
        indirect_target_selection="Mitigation: Aligned branch/return thunks",
        itlb_multihit="KVM: Mitigation: Split huge pages",
        l1tf="Mitigation: PTE Inversion; VMX: cache flushes, SMT disabled",
        mds="Mitigation: Clear CPU buffers; SMT disabled",
        meltdown="Not affected",
        mmio_stale_data="Not affected",
        old_microcode="Not affected",
        reg_file_data_sampling="Not affected",
        retbleed="Mitigation: Enhanced IBRS",
        spec_rstack_overflow="Not affected",
        spec_store_bypass="Vulnerable",
        spectre_v1="Mitigation: usercopy/swapgs barriers and __user pointer "
        "sanitization",
        spectre_v2="Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; "
        "STIBP: disabled; PBRSB-eIBRS: Not affected; BHI: Vulnerable, KVM: "
        "SW loop",
        srbds="Not affected",
        tsa="Not affected",
        tsx_async_abort="Mitigation: TSX disabled",
        vmscape="Mitigation: IBPB before exit to userspace",
    ),
    f"{CPU}/smt/active": "0\n",
    f"{CPU}/smt/control": "off\n",
    f"{KSM}/run": "2\n",
    f"{KSM}/pages_sharing": "0\n",
    NESTED: "N\n",
}

BAD = {
    **WHOLE,
    **process(1, ["/sbin/init"]),
    **process(50, ["/usr/sbin/libvirtd"], listening=[(ANY, 16509, 1)]),
    **guest(70, ["-vnc", "0.0.0.0:0"], status=OPEN, mounts=50),
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

# SPDX-License-Identifier: Apache-2.0
"""Parts of a QEMU build for a compute node that guests do not choose.

Data only. Devices that Nova and libvirt add on their own, from Nova 34's
``nova/virt/libvirt/driver.py`` and libvirt 11.3; features of QEMU 10.0's
``configure``; compiler options. The reason of each is written into the plan
and the generated files.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from nova_vhard.catalogue.kinds import words


@dataclass(frozen=True)
class Part:
    """A part of a build, and why it is there.

    :ivar devices: names of ``-device help``
    :ivar symbols: of QEMU's Kconfig
    :ivar options: of QEMU's ``configure``
    :ivar unless: device kind and value; a policy that refuses it refuses
        the part
    :ivar only: architecture that has the part; empty for each
    """

    why: str
    devices: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    unless: tuple[str, str] | None = None
    only: str = ""


_X86, _ARM = "x86_64", "aarch64"

#: Machine type to its board. Nova starts no guest on another of x86's, and
#: on another of Arm's only where an image names it.
MACHINES: Mapping[str, Part] = {
    "q35": Part(
        "the machine with PCI Express",
        devices=("pcie-root-port",),
        symbols=("Q35", "PCIE_PORT"),
        only=_X86,
    ),
    "pc": Part(
        "the machine of 1996, with its IDE and USB controllers",
        devices=("pci-bridge",),
        symbols=("I440FX", "PCI_BRIDGE"),
        only=_X86,
    ),
    "virt": Part(
        "the generic machine",
        devices=("pcie-root-port",),
        symbols=("ARM_VIRT", "PCIE_PORT"),
        only=_ARM,
    ),
}

#: What each guest gets, or may get, whatever its image says.
ALWAYS = (
    Part(
        "each guest of a full QEMU has VMware's mouse, since nobody "
        "switches vmport off, and cannot be migrated to a QEMU without it",
        devices=("vmmouse",),
        symbols=("VMPORT", "VMMOUSE"),
        only=_X86,
    ),
    Part(
        "Nova adds a balloon while [libvirt] mem_stats_period_seconds is "
        "over 0, its default",
        devices=("virtio-balloon-pci",),
        symbols=("VIRTIO_PCI", "VIRTIO_BALLOON"),
    ),
    Part(
        "Nova adds a random number generator unless the flavor forbids it",
        devices=("virtio-rng-pci",),
        symbols=("VIRTIO_RNG",),
        unless=("rng_model", "virtio"),
    ),
    Part(
        "libvirt's channels, such as the guest agent's; servers that exist "
        "may have one, and can be moved here",
        devices=words("virtio-serial-pci virtserialport virtconsole"),
        symbols=("VIRTIO_SERIAL",),
    ),
    Part(
        "Nova adds a serial port for the console and its log",
        devices=("isa-serial",),
        symbols=("SERIAL_ISA",),
        only=_X86,
    ),
    Part(
        "Nova switches it on for every guest without encrypted memory; "
        "comes with the machine",
        devices=("vmcoreinfo",),
    ),
    Part(
        "keyboard and mouse of the machine, for the console",
        devices=("i8042",),
        only=_X86,
    ),
    Part(
        "Nova adds a USB keyboard to a guest that has a console and whose "
        "image has no hw_input_bus: the machine has none of its own",
        devices=words("usb-kbd qemu-xhci"),
        symbols=("USB_HID", "USB_XHCI_PCI"),
        unless=("input_bus", "usb"),
        only=_ARM,
    ),
    Part(
        "enlightenments that Nova switches on for os_type windows",
        symbols=("HYPERV",),
        only=_X86,
    ),
)

#: Device kind and value to the part it needs that is not a ``-device``.
CHOSEN: Mapping[tuple[str, str], Part] = {
    ("hpet", "true"): Part("the timer", symbols=("HPET",), only=_X86),
    ("mem_encryption", "true"): Part("AMD's SEV", symbols=("SEV",), only=_X86),
    # Any namespace, whatever its name.
    ("pmem", "*"): Part(
        "virtual persistent memory; libvirt asks for pmem=on",
        devices=("nvdimm",),
        symbols=("NVDIMM",),
        options=("libpmem",),
    ),
    **{
        ("emulation_architecture", name): Part(
            "guests without hardware virtualization",
            options=("tcg",),
            only=name,
        )
        for name in (_X86, _ARM)
    },
    ("video_model", "qxl"): Part("QXL is SPICE's", options=("spice",)),
    ("redirected_usb_ports", "1"): Part(
        "USB devices of a console client, over SPICE",
        options=words("spice usb-redir"),
    ),
    ("tpm_model", "tpm-crb"): Part(
        "a TPM, which is swtpm's",
        symbols=("TPM_EMULATOR",),
        options=("tpm",),
        only=_X86,
    ),
    ("tpm_model", "tpm-tis"): Part(
        "a TPM, which is swtpm's",
        symbols=("TPM_EMULATOR",),
        options=("tpm",),
    ),
}

#: Where the policy allows any passthrough at all.
PASSTHROUGH = Part(
    "devices of the host, and mediated ones",
    devices=("vfio-pci",),
    symbols=("VFIO_PCI",),
)
#: Where it allows ports of this kind.
VDPA = Part("vDPA ports", options=("vhost-vdpa",))

_CONVENTIONAL = frozenset(
    words(
        "AC97 ES1370 intel-hda i6300esb e1000 ne2k_pci pcnet rtl8139 "
        "lsi53c895a mptsas1068 megasas pvscsi vmxnet3 cirrus-vga "
        "vmware-svga usb-ehci pci-ohci piix3-usb-uhci"
    )
)
#: Machine type to its conventional PCI devices: libvirt puts them behind a
#: bridge. On q35 SATA is the machine's own, and VGA on its root.
CONVENTIONAL: Mapping[str, frozenset[str]] = {
    "q35": _CONVENTIONAL,
    "virt": _CONVENTIONAL | {"ich9-ahci", "ich9-intel-hda", "VGA"},
}
BRIDGE = Part(
    "libvirt puts conventional PCI devices behind it",
    devices=("pcie-pci-bridge", "pci-bridge"),
    symbols=("PCIE_PCI_BRIDGE", "PCI_BRIDGE"),
)

#: Devices that serve a value only where something else than Nova asks for
#: them: 3D acceleration, which Nova never switches on.
UNASKED = frozenset(
    words("virtio-gpu-gl-pci virtio-gpu-gl-device virtio-vga-gl")
)
#: Devices of Xen guests: Nova refuses them on KVM and QEMU.
XEN = frozenset(words("xen-disk xen-cdrom xen-net-device"))

#: Feature of ``configure`` to why each build has it.
FEATURES_ON: Mapping[str, str] = {
    "vnc": "Nova's graphical console",
    "pixman": "VNC and every graphics card draw with it",
    "gnutls": "TLS of VNC, of migrations and of NBD; LUKS",
    "seccomp": "libvirt switches QEMU's sandbox on",
    "linux-aio": "Nova asks for native I/O on block devices",
    "linux-io-uring": "libvirt's third way of I/O, for operators who choose",
    "numa": "guests with a NUMA topology or huge pages",
    "vhost-kernel": "the host kernel's part of virtio-net",
    "vhost-net": "without it each packet goes through QEMU",
    "vhost-user": "ports of vif type vhostuser (OVS with DPDK)",
    "zstd": "compressed migrations and qcow2 clusters",
    "stack-protector": "canaries, also where the flags come from elsewhere",
    "malloc-trim": "gives memory back to the host; needs no library",
    "membarrier": "cheaper barriers; needs no library",
}
#: Architecture to those that its builds have beside these.
FEATURES_OF: Mapping[str, Mapping[str, str]] = {
    _X86: {"avx2": "finds zero pages in migrations faster"},
    _ARM: {"fdt": "the machine describes itself by a device tree"},
}

#: Feature of ``configure`` to why a build lacks it that nothing asks for.
FEATURES_OFF: Mapping[str, str] = {
    "tcg": "no security boundary to QEMU's developers",
    "spice": "Nova's VNC console needs none of it",
    "usb-redir": "USB devices of a console client",
    "libusb": "Nova gives no USB device of the host away",
    "smartcard": "Nova has no smart cards",
    "u2f": "Nova has no such keys",
    "canokey": "Nova has no such keys",
    "tpm": "no emulated TPM is allowed",
    "opengl": "Nova asks for no 3D acceleration",
    "virglrenderer": "a compiler of the guest's shaders in the host",
    "rutabaga-gfx": "as virglrenderer",
    "gtk": "no window on a compute node",
    "sdl": "no window on a compute node",
    "curses": "no terminal on a compute node",
    "dbus-display": "no window on a compute node",
    "brlapi": "no braille display on a compute node",
    "vnc-sasl": "libvirt's VNC of Nova uses TLS certificates or nothing",
    "vnc-jpeg": "a decoder's library for pictures that noVNC can do without",
    "png": "only for screenshots of the monitor",
    "slirp": "Neutron's ports are taps and sockets",
    "vde": "Neutron's ports are taps and sockets",
    "l2tpv3": "Neutron's ports are taps and sockets",
    "netmap": "Neutron's ports are taps and sockets",
    "af-xdp": "Neutron's ports are taps and sockets",
    "bpf": "RSS filters, which Nova does not ask for",
    "virtfs": "Nova shares folders by virtiofs, never by 9p",
    "curl": "Nova reads no image from the web",
    "libssh": "Nova reads no image over SSH",
    "libnfs": "the host's kernel mounts NFS",
    "libiscsi": "the host's kernel attaches iSCSI",
    "glusterfs": "OpenStack has no such driver any more",
    "rbd": "the policy says nothing on storage; --with rbd where hosts use "
    "Ceph",
    "blkio": "Nova asks for no such block device",
    "mpath": "persistent reservations are for SCSI passthrough",
    "fuse": "an export of qemu-storage-daemon",
    "rdma": "libvirt's migrations of Nova go over TCP",
    "replication": "COLO, which Nova does not use",
    "colo-proxy": "COLO, which Nova does not use",
    "multiprocess": "device models in other processes, which libvirt lacks",
    "vfio-user-server": "device models in other processes",
    "xen": "these hosts run KVM",
    "xen-pci-passthrough": "these hosts run KVM",
    "vhost-vdpa": "no vDPA port is allowed",
    "vhost-crypto": "Nova adds no such device",
    "vhost-user-blk-server": "an export of qemu-storage-daemon",
    "libpmem": "no persistent memory of the host may be asked for",
    "plugins": "code that is loaded into QEMU at run time",
    "modules": "code that is loaded into QEMU at run time: a package more "
    "would bring devices back",
    "guest-agent": "a program for guests, in a package of its own",
    "tools": "qemu-img comes from the distribution's qemu-utils",
    "docs": "nothing that runs",
    "bochs": "a format that Nova does not start guests from",
    "cloop": "a format that Nova does not start guests from",
    "dmg": "a format that Nova does not start guests from",
    "parallels": "a format that Nova does not start guests from",
    "qcow1": "a format that Nova does not start guests from",
    "qed": "a format that Nova does not start guests from",
    "vdi": "a format that Nova does not start guests from",
    "vhdx": "a format that Nova does not start guests from",
    "vmdk": "qemu-img converts it when Nova fetches the image",
    "vpc": "a format that Nova does not start guests from",
    "vvfat": "a folder of the host as a disk, which Nova does not use",
}

_REFUSED_BY_LIBVIRT = Part(
    "libvirt 11.3 refuses the attributes that Nova 34 writes with it"
)
#: Device kind and value to why no build from this plan starts such a guest.
UNSTARTED: Mapping[tuple[str, str], Part] = {
    ("mem_encryption_model", "intel-tdx"): Part(
        "QEMU has TDX from 10.1 on. With such a source add CONFIG_TDX=y "
        "to devices.mak; before, no such guest starts",
        only=_X86,
    ),
    ("mem_encryption", "true"): Part(
        "only on processors that have it. Nova's domains were generated, "
        "but not started",
        only=_X86,
    ),
    ("firmware_stateless", "true"): Part(
        "libvirt 11.3 knows no stateless firmware in Debian 13's OVMF; "
        "SEV-SNP and TDX need one, too"
    ),
    ("viommu_model", "auto"): _REFUSED_BY_LIBVIRT,
    ("viommu_model", "virtio"): _REFUSED_BY_LIBVIRT,
    ("emulation_architecture", "*"): Part(
        "a guest of another architecture needs the emulator of that one, "
        "which is a package of its own"
    ),
}

#: What an operator may add, and no policy has a word for.
EXTRAS: Mapping[str, Part] = {
    "rbd": Part("volumes and images in Ceph", options=("rbd",)),
    "spice": Part("[spice] enabled of nova.conf", options=("spice",)),
    "tcg": Part("hosts without hardware virtualization", options=("tcg",)),
    "usb-tablet": Part(
        "[DEFAULT] pointer_model = usbtablet of nova.conf, its default: "
        "a tablet for each guest",
        devices=("usb-tablet", "qemu-xhci"),
        symbols=("USB_HID", "USB_XHCI_PCI"),
    ),
}


@dataclass(frozen=True)
class Flag:
    """An option of the compiler or the linker.

    :ivar linker: whether it is for linking alone
    :ivar only: architecture whose compiler has it; empty for each
    """

    text: str
    why: str
    linker: bool = False
    only: str = ""


#: The guide's options (compute, hardening the virtualization layers), in
#: today's spelling.
FLAGS = (
    Flag("-O2", "FORTIFY works in an optimized build only"),
    Flag(
        "-fstack-protector-strong",
        "canaries in each function with an array or an address on its "
        "stack; the guide's -fstack-protector-all puts them into all others "
        "too, and its ssp-buffer-size has no meaning then",
    ),
    Flag(
        "-fstack-clash-protection",
        "a large stack frame cannot jump over the guard page",
    ),
    Flag(
        "-fcf-protection=full",
        "indirect jumps and returns are checked where the CPU can",
        only=_X86,
    ),
    Flag(
        "-mbranch-protection=standard",
        "indirect jumps are checked and return addresses signed where the "
        "CPU can",
        only=_ARM,
    ),
    Flag(
        "-ftrivial-auto-var-init=zero",
        "nothing left on the stack leaks; QEMU 9 and later has it anyway",
    ),
    Flag(
        "-Wformat -Werror=format-security",
        "no format string from a variable",
    ),
    Flag(
        "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3",
        "glibc's checked functions; the guide's level 2 does not see sizes "
        "that are known at run time only",
    ),
    Flag("-Wl,-z,relro", "the loader's tables are read-only", linker=True),
    Flag(
        "-Wl,-z,now",
        "all of them, since nothing is bound late: full RELRO",
        linker=True,
    ),
    Flag("-Wl,-z,noexecstack", "no executable stack", linker=True),
    Flag(
        "-Wl,--as-needed",
        "no library that nothing is used of",
        linker=True,
    ),
)
#: The guide's options that are not here, and why.
NOT_FLAGS: Mapping[str, str] = {
    "-arch x86_64": "is Apple's; the compiler builds for the host",
    "-ftrapv": "QEMU counts on wrapping (it sets -fwrapv) and would abort",
    "-pie -fPIE": "configure sets both by --enable-pie",
}

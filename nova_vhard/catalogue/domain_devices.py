# SPDX-License-Identifier: Apache-2.0
"""Devices in the XML of a libvirt domain that are of no device kind.

Data only: what is the host's own, what every guest may have, and what a
policy has no word for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from nova_vhard.catalogue.xml_location import XmlPlace


@dataclass(frozen=True, kw_only=True, slots=True)
class HostDevicePlace:
    """Elements of a domain that pass a device of the host to the guest.

    :ivar places: paths of the elements
    :ivar flavor: lists of ``passthrough.allow`` for devices of this kind that
        a flavor can request
    :ivar kind: list for a device that no flavor requests
    :ivar names: names in that list that allow it
    """

    places: tuple[XmlPlace, ...]
    flavor: tuple[str, ...] = ()
    kind: str
    names: tuple[str, ...]


#: Stands in no list: only ``*`` allows it.
UNKNOWN_DEVICE = "unknown"

HOST_DEVICES = (
    HostDevicePlace(
        places=(XmlPlace(path="devices/hostdev[@type='pci']"),),
        flavor=("aliases", "device_profiles"),
        kind="ports",
        names=("pf",),
    ),
    HostDevicePlace(
        places=(XmlPlace(path="devices/hostdev[@type='mdev']"),),
        flavor=("mdev", "device_profiles"),
        kind="mdev",
        names=(UNKNOWN_DEVICE,),
    ),
    HostDevicePlace(
        places=(
            XmlPlace(path="devices/interface[@type='hostdev']"),
            # vnic type macvtap
            XmlPlace(path="devices/interface/source[@mode='passthrough']"),
        ),
        kind="ports",
        names=("vf", "remote_managed"),
    ),
    HostDevicePlace(
        places=(XmlPlace(path="devices/interface[@type='vdpa']"),),
        kind="ports",
        names=("vdpa",),
    ),
    HostDevicePlace(
        places=(
            XmlPlace(path="devices/disk[@type='nvme']"),
            XmlPlace(path="devices/disk[@type='vhostvdpa']"),
        ),
        kind="aliases",
        names=(UNKNOWN_DEVICE,),
    ),
)

#: Elements below ``<devices>`` that are judged, or that every guest may have.
KNOWN_DEVICES = frozenset(
    (
        *("audio", "channel", "console", "controller", "disk", "emulator"),
        *("filesystem", "graphics", "hostdev", "hub", "input", "interface"),
        *("iommu", "memballoon", "memory", "nvram", "panic", "redirdev"),
        *("redirfilter", "rng", "serial", "sound", "tpm", "video"),
        "watchdog",
    )
)

#: Elements below ``<domain>`` that are judged, or that give a guest no device.
#: ``genid`` is not among them: it is a device that has no place in <devices>.
KNOWN_ELEMENTS = frozenset(
    (
        *("blkiotune", "clock", "cpu", "cputune", "currentMemory"),
        *("defaultiothread", "description", "devices", "features"),
        *("iothreadids", "iothreads", "keywrap", "launchSecurity"),
        *("maxMemory", "memory", "memoryBacking", "memtune", "metadata"),
        *("name", "numatune", "on_crash", "on_lockfailure", "on_poweroff"),
        *("on_reboot", "os", "perf", "pm", "resource", "seclabel", "sysinfo"),
        *("throttlegroups", "title", "uuid", "vcpu", "vcpus"),
    )
)

#: Elements below ``<os>`` that are judged, or that Nova makes.
KNOWN_SYSTEM = frozenset(
    (
        *("acpi", "bios", "boot", "bootmenu", "cmdline", "dtb", "firmware"),
        *("initrd", "kernel", "loader", "nvram", "smbios", "type"),
    )
)

#: Elements of other namespaces below ``<domain>`` that give a guest nothing.
HARMLESS = frozenset(
    ("{http://libvirt.org/schemas/domain/qemu/1.0}deprecation",)
)

# Where a guest's disk, or an image that it is based on, may be.
_STORED = ("block", "file", "network")


def _image(path: str) -> XmlPlace:
    """Return the place of images below a disk."""
    return XmlPlace(
        path=path, value="@type", missing={"": "file"}, added={"": _STORED}
    )


def _port(name: str) -> XmlPlace:
    """Return the place of what Nova connects to a file or a socket.

    Others are devices of the host, whatever these are.
    """
    return XmlPlace(
        path=f"devices/{name}",
        value="@type",
        added={"": ("file", "null", "pty", "spicevmc", "tcp", "unix")},
    )


def _other(
    path: str, value: str, *made: str, missing: str | None = None
) -> XmlPlace:
    """Return the place of a value that counts unless Nova sets it.

    :param made: values that Nova, or libvirt for it, sets
    :param missing: libvirt's default
    """
    known = {} if missing is None else {"": missing}
    return XmlPlace(path=path, value=value, missing=known, added={"": made})


#: Ports, by the kinds of them that have a socket.
_SOCKETS = tuple(
    f"devices/{name}[@type='{kind}']/source"
    for name in ("serial", "console", "channel")
    for kind in ("tcp", "unix")
)

#: Elements and values that Nova never creates and no policy can name. Each
#: counts only inside a known element.
NO_WORD = (
    # A folder of the host, another process's disk, a volume of a pool
    XmlPlace(
        path="devices/disk",
        value="@type",
        but={"type": ("nvme", "vhostvdpa")},
        missing={"": "file"},
        added={"": _STORED},
    ),
    _image("devices/disk//backingStore"),
    _image("devices/disk//dataStore"),
    _image("devices/disk/mirror"),
    # Commands to the hardware that the kernel does not look at
    XmlPlace(
        path="devices/disk",
        value="@rawio",
        missing={"": "no"},
        added={"": ("no",)},
        words={"yes": ("rawio",)},
    ),
    XmlPlace(
        path="devices/disk",
        value="@sgio",
        missing={"": "filtered"},
        added={"": ("filtered",)},
        words={"unfiltered": ("sgio unfiltered",)},
    ),
    # Others are served by another process of the host, or are fetched from
    # anywhere: the header of an image may name http or nbd.
    _other("devices/disk//source[@protocol]", "@protocol", "rbd"),
    XmlPlace(path="devices/disk//reservations", value="source/@path"),
    # The type of a libvirt network is resolved only later: it may be a device
    # of the host.
    XmlPlace(
        path="devices/interface",
        value="@type",
        added={
            "": (
                *("bridge", "direct", "ethernet", "hostdev", "vdpa"),
                "vhostuser",
            )
        },
    ),
    # The host's own network, by a process of the host
    XmlPlace(path="devices/interface/backend[@type='passt']", value="@type"),
    *(
        _other(f"devices/interface/{name}", "@path", "none", missing="none")
        # Programs that libvirt runs on the host; Nova's are empty.
        for name in ("script", "downscript")
    ),
    _port("serial"),
    _port("console"),
    _port("channel"),
    # Nova's sockets wait for connections
    *(_other(each, "@mode", "bind", missing="connect") for each in _SOCKETS),
    # Others are on a bus of their own, or reach into the host's network.
    _other(
        "devices/console/target",
        "@type",
        "sclp",
        "sclplm",
        "serial",
        missing="serial",
    ),
    _other("devices/channel/target", "@type", "virtio", missing="virtio"),
    # libvirt's defaults; others are on a bus of their own.
    XmlPlace(
        path="devices/serial/target",
        value="@type",
        missing={"": "isa-serial"},
        added={
            "": (
                *("isa-serial", "sclp-serial", "spapr-vio-serial"),
                "system-serial",
            )
        },
    ),
    # OpenStack does not listen on others.
    *(
        XmlPlace(
            path=f"devices/channel[@type='{kind}']/target",
            value="@name",
            but={"type": ("guestfwd",)},
            added={"": ("org.qemu.guest_agent.0",)},
        )
        for kind in ("file", "null", "pty", "tcp", "unix")
    ),
    # libvirt's defaults, for machines that have the device anyway
    _other("devices/panic", "@model", "pseries", "s390"),
    _other("devices/watchdog", "@model", "diag288", "i6300esb", "itco"),
    _other("devices/redirdev", "@type", "spicevmc", missing="spicevmc"),
    # Others draw with the host's graphics card, or on its screen.
    _other("devices/graphics", "@type", "spice", "vnc"),
    _other("devices/graphics/gl", "@enable", "no", missing="yes"),
    _other("devices/video/model/acceleration", "@accel3d", "no", missing="no"),
    # Others play and record with the host's sound card, or write a file.
    _other("devices/audio", "@type", "none", "spice"),
    # Files of the host that the guest gets from its firmware, or reads itself
    _other("sysinfo", "@type", "smbios"),
    XmlPlace(
        path="os/acpi/table",
        value="@type",
    ),
    XmlPlace(path="os/dtb"),
    # The firmware's console at the serial port
    XmlPlace(
        path="os/bios",
        value="@useserial",
        missing={"": "no"},
        added={"": ("no",)},
        words={"yes": ("useserial",)},
    ),
    # Otherwise a disk of the host
    _other("os/nvram", "@type", "file", missing="file"),
    XmlPlace(path="devices/*/rom[@file]", value="@file"),
    # Others ask another process of the host.
    _other("devices/video/driver", "@name", "qemu", missing="qemu"),
    _other("devices/rng/backend", "@model", "builtin", "random"),
    # Nova's are shares of Manila
    _other("devices/filesystem", "driver/@type", "virtiofs"),
    XmlPlace(path="devices/filesystem/source[@socket]", value="@socket"),
    XmlPlace(
        path="devices/hostdev",
        value="@type",
        but={"type": ("pci", "mdev")},
    ),
    # They hand an input device of the host to the guest.
    XmlPlace(
        path="devices/input",
        value="@type",
        only={"type": ("evdev", "passthrough")},
    ),
    # They are another process's, or the host's own.
    _other("devices/tpm/backend", "@type", "emulator"),
    # Others give memory of the host, or take it back, as the guest asks.
    _other("devices/memory", "@model", "dimm", "nvdimm", "virtio-pmem"),
    # Others are a device by themselves, such as a reader of smart cards.
    XmlPlace(
        path="devices/controller",
        value="@type",
        added={
            "": ("fdc", "ide", "pci", "sata", "scsi", "usb", "virtio-serial")
        },
    ),
)

#: Option of [vhard_guard] to the places of files that must lie in one of the
#: folders that it names.
FILES: Mapping[str, tuple[XmlPlace, ...]] = {
    "disk_paths": (
        # also backing files, mirrors and data files
        XmlPlace(path="devices/disk//source", value="@file|@dev"),
        XmlPlace(path="os/kernel"),
        XmlPlace(path="os/initrd"),
    ),
    # Headers of images name these, and a tenant may have written them.
    "backing_paths": tuple(
        XmlPlace(path=f"devices/disk//{place}", value="@file|@dev")
        for place in ("backingStore//source", "dataStore/source")
    ),
    "firmware_paths": (
        XmlPlace(path="os/loader"),
        XmlPlace(path="os/nvram", value="@template"),
    ),
    "nvram_paths": (XmlPlace(path="os/nvram", value="source/@file|"),),
    "rng_paths": (XmlPlace(path="devices/rng/backend[@model='random']"),),
    "port_paths": tuple(
        XmlPlace(path=f"devices/{port}", value=value, but=but)
        for port in ("serial", "console", "channel")
        # libvirt finds the name of a pty.
        for value, but in (
            ("source/@path", {"type": ("pty",)}),
            ("log/@file", {}),
        )
    ),
    "tpm_paths": (XmlPlace(path="devices/tpm/backend/source", value="@path"),),
    "share_paths": (XmlPlace(path="devices/filesystem/source", value="@dir"),),
}

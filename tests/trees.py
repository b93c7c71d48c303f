# SPDX-License-Identifier: Apache-2.0
"""Host trees for tests: captured ones, and hand-made ones."""

import functools
import gzip
import io
import json
import os
import pathlib
import re
import tarfile
from collections.abc import Mapping
from typing import Any

CAPTURES = pathlib.Path(__file__).parent / "data" / "captures"
FACTS = "/run/nova-vhard/nova.json"

#: No host is without a driver of a PCI device.
DRIVERS = {"/sys/bus/pci/drivers/pcieport/0000:ff:1c.0": ""}


def functions_at(slots: str, groups: str = "none") -> str:
    """Return the expression of the PCI functions at some slots, all whole.

    :param slots: expression that ``bus:slot`` begins with, of each function
    :param groups: likewise for the names of their IOMMU groups
    """
    return (
        f"[.]?/?sys/(bus/pci/(devices/0000:({slots})|drivers)"
        f"|devices/pci0000:00/0000:({slots})|kernel/iommu_groups/({groups}))"
    )


@functools.cache
def _packed(name: str) -> tarfile.TarFile:
    """Return a captured tree, read once; it stays open."""
    whole = gzip.decompress((CAPTURES / f"{name}.tar.gz").read_bytes())
    packed = tarfile.open(fileobj=io.BytesIO(whole))  # noqa: SIM115
    # Links in a tree lead where they led on the host, also out of it:
    # HostRoot keeps them in. Pythons without filters need none.
    packed.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
    return packed


def capture(name: str, folder: pathlib.Path, only: str = "") -> str:
    """Unpack a captured tree; return its root.

    :param only: expression that the names of the files wanted begin with
    """
    root = folder / name
    if not root.exists():
        packed = _packed(name)
        wanted = [
            member
            for member in packed
            if not member.isdev() and re.match(only, member.name)
        ]
        packed.extractall(root, wanted)
    return str(root)


def build(
    root: pathlib.Path, content: Mapping[str, str | bytes | None]
) -> str:
    """Make a tree; return its root.

    :param content: path to text; ``-> target`` makes a link, ``|`` a pipe,
        None a folder
    """
    root.mkdir(parents=True, exist_ok=True)
    for path, text in content.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            place.mkdir(exist_ok=True)
        elif isinstance(text, bytes):
            place.write_bytes(text)
        elif text == "|":
            os.mkfifo(place)
        elif text.startswith("-> "):
            place.symlink_to(text[3:])
        else:
            place.write_text(text)
    return str(root)


def capabilities(*emulators: str) -> str:
    """Return what libvirt would say of a host with these emulators."""
    guests = "".join(
        "<guest><os_type>hvm</os_type><arch name='x86_64'>"
        f"<emulator>{each}</emulator><domain type='qemu'/></arch></guest>"
        for each in emulators
    )
    return f"<capabilities><host/>{guests}</capabilities>"


def pci_host(
    groups: Mapping[str, list[str]],
    unit: str | None = "dmar0",
    kind: str = "DMA-FQ",
    alone: tuple[str, ...] = (),
) -> dict[str, str | None]:
    """Return the content of a host with an IOMMU.

    :param groups: group name to the addresses of its devices
    :param unit: name of the IOMMU; None for none
    :param kind: type of every group
    :param alone: addresses of devices that are in no group
    """
    content: dict[str, str | None] = {
        "/sys/kernel/iommu_groups": None,
        "/sys/class/iommu": None,
        "/sys/bus/pci/devices": None,
        "/sys/module": None,
        **DRIVERS,
    }
    if unit:
        content[f"/sys/class/iommu/{unit}"] = "-> ../../devices/virtual/x"
    for name, devices in groups.items():
        group = f"/sys/kernel/iommu_groups/{name}"
        content[f"{group}/devices"] = None
        content[f"{group}/type"] = f"{kind}\n"
        for each in devices:
            device = f"/sys/devices/pci0000:00/{each}"
            content[f"{group}/devices/{each}"] = (
                f"-> ../../../../devices/pci0000:00/{each}"
            )
            content[f"{device}/class"] = "0x020000\n"
            content[f"{device}/vendor"] = "0x8086\n"
            content[f"{device}/device"] = "0x10d3\n"
            if unit:
                content[f"{device}/iommu"] = f"-> ../../virtual/iommu/{unit}"
            content[f"{device}/iommu_group"] = (
                f"-> ../../../kernel/iommu_groups/{name}"
            )
            content[f"/sys/bus/pci/devices/{each}"] = (
                f"-> ../../../devices/pci0000:00/{each}"
            )
    for each in alone:
        content[f"/sys/devices/pci0000:00/{each}/class"] = "0x080600\n"
        content[f"/sys/bus/pci/devices/{each}"] = (
            f"-> ../../../devices/pci0000:00/{each}"
        )
    return content


def facts(
    *device_spec: str | dict[str, Any],
    libvirt: Mapping[str, Any] | None = None,
    default: Mapping[str, Any] | None = None,
    report_in_placement: bool = True,
    cpus: Mapping[str, str] | None = None,
    consoles: Mapping[str, Any] | None = None,
) -> dict[str, str | None]:
    """Return the content of a host of which the root pre-step left facts.

    :param device_spec: entries of ``[pci] device_spec``
    :param libvirt: what is not Nova's default in that group
    :param default: likewise in the group DEFAULT
    :param consoles: groups of consoles, in place of Nova's defaults
    :param cpus: option to the set of processors that it gives to guests
    """
    sets = {"vcpu_pin_set": None, **(cpus or {})}
    result = {
        # Older than all that a tree has.
        "changed": 0,
        "version": 1,
        "time": "2026-06-15T12:00:00+00:00",
        "files": ["/etc/nova/nova.conf"],
        "DEFAULT": {
            "force_config_drive": False,
            "config_drive_format": "iso9660",
            "pointer_model": "usbtablet",
            "vcpu_pin_set": sets.pop("vcpu_pin_set"),
            **(default or {}),
        },
        "libvirt": {
            "virt_type": "kvm",
            "cpu_mode": None,
            "hw_machine_type": [],
            "use_virtio_for_bridges": True,
            "rescue_image_id": None,
            "live_migration_with_native_tls": False,
            "live_migration_tunnelled": False,
            "live_migration_scheme": None,
            "live_migration_uri": None,
            **(libvirt or {}),
        },
        "vnc": {"enabled": True, "server_listen": "127.0.0.1"},
        "spice": {"enabled": False, "server_listen": "127.0.0.1"},
        **(consoles or {}),
        "compute": {
            "cpu_shared_set": None,
            "cpu_dedicated_set": None,
            **sets,
        },
        "pci": {
            "device_spec": [
                each if isinstance(each, str) else json.dumps(each)
                for each in device_spec
            ],
            "report_in_placement": report_in_placement,
        },
        "devices": {"enabled_mdev_types": []},
    }
    # Who sees the kernel's threads sees every process: no nova-compute runs.
    return {FACTS: json.dumps(result), "/proc/2/comm": "kthreadd\n"}


def functions(
    devices: Mapping[str, str], vfs: Mapping[str, list[str]] | None = None
) -> dict[str, str | None]:
    """Return the content of a host with PCI devices, without groups.

    :param devices: address to ``vendor:device``
    :param vfs: address of a PF to those of its VFs
    """
    content: dict[str, str | None] = {
        "/sys/bus/pci/devices": None,
        **DRIVERS,
    }
    for each, identity in devices.items():
        vendor, _, product = identity.partition(":")
        content[f"/sys/devices/{each}/vendor"] = f"0x{vendor}\n"
        content[f"/sys/devices/{each}/device"] = f"0x{product}\n"
        content[f"/sys/devices/{each}/class"] = "0x020000\n"
        content[f"/sys/bus/pci/devices/{each}"] = f"-> ../../../devices/{each}"
    for parent, children in (vfs or {}).items():
        place = f"/sys/devices/{parent}"
        content[f"{place}/sriov_totalvfs"] = "7\n"
        content[f"{place}/sriov_numvfs"] = f"{len(children)}\n"
        for number, each in enumerate(children):
            content[f"{place}/virtfn{number}"] = f"-> ../{each}"
            content[f"/sys/devices/{each}/physfn"] = f"-> ../{parent}"
    return content

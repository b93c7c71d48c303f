# SPDX-License-Identifier: Apache-2.0
"""Host trees for tests: captured ones, and hand-made ones."""

import pathlib
import tarfile
from collections.abc import Mapping

CAPTURES = pathlib.Path(__file__).parent / "data" / "captures"


def capture(name: str, folder: pathlib.Path) -> str:
    """Unpack a captured tree; return its root."""
    root = folder / name
    if not root.exists():
        with tarfile.open(CAPTURES / f"{name}.tar.gz") as packed:
            # Links in a tree lead where they led on the host, also out of
            # it: HostRoot keeps them in. Pythons without filters need none.
            packed.extraction_filter = getattr(
                tarfile, "fully_trusted_filter", None
            )
            packed.extractall(root, [one for one in packed if not one.isdev()])
    return str(root)


def build(root: pathlib.Path, content: Mapping[str, str | None]) -> str:
    """Make a tree; return its root.

    :param content: path to text; ``-> target`` makes a link, None a folder
    """
    root.mkdir(parents=True, exist_ok=True)
    for path, text in content.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            place.mkdir(exist_ok=True)
        elif text.startswith("-> "):
            place.symlink_to(text[3:])
        else:
            place.write_text(text)
    return str(root)


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
    }
    if unit:
        content[f"/sys/class/iommu/{unit}"] = "-> ../../devices/virtual/x"
    for name, devices in groups.items():
        group = f"/sys/kernel/iommu_groups/{name}"
        content[f"{group}/devices"] = None
        content[f"{group}/type"] = f"{kind}\n"
        for one in devices:
            device = f"/sys/devices/pci0000:00/{one}"
            content[f"{group}/devices/{one}"] = (
                f"-> ../../../../devices/pci0000:00/{one}"
            )
            content[f"{device}/class"] = "0x020000\n"
            content[f"{device}/iommu_group"] = (
                f"-> ../../../kernel/iommu_groups/{name}"
            )
            content[f"/sys/bus/pci/devices/{one}"] = (
                f"-> ../../../devices/pci0000:00/{one}"
            )
    for one in alone:
        content[f"/sys/devices/pci0000:00/{one}/class"] = "0x080600\n"
        content[f"/sys/bus/pci/devices/{one}"] = (
            f"-> ../../../devices/pci0000:00/{one}"
        )
    return content

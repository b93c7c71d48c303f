# SPDX-License-Identifier: Apache-2.0
"""Packaging of a minimal QEMU: a Debian overlay, and a part of an RPM spec.

Both build beside the distribution's own builds, from the same source, and
bring one binary, ``qemu-system-<architecture>``, in place of the full
package. Their texts are the templates: a name between two ``@`` stands for a
word of the architecture, and the line ``@PATCH@`` for a patch, if any.
"""

import importlib.resources
from collections.abc import Mapping
from types import MappingProxyType

_TEMPLATES = importlib.resources.files("nova_vhard.osc.qemu") / "templates"
_FILES = (
    "debian/nova-vhard.mk",
    "debian/control.nova-vhard",
    "rpm/nova-vhard.spec.inc",
)
_PATCH = "Patch900: types.patch\n"

#: Architecture to the words of its packages.
_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "x86_64": {
            "PACKAGE": "qemu-system-x86-vhard",
            "DEBIAN": "amd64",
            "FULL": "qemu-system-x86",
            "NAMED": "qemu-system-x86-64",
            "FIRMWARE": "seabios, ipxe-qemu",
            "MORE": "ovmf, qemu-utils",
            "RPM": "qemu-system-x86-core",
            "RPM_FIRMWARE": "seabios-bin, ipxe-roms-qemu",
            "RPM_MORE": "edk2-ovmf",
        },
        "aarch64": {
            "PACKAGE": "qemu-system-arm-vhard",
            "DEBIAN": "arm64",
            "FULL": "qemu-system-arm",
            "NAMED": "qemu-system-aarch64",
            # No guest of Nova's starts without UEFI there.
            "FIRMWARE": "qemu-efi-aarch64, ipxe-qemu",
            "MORE": "qemu-utils",
            "RPM": "qemu-system-aarch64-core",
            "RPM_FIRMWARE": "edk2-aarch64",
            "RPM_MORE": "ipxe-roms-qemu",
        },
    }
)


def packaging(arch: str, patched: bool) -> dict[str, str]:
    """Return the files of the packages: path to text.

    :param arch: architecture of the compute nodes
    :param patched: whether there is a patch to apply
    """
    words = {**_WORDS[arch], "ARCH": arch}
    result = {}
    for path in _FILES:
        file = _TEMPLATES / path.rpartition("/")[2]
        text = file.read_text(encoding="utf-8")
        text = text.replace("@PATCH@\n", _PATCH if patched else "")
        for name, word in words.items():
            text = text.replace(f"@{name}@", word)
        result[path] = text
    return result

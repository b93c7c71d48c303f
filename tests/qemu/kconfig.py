# SPDX-License-Identifier: Apache-2.0
"""QEMU's own Kconfig checker, on a device configuration."""

import pathlib
import re
import subprocess
import sys

#: Feature of configure to the symbol that QEMU's meson.build passes on.
HOST = {
    "gnutls": "GNUTLS",
    "pixman": "PIXMAN",
    "spice": "SPICE",
    "tpm": "TPM",
    "vhost-kernel": "VHOST_KERNEL",
    "vhost-user": "VHOST_USER",
    "vhost-vdpa": "VHOST_VDPA",
    "virtfs": "VIRTFS",
    "opengl": "OPENGL",
    "kvm": "KVM",
    "tcg": "TCG",
    "fdt": "FDT",
}
_TARGETS = {"x86_64": ("X86_64", "I386"), "aarch64": ("AARCH64", "ARM")}


def check(
    source: pathlib.Path,
    text: str,
    place: pathlib.Path,
    features: set[str] | None = None,
    mode: str = "--allnoconfig",
    arch: str = "x86_64",
) -> set[str]:
    """Return the symbols that a configuration comes to.

    :param text: the configuration
    :param place: folder for files in between
    :param features: of configure, that are on; None for all that can be
    :raises ValueError: with what QEMU says, if it does not accept it
    """
    config = place / "devices.mak"
    config.write_text(text, encoding="utf-8")
    if features is None:
        # Nova's guests do not use the one x86 machine with a device tree.
        features = set(HOST) - ({"fdt"} if arch == "x86_64" else set())
    symbols = ["LINUX", *_TARGETS[arch]]
    symbols += (HOST[each] for each in features if each in HOST)
    done = subprocess.run(
        [
            sys.executable,
            source / "scripts" / "minikconf.py",
            mode,
            place / "out.mak",
            place / "out.d",
            config,
            source / "Kconfig",
            *(f"CONFIG_{each}=y" for each in symbols),
            "CONFIG_TARGET_BIG_ENDIAN=n",
        ],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stderr)
    return set(re.findall(r"^CONFIG_(\w+)=y$", done.stdout, re.M))


def declared(source: pathlib.Path) -> set[str]:
    """Return every symbol that a Kconfig file of QEMU's declares."""
    return {
        symbol
        for path in source.glob("**/Kconfig*")
        for symbol in re.findall(
            r"^config (\w+)", path.read_text(encoding="utf-8"), re.M
        )
    }

# SPDX-License-Identifier: Apache-2.0
"""A minimal QEMU for aarch64's guests, built on this machine.

Without KVM, which is the host's, and without the compiler's flags that this
machine's processor has not; with all devices and features of the plan.
"""

import pathlib
import shutil

from tests.qemu import build, source

ARCH = "aarch64"
_ELSEWHERE = ("--enable-kvm", "-mbranch-protection=standard")
_BLOBS = "--disable-install-blobs"


def emulator(dsc: pathlib.Path) -> pathlib.Path:
    """Return the binary; one that was made of the very same is kept."""
    config = build.configuration("config-arm", "--architecture", ARCH)
    made = build.digest(dsc, config / "nova-vhard")
    place = source.CACHE / f"arm-{made}"
    binary = place / "source" / "vhard" / f"qemu-system-{ARCH}"
    if binary.exists():
        return binary
    # The steps of the configuration's README, by hand.
    config = config / "nova-vhard"
    folder = binary.parent
    tree = source.unpack(dsc, folder.parent)
    source.run("patch", "-p1", "-i", config / "types.patch", cwd=tree)
    target = tree / "configs" / "devices" / f"{ARCH}-softmmu"
    shutil.copy(config / "devices.mak", target / "nova-vhard.mak")
    folder.mkdir()
    source.run(
        *("../configure", "--disable-download", "--disable-kvm", _BLOBS),
        *_lines(config / "configure-options"),
        f"--extra-cflags={' '.join(_lines(config / 'cflags'))}",
        f"--extra-ldflags={' '.join(_lines(config / 'ldflags'))}",
        cwd=folder,
    )
    source.run("nice", "-n", "19", "ninja", "-j2", binary.name, cwd=folder)
    return binary


def _lines(path: pathlib.Path) -> list[str]:
    """Return the options of a file that this machine can build with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        line
        for line in lines
        if line.startswith("-") and line not in _ELSEWHERE
    ]

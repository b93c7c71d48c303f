# SPDX-License-Identifier: Apache-2.0
"""The package of a minimal QEMU, built as the documentation says."""

import hashlib
import pathlib
import re
import shutil
import subprocess

from nova_vhard.osc.qemu.commands import WriteBuildConfig
from nova_vhard.osc.qemu.needs import Plan
from tests.qemu import plans, source
from tests.unit.cli import desk

PACKAGE = "qemu-system-x86-vhard"
SYSTEM = pathlib.Path("/usr/bin/qemu-system-x86_64")
_OTHERS = ("/usr/bin/qemu-system-i386", "/usr/bin/qemu-system-x86_64-microvm")
_MODULES = "/usr/lib/*-linux-*/qemu"


def configuration(name: str, *more: str) -> pathlib.Path:
    """Write the configuration of a build; return its folder.

    :param more: words of the command
    """
    config = source.CACHE / name
    shutil.rmtree(config, ignore_errors=True)
    words = [word for each in plans.EXTRAS for word in ("--with", each)]
    done = desk.run(
        *(WriteBuildConfig, "--policy", plans.BUILT, *words),
        *(*more, "--output", str(config)),
    )
    assert not done.status, done.err
    return config


def digest(dsc: pathlib.Path, *folders: pathlib.Path) -> str:
    """Return what changes with anything that a build is made of."""
    made = hashlib.sha256(dsc.read_bytes())
    for folder in folders:
        for path in sorted(folder.iterdir()):
            made.update(f"{path.name}\n".encode() + path.read_bytes())
    return made.hexdigest()[:16]


def package(dsc: pathlib.Path) -> pathlib.Path:
    """Return the package that the sources and the configuration make.

    One that was made of the very same is not made again.
    """
    config = configuration("config")
    folders = config / "debian", config / "nova-vhard"
    place = source.CACHE / f"build-{digest(dsc, *folders)}"
    if made := list(place.glob(f"{PACKAGE}_*.deb")):
        return made[0]
    # The steps of the configuration's README.
    tree = source.unpack(dsc, place / "source")
    debian = tree / "debian"
    shutil.copytree(config / "nova-vhard", debian / "nova-vhard")
    shutil.copy(config / "debian" / "nova-vhard.mk", debian)
    control = (config / "debian" / "control.nova-vhard").read_text()
    _append(debian / "control", control)
    _append(debian / "rules", "include debian/nova-vhard.mk\n")
    shutil.copy(
        config / "nova-vhard" / "types.patch",
        debian / "patches" / "nova-vhard.patch",
    )
    _append(debian / "patches" / "series", "nova-vhard.patch\n")
    source.run("dpkg-source", "--before-build", ".", cwd=tree)
    source.run(
        *("nice", "-n", "19", "env", "DEB_BUILD_OPTIONS=parallel=2 terse"),
        *("debian/rules", "nova-vhard-package"),
        cwd=tree,
    )
    return next(place.glob(f"{PACKAGE}_*.deb"))


def _append(path: pathlib.Path, text: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def installed(
    emulator: pathlib.Path, place: pathlib.Path
) -> dict[str, object]:
    """Return the mounts of a host on which the package is installed.

    It takes the place of Debian's, whose other emulators and modules go.
    """
    nothing = place / "nothing"
    nothing.touch(mode=0o644)
    empty = place / "empty"
    empty.mkdir(exist_ok=True)
    result: dict[str, object] = {str(SYSTEM): emulator}
    result |= {
        each: nothing for each in _OTHERS if pathlib.Path(each).exists()
    }
    folders = pathlib.Path("/").glob(_MODULES.lstrip("/"))
    return result | {str(each): empty for each in folders}


def libraries(binary: pathlib.Path) -> tuple[int, int]:
    """Return how many libraries a binary names, and how many are loaded."""
    text = source.run("objdump", "-p", binary, cwd=binary.parent)
    named = re.findall(r"^\s+NEEDED\s", text, re.M)
    loaded = source.run("ldd", binary, cwd=binary.parent)
    return len(named), len(re.findall(r"=> /", loaded))


def start(
    binary: pathlib.Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Start a machine that ends as soon as it has started.

    :param words: options of QEMU for its type and devices
    """
    quiet = ("-nodefaults", "-no-user-config", "-display", "none", "-S")
    return subprocess.run(
        [binary, *quiet, *words, "-monitor", "stdio"],
        input="quit\n",
        env=source.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def devices(binary: pathlib.Path) -> set[str]:
    """Return the devices that a binary offers, without CPU models."""
    words = ("-machine", "none", "-device", "help")
    text = source.run(binary, *words, cwd=binary.parent)
    names = set(re.findall(r'^name "([^"]+)"', text, re.M))
    return {each for each in names if not each.endswith("-cpu")}


def check_devices(binary: pathlib.Path, plan: Plan, more: set[str]) -> None:
    """Check that a binary offers the planned devices, and no unknown one."""
    offered, planned = devices(binary), set(plan.devices)
    assert len(planned) > 30 and len(plan.left_devices) > 50
    assert planned <= offered
    assert not offered & set(plan.left_devices)
    parts = ("virtio-balloon-", "virtio-serial-")
    assert {x for x in offered - planned if not x.startswith(parts)} == more


def machines(binary: pathlib.Path) -> set[str]:
    """Return the machine types of a binary, without aliases."""
    text = source.run(binary, "-machine", "help", cwd=binary.parent)
    return set(re.findall(r"^(pc-\S+)", text, re.M))

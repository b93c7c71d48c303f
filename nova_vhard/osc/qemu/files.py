# SPDX-License-Identifier: Apache-2.0
"""The files of ``openstack vhard qemu build-config``: a plan, to be built.

Each is text in which a comment gives the reason of each choice.
"""

import importlib.resources
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from nova_vhard.catalogue.qemu import TYPES
from nova_vhard.catalogue.qemu_parts import FLAGS, NOT_FLAGS
from nova_vhard.common.text import clean
from nova_vhard.osc.qemu.needs import Plan, unstarted

#: What the build is called in QEMU's source tree.
NAME = "nova-vhard"
_WIDTH = 78

_TEMPLATES = importlib.resources.files("nova_vhard.osc.qemu") / "templates"
_PACKAGING = (
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


def files(plan: Plan) -> dict[str, str]:
    """Return path below the folder to text."""
    patch = types_patch(plan)
    result = {
        f"{NAME}/devices.mak": devices(plan),
        f"{NAME}/configure-options": options(plan),
        f"{NAME}/cflags": flags(plan, linker=False),
        f"{NAME}/ldflags": flags(plan, linker=True),
        **({f"{NAME}/types.patch": patch} if patch else {}),
        **packaging(plan.arch, bool(patch)),
    }
    return result | {"README.rst": _readme(plan, result)}


def header(plan: Plan) -> str:
    """Return the comment on top of a file: from which policy it is."""
    return (
        comment(
            f"QEMU with what a policy allows, for {plan.arch}. Written by "
            f"openstack vhard qemu build-config from policy "
            f"{plan.policy.digest} ({_names(plan)}); change the policy, not "
            "this file."
        )
        + "\n"
    )


def _names(plan: Plan) -> str:
    """Return the policy's files, without the folders of this machine."""
    paths = (file.rpartition("/")[2] for file in plan.policy.files)
    return ", ".join(clean(path) for path in paths)


def comment(text: str) -> str:
    """Return text as lines of comment."""
    filled = textwrap.fill(text, _WIDTH - 2, break_on_hyphens=False)
    return textwrap.indent(filled, "# ") + "\n"


def _because(reasons: Iterable[str], most: int = 3) -> str:
    """Return some reasons as a comment; the plan has them all."""
    listed = list(reasons)
    more = f"; and {len(listed) - most} more" if len(listed) > most else ""
    return comment("; ".join(listed[:most]) + more)


def devices(plan: Plan) -> str:
    """Return the device configuration: ``--with-devices-<arch>``."""
    symbols = (
        f"{_because(_of_symbol(plan, symbol, why))}CONFIG_{symbol}=y\n"
        for symbol, why in plan.symbols.items()
    )
    note = comment(
        "Read with --without-default-devices: what is not named here, or "
        "selected by what is, is not built."
    )
    return "\n".join((header(plan) + note, *symbols))


def _of_symbol(plan: Plan, symbol: str, why: list[str]) -> Iterator[str]:
    """Yield why a symbol is set, and for a device why that is needed."""
    for item in why:
        reasons = plan.devices.get(item)
        yield f"{item}: {reasons[0]}" if reasons else item


def options(plan: Plan) -> str:
    """Return the options of ``configure``, one a line."""
    lines = [
        header(plan)
        + comment("For: grep '^-' configure-options | xargs configure"),
        _option(f"--target-list={plan.arch}-softmmu", "one architecture"),
        _option(
            "--without-default-features",
            "what is not named here is off, also if its library is there",
        ),
        _option(
            "--without-default-devices", "likewise the devices of the file"
        ),
        _option(
            f"--with-devices-{plan.arch}={NAME}",
            f"devices.mak, as configs/devices/{plan.arch}-softmmu/{NAME}.mak",
        ),
        _option("--audio-drv-list=", "no sound goes anywhere"),
        _option("--enable-pie", "the guide's -pie -fPIE"),
    ]
    for verb, features in (
        ("enable", plan.features),
        ("disable", plan.left_features),
    ):
        lines += [
            f"{_because(why)}--{verb}-{name}\n"
            for name, why in features.items()
        ]
    return "\n".join(lines)


def _option(text: str, why: str) -> str:
    return f"{comment(why)}{text}\n"


def flags(plan: Plan, linker: bool) -> str:
    """Return the options of the compiler, or of the linker."""
    lines = [
        header(plan)
        + comment(
            "They come after the distribution's own (dpkg-buildflags, "
            "%{build_cflags}); the last one counts."
        )
    ]
    lines += [
        _option(flag.text, flag.why)
        for flag in FLAGS
        if flag.linker == linker and flag.only in ("", plan.arch)
    ]
    if not linker:
        lines += [
            comment(f"Not {text}, of the guide: {why}")
            for text, why in NOT_FLAGS.items()
        ]
    return "\n".join(lines)


def types_patch(plan: Plan) -> str:
    """Return the patch that leaves single types out; empty for none."""
    hunks: dict[str, list[tuple[int, str, str]]] = {}
    for device in plan.patched():
        path, variable, line = TYPES[device]
        hunks.setdefault(path, []).append((line, variable, device))
    if not hunks:
        return ""
    text = (
        "Description: leave out device types that share their code\n"
        " QEMU's configuration leaves these out only together with others\n"
        " that the policy needs: "
        f"{', '.join(plan.patched())}.\n"
        " A type that is not registered cannot be asked for.\n"
        "Forwarded: not-needed\n\n"
    )
    for path, changes in hunks.items():
        text += f"--- a/{path}\n+++ b/{path}\n"
        for line, variable, device in sorted(changes):
            # Each change takes a line in place of a line.
            text += (
                f"@@ -{line} +{line} @@\n"
                f"-    type_register_static(&{variable});\n"
                f"+    (void){variable}; /* nova-vhard: no {device} */\n"
            )
    return text


def packaging(arch: str, patched: bool) -> dict[str, str]:
    """Return the files of the packages: path to text.

    A Debian overlay, and a part of an RPM spec. Both build beside the
    distribution's own builds, from the same source, and bring one binary,
    ``qemu-system-<architecture>``, in place of the full package. Their texts
    are the templates: a name between two ``@`` stands for a word of the
    architecture, and the line ``@PATCH@`` for a patch, if any.

    :param arch: architecture of the compute nodes
    :param patched: whether there is a patch to apply
    """
    words = {**_WORDS[arch], "ARCH": arch}
    result = {}
    for path in _PACKAGING:
        file = _TEMPLATES / path.rpartition("/")[2]
        text = file.read_text(encoding="utf-8")
        text = text.replace("@PATCH@\n", _PATCH if patched else "")
        for name, word in words.items():
            text = text.replace(f"@{name}@", word)
        result[path] = text
    return result


def _readme(plan: Plan, entries: Iterable[str]) -> str:
    """Return what the folder is, and what to do with it."""
    listed = "\n".join(f"* ``{name}``" for name in entries)
    patching = f"""\
    cp OUT/{NAME}/types.patch debian/patches/{NAME}.patch
    echo {NAME}.patch >> debian/patches/series
    dpkg-source --before-build .
""" * bool(plan.patched())
    lines = [*unstarted(plan)] or ["none is known"]
    lacking = "\n".join(f"* {line}" for line in lines)
    title = f"QEMU for {plan.arch} under one policy"
    return f"""\
{title}
{"=" * len(title)}

Policy {plan.policy.digest}: {_names(plan)}

{listed}

Guests that do not start on it, and why:

{lacking}

On Debian, in the unpacked source package of QEMU, with OUT for this folder::

    cp -r OUT/{NAME} OUT/debian/{NAME}.mk debian/
    cat OUT/debian/control.{NAME} >> debian/control
    echo 'include debian/{NAME}.mk' >> debian/rules
{patching}    dch --local +vhard 'Only what the policy allows'
    debian/rules {NAME}-package

By hand, in QEMU's own source tree::

    patch -p1 < OUT/{NAME}/types.patch    # where there is one
    cp OUT/{NAME}/devices.mak configs/devices/{plan.arch}-softmmu/{NAME}.mak
    mkdir build && cd build
    grep '^-' OUT/{NAME}/configure-options | xargs ../configure \\
        --extra-cflags="$(grep '^-' OUT/{NAME}/cflags | xargs)" \\
        --extra-ldflags="$(grep '^-' OUT/{NAME}/ldflags | xargs)"
    ninja qemu-system-{plan.arch}
"""

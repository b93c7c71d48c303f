# SPDX-License-Identifier: Apache-2.0
"""An image file before its upload: its disk format, and the command."""

import argparse
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from osc_lib import exceptions
from oslo_utils.imageutils import format_inspector

from nova_vhard.common.log import get_logger
from nova_vhard.common.text import line
from nova_vhard.osc.output import unreadable


def disk_format(path: str, stated: str | None) -> str:
    """Return the disk format of a file, as Glance and Nova detect it.

    :param stated: the disk format that the user names, if any
    :raises CommandError: if Glance or Nova does not accept the file
    """
    # The inspector logs each failed check, which our error names.
    get_logger(format_inspector.__name__).setLevel("CRITICAL")
    try:
        with open(path, "rb") as file:
            wrapper = format_inspector.InspectWrapper(file)
            while wrapper.formats is None and wrapper.read(64 << 10):
                pass
            wrapper.close()
        found = {str(each): each for each in wrapper.formats or ()}
        # Many ISOs also boot as a disk. Glance and Nova take them as iso.
        hybrid = found.keys() == {"iso", "gpt"}
        image: Any = found["iso"] if hybrid else wrapper.format
        image.safety_check()
        # Bytes 32 to 35 of qcow2 are the encryption method. Nova has no key.
        header = image.region("header").data if str(image) == "qcow2" else b""
        # QEMU calls a vhd vpc, which Nova does not expect.
        if str(image) in ("luks", "vhd") or any(header[32:36]):
            raise format_inspector.ImageFormatError(
                "encrypted, or vhd; qemu-img convert makes another format"
            )
    except OSError as error:
        raise exceptions.CommandError(unreadable(path, error)) from error
    except Exception as error:
        # Including an error of the inspector itself, as in Nova.
        text = f"{path}: Nova refuses such a file: {error}"
        raise exceptions.CommandError(text) from error
    # Glance has no gpt, the inspector's name for a disk with partitions.
    name = "raw" if str(image) == "gpt" else str(image)
    if str(image) == "raw" and stated is None:
        raise exceptions.CommandError(
            f"{path}: is not an image of a known format; for a raw disk "
            "without partitions, add --disk-format raw"
        )
    if stated not in (None, name):
        raise exceptions.CommandError(f"{path}: is {name}, not {stated}")
    return name


def command(
    options: argparse.Namespace, changes: Iterable[Mapping[str, Any]]
) -> str | None:
    """Return the command that uploads a file; None if it cannot be shown.

    :param options: as ``case_options`` adds them
    :param changes: changes of the properties
    """
    edits = {each["property"]: each["value"] for each in changes}
    properties = {**(options.property or {}), **edits}
    words = ["openstack", "image", "create", f"--file={options.file}"]
    words += ["--disk-format", options.disk_format]
    # An exemption may be for this image, or for this project.
    for name, value in (("id", options.image), ("project", options.project)):
        words += [f"--{name}={value}"] if value else []
    words += [
        f"--property={name}={value}"
        for name, value in properties.items()
        if value is not None
    ]
    text = shlex.join([*words, "NAME"])
    return text if line(text) == text else None

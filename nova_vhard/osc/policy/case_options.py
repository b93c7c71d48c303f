# SPDX-License-Identifier: Apache-2.0
"""The options that describe a request, and the resulting description.

Also finds unknown names in the options, and rewrites an explanation so that
it names block devices as the options do.
"""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osc_lib.cli import parseractions

from nova_vhard.common.problems import nearest
from nova_vhard.common.text import clean, line, quote
from nova_vhard.osc import output
from nova_vhard.policy.subject import BOOT
from nova_vhard.request import described, flavor, image, passthrough

_AGAIN = "(repeat the option for several)"
_PROPERTIES = (
    ("--property", "Property of the image"),
    ("--volume-property", "Image metadata of the volume to boot from"),
    ("--flavor-property", "Extra spec of the flavor"),
    ("--server-property", "Image property that the server has"),
    ("--server-flavor-property", "Extra spec of its present flavor"),
)
_FACTS = (
    ("disk-format", "Disk format of the image."),
    (
        "file",
        "Image file to check before its upload; replaces --operation. Its "
        "content determines the disk format.",
    ),
    ("image", "ID of the image."),
    ("flavor", "Name or ID of the flavor."),
    ("project", "ID of the project that owns the server or image."),
    ("domain", "ID of the domain of that project."),
    ("server", "ID of the server."),
)
_FLAGS = (
    ("--config-drive", "The server has, or is to have, a config drive."),
    (
        "--same-image",
        "A server is rebuilt with its own image, not another one.",
    ),
)

_IMAGE = ("property", "volume_property", "server_property")
_FLAVOR = ("flavor_property", "server_flavor_property")
_SPECS = flavor.NAMES | passthrough.NAMES

#: Name of a block device in an explanation.
_NAMED = re.compile(r"block_device_mapping_v2\[(\d{1,4})\]\.?")


def add(parser: argparse.ArgumentParser) -> None:
    """Add everything that a request consists of."""
    parser.add_argument(
        "--operation",
        choices=list(described.LOOKED_AT),
        default=BOOT,
        help="Requested operation (default: %(default)s).",
    )
    for option, what in _PROPERTIES:
        parser.add_argument(
            option,
            metavar="<key=value>",
            action=parseractions.KeyValueAction,
            help=f"{what} {_AGAIN}.",
        )
    parser.add_argument(
        "--block-device",
        metavar="<key=value>[,<key=value>...]",
        action=parseractions.MultiKeyValueAction,
        optional_keys=["device_type", "disk_bus"],
        help="Block device with a device_type or disk_bus of its own "
        f"{_AGAIN}.",
    )
    parser.add_argument(
        "--port",
        metavar="<vnic-type>",
        action="append",
        help=f"Port of this vnic type {_AGAIN}.",
    )
    for option, what in _FLAGS:
        parser.add_argument(option, action="store_true", help=what)
    for name, what in _FACTS:
        parser.add_argument(f"--{name}", metavar=f"<{name}>", help=what)
    parser.add_argument(
        "--role",
        metavar="<role>",
        action="append",
        help=f"Role of the user who sends the request {_AGAIN}.",
    )


def description(options: argparse.Namespace) -> dict[str, Any]:
    """Return the description of a request from its options.

    :raises nova_vhard.osc.output.UsageError: for an option that the operation
        does not look at
    """
    placed = described.LOOKED_AT[options.operation]
    drive = options.config_drive or None
    on_server = "server" in placed
    parts: dict[str, dict[str, Any]] = {
        "image": {
            "id": options.image,
            "disk_format": options.disk_format,
            "properties": options.property,
        },
        "volume": {"properties": options.volume_property},
        "flavor": {
            "name": options.flavor,
            "id": options.flavor,
            "extra_specs": options.flavor_property,
        },
        "server": {
            "id": options.server,
            "properties": options.server_property,
            "extra_specs": options.server_flavor_property,
            "config_drive": drive if on_server else None,
            "same_image": options.same_image,
        },
    }
    whole: dict[str, Any] = {
        **{
            name: {key: value for key, value in part.items() if value}
            for name, part in parts.items()
        },
        "block_devices": options.block_device,
        "ports": options.port,
        "config_drive": None if on_server else drive,
    }
    asked = {name: value for name, value in whole.items() if value}
    if surplus := sorted(asked.keys() - placed):
        raise output.UsageError(
            f"{', '.join(surplus)}: not used in operation "
            f"{options.operation}, which uses {', '.join(sorted(placed))}; "
            "remove the option"
        )
    if "image" in asked and "volume" in asked:
        raise output.UsageError(
            "image and volume cannot be combined, because a guest gets its "
            "metadata from one of them; remove the options of the other"
        )
    return {
        "operation": options.operation,
        "project": options.project,
        "domain": options.domain,
        "roles": options.role or [],
        **asked,
    }


def unknown(options: argparse.Namespace) -> Iterator[str]:
    """Yield a line for each name in the options that no rule is about.

    :param options: as ``add`` adds them
    """
    for names, known in ((_IMAGE, image.READ), (_FLAVOR, _SPECS)):
        for name in names:
            for given in getattr(options, name) or {}:
                if given not in known and not passthrough.is_resource(given):
                    near = nearest(given, sorted(known))
                    yield (
                        f"--{name.replace('_', '-')}: {quote(given)} is "
                        "unknown here: no rule of any policy is about "
                        f"it{near}"
                    )
    for name in _FLAVOR:
        text = (getattr(options, name) or {}).get(passthrough.REQUIRE)
        # an empty word is unknown, too
        words = passthrough.unknown_requirements(text or "")
        for word in words if text is not None else ():
            near = nearest(word, passthrough.KNOWN)
            yield (
                f"{passthrough.REQUIRE}: {quote(word)} is not a check or a "
                f"profile of checks{near}: no host has passed it"
            )


def devices(text: str, given: Sequence[Mapping[str, Any]] | None) -> str:
    """Return an explanation that names block devices as options do.

    :param text: with the names of Nova's API, such as
        ``block_device_mapping_v2[0].disk_bus``
    :param given: what each ``--block-device`` says
    """
    pairs = (
        ",".join(f"{key}={clean(value)}" for key, value in device.items())
        for device in given or ()
    )
    typed = [f"--block-device {each}" for each in pairs]

    def named(match: re.Match[str]) -> str:
        """Return the option, and which of its keys is meant."""
        number = int(match[1])
        if number >= len(typed):
            return match[0]
        return typed[number] + (": " if match[0].endswith(".") else "")

    return line(_NAMED.sub(named, text))

# SPDX-License-Identifier: Apache-2.0
"""The options that describe a request, and the description they come to."""

import argparse
from typing import Any

from osc_lib.cli import parseractions

from nova_vhard.osc import output
from nova_vhard.policy.subject import BOOT
from nova_vhard.request import described

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


def add(parser: argparse.ArgumentParser) -> None:
    """Add everything that a request consists of."""
    parser.add_argument(
        "--operation",
        choices=list(described.LOOKED_AT),
        default=BOOT,
        help="What is asked for (default: %(default)s).",
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
        help=f"Role of who asks {_AGAIN}.",
    )


def description(options: argparse.Namespace) -> dict[str, Any]:
    """Return the description that options come to.

    :raises nova_vhard.osc.output.UsageError: for an option that the operation
        does not look at
    """
    asked = {name: value for name, value in _whole(options).items() if value}
    placed = described.LOOKED_AT[options.operation]
    if surplus := sorted(asked.keys() - placed):
        raise output.UsageError(
            f"{', '.join(surplus)}: not looked at in operation "
            f"{options.operation}, which has {', '.join(sorted(placed))}; "
            "leave the option out"
        )
    if "image" in asked and "volume" in asked:
        raise output.UsageError(
            "a guest has its metadata from the image or the volume; leave "
            "one of them out"
        )
    who = {
        "operation": options.operation,
        "project": options.project,
        "domain": options.domain,
        "roles": options.role or [],
    }
    return who | asked


def _whole(options: argparse.Namespace) -> dict[str, Any]:
    """Return every part of a description; those not asked for are empty."""
    drive = options.config_drive or None
    on_server = "server" in described.LOOKED_AT[options.operation]
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
    return {
        **{
            name: {key: value for key, value in part.items() if value}
            for name, part in parts.items()
        },
        "block_devices": options.block_device,
        "ports": options.port,
        "config_drive": None if on_server else drive,
    }

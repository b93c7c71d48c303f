# SPDX-License-Identifier: Apache-2.0
"""openstack vhard device list, and show: devices between two guests."""

import argparse
import os
from collections.abc import Iterable
from errno import ENOENT
from typing import Any

from osc_lib import exceptions

from nova_vhard.cleaner.journal import Journal, Record
from nova_vhard.common.text import clean
from nova_vhard.conf.cleaner import STATE_PATH
from nova_vhard.osc import output
from nova_vhard.osc.device import devices

LIST = ("Host", "Address", "Resource class", "Status", "Why")

_LONG = 300


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a device."""
    parser.add_argument(
        "host",
        metavar="<host>",
        help="Name of the compute node (openstack vhard device list).",
    )
    parser.add_argument(
        "address",
        metavar="<address>",
        help="PCI address of the device on it, such as 0000:3b:00.0.",
    )


class ListDevices(output.Lister):
    """List one-time-use devices, and why some are not available.

    The data is from Placement. A device that is "reserved" is not given to
    any guest. For the evidence, run nova-vhard-cleaner show <address> on its
    host.
    """

    nothing = "0 one-time-use devices"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add which devices."""
        parser.set_defaults(max_width=output.WIDTH)
        parser.add_argument(
            "--host",
            metavar="<host>",
            default="",
            help="Only devices of this host.",
        )
        parser.add_argument(
            "--reserved",
            action="store_true",
            help="Only devices that are reserved and not in use.",
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[tuple[str, ...]]]:
        """Return one row a device."""
        reserved = "reserved " * parsed_args.reserved
        host = parsed_args.host and f" of host {clean(parsed_args.host)}"
        self.nothing = f"0 {reserved}one-time-use devices{host}"
        return LIST, [
            (
                clean(item.root.name),
                item.address,
                item.view.inventory.resource_class,
                item.status,
                item.why,
            )
            for item in devices.devices(self.cloud.placement, parsed_args.host)
            if not parsed_args.reserved or item.status == "reserved"
        ]


class ShowDevice(output.ShowOne):
    """Show a device, its last servers, and the evidence that it is clean.

    On the compute node itself, the evidence is read from the cleaner's
    folder, if this user may read it. Elsewhere, specify --evidence.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the device, and where its evidence is."""
        add_device(parser)
        parser.add_argument(
            "--evidence",
            metavar="<path>",
            help="Copy of the folder devices in the cleaner's state_path, or "
            "of a file in it.",
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Return what Placement and the journal say."""
        result = devices.find(
            self.cloud.placement, parsed_args.host, parsed_args.address
        )
        fields: dict[str, Any] = {
            "host": clean(result.root.name),
            "address": result.address,
            "provider": result.view.inventory.provider,
            "resource_class": result.view.inventory.resource_class,
            "status": result.status,
            "why": result.why,
            "consumers": ", ".join(result.view.consumers),
        }
        record = _record(parsed_args.evidence, result)
        fields.update(_evidence(record) if record else _NO_EVIDENCE)
        return tuple(fields), tuple(fields.values())


_NO_EVIDENCE = {
    "evidence": "run nova-vhard-cleaner show <address> on the host, or use "
    "--evidence with a copy of its directory devices"
}


def _record(path: str | None, device: devices.FleetDevice) -> Record | None:
    """Return a device's journal, or None if it is not available.

    :raises osc_lib.exceptions.CommandError: if path has no such journal
    """
    folder = path or os.path.join(STATE_PATH, "devices")
    file = folder if os.path.isfile(folder) else None
    journal = Journal(os.path.dirname(file) if file else folder)
    place = file or journal.path(device.address)
    try:
        record = journal.load(place, device.address)
        if record is None:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), place)
    except (OSError, ValueError) as error:
        if path is None:
            return None
        why: object = error
        if isinstance(error, OSError):
            why = output.unreadable(error.filename or place, error)
        raise exceptions.CommandError(
            f"no evidence of {device.address} in {path}: {why}"
        ) from error
    # Another host has a device at the same address.
    if record.provider != device.view.inventory.provider:
        if path is None:
            return None
        raise exceptions.CommandError(
            f"{place} is the journal of another provider, "
            f"{clean(record.provider)}"
        )
    return record


def _evidence(record: Record) -> dict[str, Any]:
    steps = [
        line
        for step in record.steps
        for line in (
            f"{step.step}: {'clean' if step.clean else 'NOT CLEAN'}, "
            f"{clean(step.said, _LONG)}",
            *(f"  {clean(line, _LONG)}" for line in step.evidence),
        )
    ]
    events = [
        f"{clean(item.when)} {clean(item.what, _LONG)}"
        for item in record.history[-20:]
    ]
    return {
        "state": str(record.state),
        "since": record.since,
        "reason": clean(record.reason, _LONG),
        "had_last": ", ".join(
            clean(consumer) for consumer in record.consumers
        ),
        "rules": record.rules,
        "released_by_force": clean(record.forced, _LONG),
        "steps": output.Lines(steps),
        "history": output.Lines(events),
    }

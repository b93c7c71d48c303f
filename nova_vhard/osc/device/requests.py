# SPDX-License-Identifier: Apache-2.0
"""openstack vhard device clean and release: requests to a host.

They reach the host's cleaner as traits of its root provider: it takes a
request away before it acts on it, in its next round.
"""

import argparse

from osc_lib import exceptions

from nova_vhard.catalogue import device_words
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean, quote
from nova_vhard.osc import output
from nova_vhard.osc.device import devices
from nova_vhard.osc.device.devices import FleetDevice
from nova_vhard.osc.device.show import add_device

LOG = get_logger(__name__)

_NEXT = (
    "the request was sent to the host's cleaner, which acts in its next round"
)


class _Ask(output.Command):
    """Ask the cleaner of a host for something."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the device."""
        add_device(parser)

    def ask(self, parsed_args: argparse.Namespace, word: str) -> FleetDevice:
        """Ask.

        :raises osc_lib.exceptions.CommandError: if that did not work out
        """
        result = devices.find(
            self.cloud.placement, parsed_args.host, parsed_args.address
        )
        self.check(result)
        # For this moment: void as soon as its provider changes.
        bound = device_words.request_word(
            word, result.view.inventory.generation
        )
        trait = device_words.of_device(result.address, bound)
        self.cloud.placement.update(
            result.root.uuid,
            lambda ours: ours | {trait},
            device_words.DEVICE,
        )
        return result

    def check(self, device: FleetDevice) -> None:
        """Refuse a request for a device that is allocated."""
        if device.view.consumers:
            raise exceptions.CommandError(
                f"{device.address} is allocated to "
                f"{', '.join(device.view.consumers)}: it is cleaned after "
                "that server is deleted"
            )

    def tell(self, device: FleetDevice) -> None:
        """Print what happens next."""
        self.answer(f"{device.address}: {_NEXT}")


class CleanDevice(_Ask):
    """Request that a device is cleaned, regardless of the last result.

    A step that failed is not tried again by itself; this asks for it. A
    device that is available is reserved until it is clean.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Ask for a cleaning."""
        self.tell(self.ask(parsed_args, device_words.REQUESTED))


class ReleaseDevice(_Ask):
    """Release a clean device, or force the release of another.

    A clean device waits for this only where the host's configuration has
    release_automatically = false; the cleaner refuses any other. With
    --force it releases the device unless a guest has it, whatever its
    steps have found; a host obeys that only where its configuration has
    trust_placement_requests = true.
    """

    _force = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add force, and its reason."""
        super().add_arguments(parser)
        parser.add_argument(
            "--force",
            action="store_true",
            help="Release the device although it is not known to be clean.",
        )
        parser.add_argument(
            "--reason",
            metavar="<text>",
            default="",
            help="Reason; required with --force, and logged here. To store "
            "it with the device, use nova-vhard-cleaner release on "
            "the host.",
        )

    def check(self, device: FleetDevice) -> None:
        """Refuse to force what is on offer: a later use is another matter."""
        super().check(device)
        if self._force and not device.view.reserved:
            raise exceptions.CommandError(
                f"{device.address} is not reserved, so it needs no release"
            )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Ask for a release."""
        reason = clean(parsed_args.reason, 200).strip()
        if parsed_args.force != bool(reason):
            raise output.UsageError(
                "--force and --reason must be used together"
            )
        if not parsed_args.force:
            self.tell(self.ask(parsed_args, device_words.RELEASE))
            return
        self._force = True
        result = self.ask(parsed_args, device_words.FORCED)
        LOG.warning(
            "Device %s of %s: release by force is asked for: %s. %s",
            result.address,
            clean(result.root.name),
            quote(reason, 200),
            "this device is not known to be clean: data and firmware that its "
            "last guest wrote can reach the next guest and the host",
        )
        self.tell(result)

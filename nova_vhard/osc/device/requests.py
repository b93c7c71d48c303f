# SPDX-License-Identifier: Apache-2.0
"""openstack vhard device clean and release: requests to a host.

A request is a trait of the host's root provider. In its next round, the
host's cleaner removes the trait and then acts on the request.
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
    """Base of the commands that send a request to a host's cleaner."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the device."""
        add_device(parser)

    def ask(self, parsed_args: argparse.Namespace, word: str) -> FleetDevice:
        """Send a request.

        :raises osc_lib.exceptions.CommandError: if the device is not found,
            or its state does not allow the request
        """
        result = devices.find(
            self.cloud.placement, parsed_args.host, parsed_args.address
        )
        if result.view.consumers:
            raise exceptions.CommandError(
                f"{result.address} is allocated to "
                f"{', '.join(result.view.consumers)}: it is cleaned after "
                "that server is deleted"
            )
        # The reason that an operator gives is not about a later use.
        if word == device_words.FORCED and not result.view.reserved:
            raise exceptions.CommandError(
                f"{result.address} is not reserved, so it needs no release"
            )
        # The request is valid only until the device's provider changes.
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

    def tell(self, device: FleetDevice) -> None:
        """Print what happens next."""
        self.answer(f"{device.address}: {_NEXT}")


class CleanDevice(_Ask):
    """Request the cleaning of a device, regardless of the last result.

    The cleaner does not repeat a failed cleaning on its own; this command
    requests it. A device that is available is reserved until it is clean.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Ask for a cleaning."""
        self.tell(self.ask(parsed_args, device_words.REQUESTED))


class ReleaseDevice(_Ask):
    """Release a clean device, or force the release of one that is not.

    Without --force, the cleaner releases only a clean device. Such a device
    waits for a release only if the host's configuration has
    release_automatically = false. With --force, the cleaner releases the
    device regardless of the results of its cleaning, unless a guest uses it.
    A host accepts this only if its configuration has
    trust_placement_requests = true.
    """

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
        result = self.ask(parsed_args, device_words.FORCED)
        LOG.warning(
            "Device %s of %s: forced release requested: %s. %s",
            result.address,
            clean(result.root.name),
            quote(reason, 200),
            "this device is not known to be clean: data and firmware that its "
            "last guest wrote can reach the next guest and the host",
        )
        self.tell(result)

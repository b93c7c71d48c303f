# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-07: an offered device is cleaned before the next guest."""

from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    not_applicable,
    passed,
)
from nova_vhard.host.host import Host
from nova_vhard.host.pci import passthrough_devices
from nova_vhard.host.pci.pci import Kind


class PassthroughOneTimeUse(Check):
    """Nova keeps a whole device back until somebody has cleaned it.

    ==============  ======================================================
    PASS            each offered device of type-PCI and type-PF is
                    one_time_use
    FAIL            one of them is not
    UNKNOWN         Nova's settings or the devices cannot be read
    NOT_APPLICABLE  Nova offers no such device; VFs cannot be one_time_use
    ==============  ======================================================
    """

    name = "passthrough_one_time_use"
    id = "Check-Virt-07"
    title = "Each offered whole device is cleaned before it is reused"
    guide = "Physical hardware (PCI passthrough)"
    meaning = (
        "After its guest is deleted, Nova reserves a type-PCI or type-PF "
        "device until an operator or the cleaner has cleaned it and "
        "removed the reservation. VFs cannot be one_time_use and are not "
        "checked."
    )
    remediation = (
        "Set one_time_use in the device's entry of [pci] device_spec, with "
        "[pci] report_in_placement, and clean each device before you "
        "remove its reservation in Placement."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the entry that covers each device that Nova offers."""
        offered = passthrough_devices.of_host(host)
        # _handle_one_time_use() in Nova's pci_placement_translator.py sets
        # reserved to total when a device is allocated; nothing in Nova takes
        # it back.
        whole = [item for item in offered if item.device.kind is not Kind.VF]
        functions = len(offered) - len(whole)
        if functions:
            host.root.note(f"{functions} offered VFs cannot be one_time_use")
        if not whole:
            return not_applicable("Nova offers no whole device")
        again = [str(item) for item in whole if not item.spec.one_time_use]
        if again:
            host.root.note(
                *(f"not one_time_use: {item}" for item in again), first=True
            )
            return failed("offered devices are reused without cleaning")
        host.root.note(*(f"one_time_use: {item}" for item in whole))
        return passed("each offered device is one_time_use")

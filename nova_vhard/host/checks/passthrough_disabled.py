# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-04: only devices that Nova offers are ready for guests."""

from nova_vhard.host.check import Answer, Check, failed, passed
from nova_vhard.host.host import Host
from nova_vhard.host.pci import passthrough_devices, waiting_devices


class PassthroughDisabled(Check):
    """No device waits for a guest that Nova does not know of.

    =========  ===========================================================
    PASS       no device is offered and none waits for a guest; or each
               that waits is one that Nova offers
    FAIL       a device is bound to vfio, or a vDPA or mediated device is
               there, that Nova does not offer
    UNKNOWN    Nova's settings, the devices or their drivers cannot be
               read, or Nova refuses its settings
    =========  ===========================================================
    """

    name = "passthrough_disabled"
    id = "Check-Virt-04"
    title = "Only devices that Nova offers are ready for passthrough"
    guide = "Physical hardware (PCI passthrough)"
    meaning = (
        "Either passthrough is off: Nova offers no device of this host, "
        "and no device is bound to vfio, vDPA or mediated. Or only devices "
        "that the operator has listed in [pci] device_spec or [devices] "
        "enabled_mdev_types are ready for passthrough."
    )
    remediation = (
        "Unbind the named devices from vfio or vhost_vdpa "
        "(driver_override, driverctl, vfio-pci.ids= at boot), remove the "
        "mediated devices, or list them in [pci] device_spec or [devices] "
        "enabled_mdev_types."
    )

    def answer(self, host: Host) -> Answer:
        """Compare what waits for guests with what Nova offers."""
        offered = passthrough_devices.of_host(host)
        # A waiting device that Nova does not offer can reach a guest only
        # without Nova, and so without the policy.
        stray, waiting = waiting_devices.of_host(
            host, frozenset(offer.device.address for offer in offered)
        )
        if stray:
            host.root.note(*stray, first=True)
            return failed(
                "a device is ready for passthrough, but Nova does not offer it"
            )
        host.root.note(
            *(f"offered: {offer}" for offer in offered),
            f"devices that are ready for passthrough: {waiting}",
        )
        if offered or waiting:
            return passed(
                "only devices that Nova offers are ready for passthrough"
            )
        return passed(
            "Nova offers no device, and no device is ready for passthrough"
        )

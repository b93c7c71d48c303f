# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-04: what guests may get, Nova offers; and nobody else."""

from nova_vhard.host import offers, waiting_devices
from nova_vhard.host.check import Answer, Check, Status
from nova_vhard.host.host import Host


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

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Compare what waits for guests with what Nova offers."""
        offered = offers.of_host(host, evidence)
        known = frozenset(offer.device.address for offer in offered)
        stray, waiting = waiting_devices.of_host(host, known)
        if stray:
            evidence[:0] = stray
            return Answer(
                Status.FAIL, "waits for a guest, and offered by nobody"
            )
        evidence += [f"offered: {offer}" for offer in offered]
        evidence.append(f"devices that wait for a guest: {waiting}")
        if offered or waiting:
            text = "what guests can get is what nova offers"
            return Answer(Status.PASS, text)
        return Answer(
            Status.PASS, "nova offers no device, and none waits for a guest"
        )

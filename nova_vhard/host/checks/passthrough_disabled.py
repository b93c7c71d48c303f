# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-04: what guests may get, Nova offers; and nobody else."""

from nova_vhard.host import iommu, offers, pci
from nova_vhard.host.check import Answer, Check, Status
from nova_vhard.host.host import Host


class PassthroughDisabled(Check):
    """No device waits for a guest that Nova does not know of.

    =========  ===========================================================
    PASS       no device is offered and none is bound to vfio; or each that
               is bound is one that Nova offers, by ``device_spec``
    FAIL       a device is bound to vfio that Nova does not offer
    UNKNOWN    Nova's settings or the devices cannot be read, or Nova
               refuses its settings
    =========  ===========================================================
    """

    name = "passthrough_disabled"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Compare the drivers of the devices with what Nova offers."""
        root = host.root
        offered = offers.of_host(host, evidence)
        bound = [
            (one, name)
            for one in root.names(iommu.DEVICES)
            if pci.is_vfio(name := pci.driver(root, one))
        ]
        known = {one.device.address for one in offered}
        stray = [(one, name) for one, name in bound if one not in known]
        if stray:
            evidence[:0] = [
                f"{pci.path(one)}/driver: {name}" for one, name in stray
            ]
            return Status.FAIL, "bound to vfio, and offered by nobody"
        evidence += [f"offered: {one}" for one in offered]
        evidence.append(f"devices bound to vfio: {len(bound)}")
        if offered:
            return Status.PASS, "what guests can get is what nova offers"
        return Status.PASS, "nova offers no device, and none waits for a guest"

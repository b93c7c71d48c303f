# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-05: offered devices share a group with nothing of the host."""

from nova_vhard.common import pci as pci_text
from nova_vhard.host import module_parameters
from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    not_applicable,
    passed,
    unknown,
)
from nova_vhard.host.host import Host
from nova_vhard.host.iommu import device_iommu, iommu
from nova_vhard.host.pci import passthrough_devices, pci
from nova_vhard.host.root import HostRoot
from nova_vhard.host.sanitized import shown

# Patched kernels pretend with it that devices are apart.
_PRETENDED = "pcie_acs_override"

# Bridges of any kind without a driver, or with one that does no DMA of its
# own: the kernel hands out the rest of their group
# (``iommu_group_claim_dma_owner``).
_BRIDGE = "0x06"
_HARMLESS = (None, "pcieport", "pci-stub")


class PassthroughIsolated(Check):
    """No member of an offered device's IOMMU group stays with the host.

    ==============  ======================================================
    PASS            every other member of such a group is offered too, is
                    bound to vfio, or is a bridge between PCI buses
    FAIL            a member stays with the host, or the device is in no
                    group at all
    UNKNOWN         Nova's settings, devices or groups cannot be read, or
                    pcie_acs_override makes the groups untrustworthy
    NOT_APPLICABLE  Nova offers no device that is present
    ==============  ======================================================
    """

    name = "passthrough_isolated"
    id = "Check-Virt-05"
    title = "Offered devices share no IOMMU group with devices of the host"
    guide = "Physical hardware (PCI passthrough)"
    meaning = (
        "No device that the host keeps is in the same IOMMU group as a "
        "device that a guest can get: behind a switch without ACS, they "
        "could reach each other without passing the IOMMU."
    )
    remediation = (
        "Move the card to a slot that has a group of its own, enable ACS "
        "in the firmware, offer all functions of the group, or remove the "
        "device from [pci] device_spec. Never boot with pcie_acs_override."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the group of each device that Nova offers."""
        root = host.root
        offered = passthrough_devices.of_host(host)
        if not offered:
            return not_applicable("Nova offers no device")
        strange = iommu.unverified(root, iommu.units(root))
        if strange:
            return strange
        # Members of a group reach each other without the IOMMU: a guest's
        # device could write to a disk controller of the host.
        alone, kept = _group_members(root, offered)
        root.note(*alone.values(), *kept, first=True)
        if alone:
            return device_iommu.alone(root, list(alone))
        if kept:
            return failed(
                "offered devices share an IOMMU group with devices of the host"
            )
        root.note(*(f"offered: {item}" for item in offered))
        # Last: with this parameter separate groups prove nothing, but a shared
        # group is still a FAIL.
        pretended = module_parameters.values(root, _PRETENDED)
        if any(pretended):
            root.note(
                f"{module_parameters.CMDLINE}: {_PRETENDED}={pretended[0]}",
                first=True,
            )
            return unknown(
                "pcie_acs_override is set, so IOMMU groups may not be "
                "isolated",
                "Boot without pcie_acs_override: it claims an isolation that "
                "does not exist.",
            )
        return passed(
            "offered devices share no IOMMU group with devices of the host",
        )


def _group_members(
    root: HostRoot, offered: list[passthrough_devices.Offer]
) -> tuple[dict[str, str], list[str]]:
    """Return the offered devices without a group, and what stays in one.

    :returns: address to a line on it; a line on each that stays
    """
    groups = {item.name: item for item in iommu.groups(root)}
    known = {item.device.address for item in offered}
    alone: dict[str, str] = {}
    judged: dict[str, str] = {}
    for item in offered:
        group = iommu.group_of(root, groups, item.device.address)
        if group is None:
            alone[item.device.address] = f"{item}: in no IOMMU group"
            continue
        # Offered members may stay: vfio gives a group to one guest only.
        for other in group.devices:
            if other not in known and other not in judged:
                judged[other] = _kept(root, group, other)
    return alone, [text for text in judged.values() if text]


def _kept(root: HostRoot, group: iommu.Group, address: str) -> str:
    """Return why a member of a group stays with the host; empty if not."""
    # Arm's device trees put platform devices into groups, too.
    if not pci_text.fields(address):
        return f"{group.path}/devices: {shown(address)} (not a PCI device)"
    kind = pci.device_class(root, address)
    name = pci.driver(root, address)
    if (
        pci.waits(root, address, name)
        or kind.startswith(pci.BRIDGE)
        or (kind.startswith(_BRIDGE) and name in _HARMLESS)
    ):
        return ""
    bound = f"driver {name}" if name else "no driver"
    return f"{group.path}/devices: {address} (class {kind}, {bound})"

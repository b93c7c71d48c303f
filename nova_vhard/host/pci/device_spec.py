# SPDX-License-Identifier: Apache-2.0
"""``[pci] device_spec``: which PCI devices Nova offers to guests.

The meaning is Nova's (nova/pci/devspec.py and utils.py), with its surprises:
a regular expression is matched at its beginning only, so that ``0`` matches
``0a`` too; an address of a PF covers its VFs; an entry without any condition
covers every device. A test holds this module against Nova's own.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from oslo_utils import strutils

from nova_vhard.common import pci as pci_text
from nova_vhard.host.pci import pci
from nova_vhard.host.pci.pci import PciDevice
from nova_vhard.host.pci.pci_address import (
    ANY,
    AddressSpec,
    SpecError,
    glob,
    number,
    quoted,
    read,
)
from nova_vhard.host.root import HostRoot, unreadable

NET = "/sys/class/net"


_CONDITIONS = ("vendor_id", "product_id", "devname", "address")


@dataclass(frozen=True)
class DeviceSpec:
    """One entry of ``device_spec``.

    :ivar text: the entry as JSON
    :ivar vendor: four hexadecimal digits in lower case, or ``*``
    :ivar product: likewise
    :ivar devname: name of a network interface, instead of an address
    :ivar address: None if devname is set
    :ivar tags: all other keys, such as ``physical_network``
    """

    text: str
    vendor: str = ANY
    product: str = ANY
    devname: str | None = None
    address: AddressSpec | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def one_time_use(self) -> bool:
        """Whether a device is kept back after use until it was cleaned."""
        return _is_true(self.tags.get("one_time_use"))

    @property
    def remote_managed(self) -> bool:
        """Whether it is for devices behind a DPU.

        Nova leaves those away whose card has no serial number, which only
        root can read: here they count as offered.
        """
        return _is_true(self.tags.get("remote_managed"))


def parse(
    entries: Iterable[str], report_in_placement: bool
) -> list[DeviceSpec]:
    """Read ``device_spec`` as nova-compute does.

    :param entries: each JSON: an object, or a list of objects
    :param report_in_placement: one_time_use needs it
    :raises SpecError: where Nova refuses an entry
    """
    specs = []
    for entry in entries:
        try:
            # As _parse_white_list_from_config() in nova/pci/whitelist.py.
            result = json.loads(entry)
        except (ValueError, RecursionError) as error:
            raise SpecError(f"Invalid entry: {quoted(entry)}") from error
        for item in result if isinstance(result, list) else [result]:
            if not isinstance(item, dict):
                raise SpecError(
                    f"Invalid entry: {quoted(item)}; Expecting list or dict"
                )
            specs.append(_spec(item, report_in_placement))
    return specs


def _spec(entry: Mapping[str, Any], report_in_placement: bool) -> DeviceSpec:
    devname, address = entry.get("devname"), entry.get("address")
    if devname and address:
        raise SpecError("devname and address exclude each other")
    # Nova takes a misspelt condition ("vendor") for a tag. The entry then
    # covers more devices than the operator meant: all of them if it has no
    # other condition.
    tags = {
        key: value for key, value in entry.items() if key not in _CONDITIONS
    }
    # _normalize_device_spec_tag() is strict about these three. remote_managed
    # is not checked: Nova reads "maybe" as false.
    for name in ("managed", "live_migratable", "one_time_use"):
        if tags.get(name) is not None:
            try:
                strutils.bool_from_string(tags[name], strict=True)
            except ValueError as error:
                raise SpecError(
                    f"Cannot parse tag {name!r}: {quoted(tags[name])}"
                ) from error
    spec = DeviceSpec(
        text=json.dumps(entry),
        vendor=_identity(entry, "vendor_id"),
        product=_identity(entry, "product_id"),
        devname=str(devname) if devname else None,
        # "or", as Nova has it: an empty address is every device.
        address=None if devname else read(address or "*:*:*.*"),
        tags=tags,
    )
    # Nova keeps a used device back by a reservation in Placement: without the
    # inventory there it could not, and refuses the entry.
    if spec.one_time_use and not report_in_placement:
        raise SpecError(
            "one_time_use=true requires pci.report_in_placement to be enabled"
        )
    return spec


def _is_true(value: Any) -> bool:
    return bool(strutils.bool_from_string(value))


def _identity(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name, ANY)
    if not isinstance(value, str):
        raise SpecError(f"property {name} ({quoted(value)}) is not a string")
    # Nova does so for the vendor alone.
    value = value.strip() if name == "vendor_id" else value
    return number(name, value, 0xFFFF, 4)


def matcher(root: HostRoot, spec: DeviceSpec) -> Callable[[PciDevice], bool]:
    """Return what tells whether Nova offers a device by this entry.

    :raises Unreadable: if the address that it depends on cannot be read
    :raises SpecError: where Nova refuses what the entry leads to
    """
    address, physical = _resolved(root, spec)
    # An interface that is not there: Nova offers nothing by such an entry.
    if address is None:
        return lambda device: False

    def matches(device: PciDevice) -> bool:
        """Return whether a device has the entry's ids."""
        return (
            spec.vendor in (ANY, device.vendor)
            and spec.product in (ANY, device.product)
            # WhitelistPciAddress.match(): the address of a PF covers its VFs
            # by their parent, and the PF itself by its own.
            and any(
                (fields := pci_text.fields(item)) and address.matches(fields)
                for item in (physical and device.parent, device.address)
                if item
            )
        )

    return matches


def _resolved(
    root: HostRoot, spec: DeviceSpec
) -> tuple[AddressSpec | None, bool]:
    """Return an entry's address, and whether it is that of a PF."""
    address = spec.address
    if spec.devname:
        address = _of_interface(root, spec.devname)
        if address is None and spec.remote_managed:
            raise SpecError("a remote_managed device is not present")
    # Nova asks whether an address is a PF's only where the entry names one
    # address (_check_physical_function). With stars a VF matches by its own
    # address alone.
    single = address.single if address else None
    if single is None:
        return address, False
    return address, pci.total_vfs(root, single) > 0


def _of_interface(root: HostRoot, name: str) -> AddressSpec | None:
    """Return the address of a network interface's device, if it has one."""
    place = f"{NET}/{name}/device"
    # Python raises ValueError for a path with a zero byte, and not OSError.
    if "\0" in name:
        raise SpecError(f"devname {quoted(name)} is not a name")
    if not root.exists(place):
        # In a network namespace of its own a reporter sees no card at all.
        if not any(
            root.exists(f"{NET}/{each}/device")
            for each in root.names(NET, missing_ok=True)
        ):
            raise unreadable(
                NET,
                f"no network card is visible, nor {name[:64]!r}",
                "Run the reporter in the host's network namespace (in a "
                "container, with the host's network), or specify the "
                "device by its PCI address.",
            )
        return None
    target = root.link(place)
    if target is None:
        raise unreadable(place, "not a link to a device")
    # get_function_by_ifname() in nova/pci/utils.py reads the link, too. That
    # of a virtio card ends in "virtio0": Nova refuses it as an address.
    return glob(target)

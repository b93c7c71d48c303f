# SPDX-License-Identifier: Apache-2.0
"""Kinds of passthrough requests, and why some cannot be held back."""

from collections.abc import Mapping

#: Kinds of ports that hand a device of the host to a guest: a virtual
#: function, a whole physical function, a vDPA device, one that a SmartNIC
#: manages.
PORTS = ("vf", "pf", "vdpa", "remote_managed")

#: Demand of ``passthrough.require`` on each device, not on its host: Nova
#: holds it back after use until somebody has cleaned it.
ONE_TIME_USE = "one_time_use"

#: Names in ``passthrough.require`` that are judged per device of a request.
OF_DEVICES = frozenset((ONE_TIME_USE,))

#: Why a device cannot be held back after use, by the kind of request. Only
#: an alias for a whole device can: Nova looks for those alone in Placement,
#: where a used device is reserved (Nova 32 to 34: ``PciDevice.add`` in
#: nova/compute/pci_placement_translator.py, and
#: ``generate_request_groups_from_pci_requests`` in
#: nova/objects/request_spec.py, which leaves ports out).
NEVER_ONE_TIME: Mapping[str, str] = {
    "ports": "Nova does not reserve used devices of ports",
    "device_profiles": "Nova does not reserve used accelerators",
    "mdev": "Nova does not reserve used mediated devices",
}

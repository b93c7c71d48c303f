# SPDX-License-Identifier: Apache-2.0
"""Kinds of passthrough requests, and what their owner can do instead."""

from collections.abc import Mapping
from types import MappingProxyType

#: Kinds of ports that hand a device of the host to a guest: a virtual
#: function, a whole physical function, a vDPA device, one that a SmartNIC
#: manages.
PORTS = ("vf", "pf", "vdpa", "remote_managed")

#: List of ``passthrough.allow`` to what a person can do.
FIXES: Mapping[str, str] = MappingProxyType(
    {
        "aliases": "choose a flavor without pci_passthrough:alias, or ask "
        "the cloud's operator to allow this alias",
        "ports": "use a port of vnic type normal, or ask the cloud's "
        "operator to allow such ports",
        "device_profiles": "choose a flavor without accel:device_profile, "
        "or ask the cloud's operator to allow this profile",
        "mdev": "choose a flavor without this resource class, or ask the "
        "cloud's operator to allow it",
    }
)

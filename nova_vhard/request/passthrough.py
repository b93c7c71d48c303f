# SPDX-License-Identifier: Apache-2.0
"""Reader of passthrough requests: flavor extra specs and PCI requests.

It knows the shapes of Nova's objects (InstancePCIRequest, RequestGroup) and
imports none of them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from nova_vhard.catalogue.checks import REQUIRABLE
from nova_vhard.catalogue.profiles import PROFILES, expand
from nova_vhard.policy.hardware import HardwareRequest, Passthrough

#: The extra spec that names checks a host must have passed.
REQUIRE = "vhard:require"

_ALIAS = "pci_passthrough:alias"
_PROFILE = "accel:device_profile"

#: The extra specs with names of their own that this module reads.
NAMES = frozenset((_ALIAS, _PROFILE, REQUIRE))

#: Words that ``vhard:require`` may contain.
KNOWN = (*REQUIRABLE, *PROFILES)

#: Devices of a name up to which fewer than a server has are listed.
#: Above it, only the same number counts as had already: a flavor must not
#: decide how many objects are made.
MANY = 1024
#: Aliases of a flavor that are read; Nova has room for 255 characters.
MOST_ALIASES = 256

# resources:VGPU, resources1:VGPU, resources_GPU:CUSTOM_NVIDIA_11
# Any group: Nova takes the number or name between ``resources`` and the colon
# from the user.
_RESOURCE = re.compile(r"resources[^:]*:(VGPU|CUSTOM_\w+)$")

# Nova names the groups of a device profile so; those of a port end with the
# port's uuid.
_PROFILE_GROUP = "device_profile_"
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")


def is_resource(spec: str) -> bool:
    """Return whether an extra spec may ask for a mediated device."""
    return bool(_RESOURCE.match(spec))


def of_flavor(extra_specs: Mapping[str, str]) -> list[Passthrough]:
    """Read what a flavor asks for.

    A custom resource class may be a mediated device type of the hosts or
    anything else: only the operator knows, so that each must be allowed by
    name.
    """
    return _summed(_of_flavor(extra_specs))


def _summed(asked: Iterable[Passthrough]) -> list[Passthrough]:
    """Return requests with those of one name counted together.

    ``gpu:1,gpu:1`` is two devices, and so are two groups of one each.
    """
    result: dict[tuple[str, str], Passthrough] = {}
    for item in asked:
        # By kind and name: two groups of one device are two devices, and a
        # resize from one to two is new (bypass 23).
        first = result.setdefault((item.kind, item.name), item)
        if first is not item:
            try:
                count = str(int(first.count) + int(item.count))
            except ValueError:
                # A text that equals no number, so that it is never excused.
                count = f"{first.count}+{item.count}"
            result[item.kind, item.name] = replace(first, count=count)
    return list(result.values())


def up_to_current_count(had: HardwareRequest) -> HardwareRequest:
    """Return what a server has already: fewer of each device as well."""
    every = (less for item in had.passthrough for less in _up_to(item))
    return replace(had, passthrough=tuple(every))


def _up_to(asked: Passthrough) -> list[Passthrough]:
    # Any other text is compared as it is.
    if not asked.count.isdecimal() or int(asked.count) > MANY:
        return [asked]
    counts = range(1, int(asked.count) + 1)
    return [replace(asked, count=str(count)) for count in counts]


def _of_flavor(extra_specs: Mapping[str, str]) -> Iterator[Passthrough]:
    # The text after the last alias that is read counts as one name: no policy
    # allows it, and its cost does not grow.
    source = f"flavor extra spec {_ALIAS}"
    # The comma at the end keeps ``last`` empty for up to MOST_ALIASES names.
    *parts, last = f"{extra_specs.get(_ALIAS, '')},".split(",", MOST_ALIASES)
    for part in parts:
        name, _, count = part.partition(":")
        name = name.strip()
        if name:
            yield Passthrough("aliases", name, source, count.strip() or "1")
    rest = last.removesuffix(",")
    if rest:
        yield Passthrough("aliases", rest, source)
    profile = extra_specs.get(_PROFILE)
    if profile:
        source = f"flavor extra spec {_PROFILE}"
        yield Passthrough("device_profiles", profile, source)
    for spec in sorted(extra_specs):
        match = _RESOURCE.match(spec)
        count = extra_specs[spec].strip()
        # ``resources:VGPU=0`` removes a resource that Nova would add.
        if match and count != "0":
            source = f"flavor extra spec {spec}"
            yield Passthrough("mdev", match[1], source, count)


def of_requests(
    pci_requests: Iterable[Any], groups: Iterable[Any] = ()
) -> list[Passthrough]:
    """Read what Nova's scheduler is asked for.

    :param pci_requests: InstancePCIRequest objects
    :param groups: RequestGroup objects
    """
    result = _summed(_of_request(pci_request) for pci_request in pci_requests)
    for group in groups:
        requester = group.requester_id or ""
        port = _UUID.search(requester)
        # Cyborg's groups of a flavor end with their number alone, and
        # ``of_flavor`` has read the profile
        # (``get_device_profile_group_requester_id``).
        if requester.startswith(_PROFILE_GROUP) and port:
            source = f"accelerator of port {port[0]}"
            result.append(
                Passthrough("device_profiles", f"port {port[0]}", source)
            )
    return result


def is_port(asked: Passthrough) -> bool:
    """Return whether a port asks, rather than a flavor."""
    return asked.kind == "ports" or asked.name.startswith("port ")


def _of_request(request: Any) -> Passthrough:
    """Return the request of a flavor's alias or of a port, with its kind.

    A port's request has no alias. It does not distinguish direct, macvtap and
    virtio-forwarder, which does not matter.
    """
    alias = request.alias_name
    if alias:
        source = f"flavor extra spec {_ALIAS}"
        count = str(request.count)
        return Passthrough("aliases", alias, source, count)
    # InstancePCIRequest.source is NEUTRON_PORT exactly where alias_name is
    # None.
    port = request.requester_id or "unknown"
    # A port's request has one spec, from ``create_resource_requests`` in
    # nova/network/neutron.py.
    spec = (request.spec or [{}])[0]
    return Passthrough("ports", _kind_of_port(spec), f"port {port}")


#: vnic type to the kind of port that passthrough.allow names.
_VNIC = {
    "direct": "vf",
    "macvtap": "vf",
    "virtio-forwarder": "vf",
    "direct-physical": "pf",
    "vdpa": "vdpa",
    "remote-managed": "remote_managed",
}
_PLAIN_VNIC = frozenset(("normal", "baremetal", "smart-nic"))
#: vnic types of which the guest gets the device alone, without a card that
#: libvirt adds: VNIC_TYPES_DIRECT_PASSTHROUGH of nova.network.model.
DIRECT_VNIC = frozenset(
    (
        "accelerator-direct",
        "accelerator-direct-physical",
        "direct",
        "direct-physical",
        "remote-managed",
        "vdpa",
    )
)


def of_port(port: Mapping[str, Any]) -> Passthrough | None:
    """Read what a port asks for.

    :param port: as Neutron shows it
    :returns: None for a port that brings no device of the host; a vnic type
        that is not known counts as one that does
    """
    vnic = str(port.get("binding:vnic_type"))
    if vnic in _PLAIN_VNIC:
        return None
    name = port.get("id") or "unknown"
    if vnic.startswith("accelerator-direct"):
        return Passthrough(
            "device_profiles", f"port {name}", f"accelerator of port {name}"
        )
    # An unknown type keeps its own name, which no list can contain
    # (schema.py).
    return Passthrough("ports", _VNIC.get(vnic, vnic), f"port {name}")


def _kind_of_port(spec: Mapping[str, Any]) -> str:
    # First: Nova writes the tag for each port, and such a device has a
    # dev_type as well.
    if str(spec.get("remote_managed")).lower() == "true":
        return "remote_managed"
    kinds = {"type-PF": "pf", "vdpa": "vdpa"}
    return kinds.get(str(spec.get("dev_type")), "vf")


def host_checks(extra_specs: Mapping[str, str]) -> frozenset[str]:
    """Return the checks that a flavor demands of its host.

    A profile stands for its checks. Names that do not exist are kept: no
    host has passed them.
    """
    text = extra_specs.get(REQUIRE, "")
    return expand(filter(None, (part.strip() for part in text.split(","))))


def unknown_requirements(text: str) -> list[str]:
    """Return the words of ``vhard:require`` that are not in ``KNOWN``.

    :param text: value of the extra spec; an empty word is unknown, too
    """
    words = (part.strip() for part in text.split(","))
    return [word for word in words if word not in KNOWN]

# SPDX-License-Identifier: Apache-2.0
"""Reader of image properties, as Glance or Cinder keeps them.

It follows ``ImageMetaProps.from_dict`` in nova/objects/image_meta.py: legacy
names first, then the names of today, which win.
"""

import functools
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.properties import LEGACY_NAMES, VMWARE_ADAPTER
from nova_vhard.policy.hardware import (
    CDROM,
    CONFIG_DRIVE,
    IMAGE,
    NOBODY,
    ROOT,
    USUAL,
    Device,
    DeviceChoice,
    Fault,
    HardwareRequest,
    Holder,
)
from nova_vhard.request import block_device

#: Image property to the device kind that it sets.
KIND_OF: Mapping[str, str] = {
    name: kind.name
    for kind in KINDS.values()
    for name in kind.image_properties
}

_ORDER = {name: place for place, name in enumerate(KIND_OF)}

#: Image that a rescue without an image boots: Nova stores it with the server,
#: and opens any URL in it (``_get_rescue_image`` in nova/compute/manager.py,
#: ``get`` of nova.image.glance.API).
#: With the user's token, and nova-compute's service token if so configured: a
#: URL in it would hand them to a stranger (bypass 28).
BASE_IMAGE = "base_image_ref"

#: Bytes of a property that Nova keeps in a server's system metadata. It builds
#: the guest from the whole value at first, later from these.
KEPT = 255

#: Root device of a guest with an ISO image. It replaces any bus and kind.
ISO_IMAGE = Device(CDROM, ROOT, "an ISO image")

#: Every property that this reader looks at; a change of another one cannot
#: change what it returns.
#: The Glance gate passes every other change on unread. A property that a
#: reader looks at and that is missing here is a hole.
READ = frozenset(KIND_OF) | {
    *LEGACY_NAMES,
    *LEGACY_NAMES.values(),
    VMWARE_ADAPTER,
    BASE_IMAGE,
    "disk_format",
}

#: The block devices of an image.
MAPPINGS = (
    "block_device_mapping",
    "img_block_device_mapping",
    "mappings",
    "img_mappings",
)


#: A value as Nova takes it, the name that it is stored under, and as stored.
_Found = tuple[str, str, str]
#: By the names of today.
_Effective = dict[str, _Found]


def read(
    properties: Mapping[str, Any],
    disk_format: str | None = None,
    origin: str = IMAGE,
    holder: Holder = NOBODY,
) -> HardwareRequest:
    """Read what an image asks for.

    :param properties: property names to values, as stored; values that are
        not text are read as Nova would write them out
    :param disk_format: the image's disk format, ``iso`` matters
    :param origin: IMAGE, or VOLUME for a volume's image metadata
    :param holder: which image or volume it is
    """
    effective = {}
    # As ``_set_attr_from_legacy_names``: all legacy names before any name of
    # today, so that the order in the image does not count (bypass 3).
    for legacy, name in LEGACY_NAMES.items():
        if legacy in properties:
            text = str(properties[legacy])
            effective[name] = (text, legacy, text)
    adapter = properties.get(VMWARE_ADAPTER)
    if adapter:
        text = str(adapter)
        # Compared as it is, without folding of case: Nova does the same.
        bus = "ide" if adapter == "ide" else "scsi"
        effective["hw_disk_bus"] = (bus, VMWARE_ADAPTER, text)
        if bus == "scsi":
            effective["hw_scsi_model"] = (text, VMWARE_ADAPTER, text)
    # Second, so that the names of today win. An empty one wins too.
    for name, value in properties.items():
        if name in READ:
            text = str(value)
            effective[name] = (text, name, text)
    # In the order of the catalogue, whatever the order of the body: which
    # violations a short explanation keeps must not be chance.
    chosen = sorted(effective.keys() & _ORDER.keys(), key=_ORDER.__getitem__)
    choices = []
    # Faults and not choices: no rule of the policy could name what is allowed.
    faults = list(_faults(properties, origin, holder))
    for name in chosen:
        _, setting, written = found = effective[name]
        # Short values only: a cache key with a value of 64 KiB would let a
        # tenant fill the memory of the service.
        make = _kept_choice if len(written) <= _SHORT else _choice
        choices.append(make(name, found, origin, holder))
        if (
            len(written.encode(errors="replace")) > KEPT
            # A value of any other kind is text that no rule allows.
            and KINDS[KIND_OF[name]].value_type in ("bool", "int")
        ):
            faults.append(
                Fault(
                    source=f"{origin} property {setting}",
                    value=written,
                    message=f"is longer than {KEPT} bytes: Nova stores only "
                    "its beginning with a server; use a shorter value",
                    names=frozenset((setting,)),
                    origin=origin,
                    holder=holder,
                )
            )
    devices = list(USUAL)
    # ``get_root_info`` then puts the root on the CD-ROM's bus.
    if disk_format == "iso":
        devices.append(ISO_IMAGE)
    if _value(effective, "img_config_drive") == "mandatory":
        devices.append(
            Device(
                CDROM,
                CONFIG_DRIVE,
                "a config drive, requested by img_config_drive",
            )
        )
    # Both names of each: Nova reads either. Not from ``effective``, which has
    # one name for the two.
    for name in MAPPINGS:
        if (value := properties.get(name)) is not None:
            more, cdroms = block_device.read(value, name, origin, holder)
            choices += more
            devices += cdroms
    return HardwareRequest(
        choices=tuple(choices),
        devices=tuple(devices),
        architecture=_value(effective, "hw_architecture"),
        emulated=_value(effective, "hw_emulation_architecture"),
        # Nova does not treat an empty one as its default.
        machine_type=effective["hw_machine_type"][0]
        if "hw_machine_type" in effective
        else None,
        os_distro=_value(effective, "os_distro"),
        origin=origin,
        holder=holder,
        faults=tuple(faults),
    )


def _faults(
    properties: Mapping[str, Any], origin: str, holder: Holder
) -> Iterator[Fault]:
    """Yield references that Nova would follow and that cannot be checked.

    Skip an empty one: Nova's own snapshot of a volume-backed server has it.
    """
    value = properties.get(BASE_IMAGE)
    # A reference with a slash is an address for Nova
    # (``get_remote_image_service``). Demand a UUID, which is nothing but an
    # id.
    if value is not None and value != "" and not is_image_id(value):
        yield Fault(
            source=f"{origin} property {BASE_IMAGE}",
            value=str(value),
            message="is not the ID of an image, but a rescue would "
            "boot from it",
            names=frozenset((BASE_IMAGE,)),
            origin=origin,
            holder=holder,
        )


def is_image_id(value: Any) -> bool:
    """Return whether a reference is a UUID in its usual spelling."""
    try:
        # uuid.UUID also reads braces, "urn:uuid:" and an id without dashes,
        # which for Glance are other texts.
        return bool(str(uuid.UUID(value)) == value.lower())
    except (AttributeError, TypeError, ValueError):
        return False


def _value(effective: _Effective, name: str) -> str | None:
    text = effective[name][0] if name in effective else ""
    kind = KIND_OF.get(name)
    return (KINDS[kind].canonical(text) if kind else text) if text else None


def _choice(
    name: str, found: _Found, origin: str, holder: Holder
) -> DeviceChoice:
    """Return the choice that a property makes."""
    value, setting, written = found
    kind = KINDS[KIND_OF[name]]
    canonical = kind.canonical(value)
    return DeviceChoice(
        kind=kind.name,
        value=canonical,
        source=f"{origin} property {setting}",
        setting=setting,
        origin=origin,
        names=frozenset((setting, name)),
        written=written if written != canonical else None,
        holder=holder,
    )


# Images say the same few values over and over; what somebody makes up to fill
# it is short, and pushes out what is as cheap to make again.
_kept_choice = functools.lru_cache(maxsize=1024)(_choice)
_SHORT = 64

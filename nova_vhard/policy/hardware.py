# SPDX-License-Identifier: Apache-2.0
"""HardwareRequest: what a guest asks for, each choice with its source."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

#: Where a choice can be written down.
IMAGE = "image"
VOLUME = "volume"
FLAVOR = "flavor"
BLOCK_DEVICE = "block_device"
SERVER = "server"
DOMAIN = "domain"

#: Device types for which one value can apply to all devices.
DISK = "disk"
CDROM = "cdrom"
FLOPPY = "floppy"
NIC = "nic"
DISPLAY = "display"


# A NamedTuple, as Holder: many are made for each request, and equal content
# means the same device.
class Device(NamedTuple):
    """A device that the guest has.

    :ivar type: DISK, CDROM, FLOPPY, NIC or DISPLAY
    :ivar name: identifies the device within the guest; it has the same name
        in each request about a server
    :ivar why: reason for the device, as text; empty if every guest has it
    """

    type: str
    name: str
    why: str = ""


#: Device names that more than one reader uses.
ROOT = "root disk"
CONFIG_DRIVE = "config drive"
#: A volume that is not attached yet.
NEW_DISK = "attached volume"
#: What a guest gets where nothing more is said.
#: The root disk has no bus yet: the choices decide whether it has one, or
#: takes the bus of the image.
USUAL = (
    Device(DISK, ROOT),
    Device(NIC, "network cards"),
    Device(DISPLAY, "display"),
)


class Holder(NamedTuple):
    """The image or volume whose properties contain a choice.

    :ivar id: its uuid, or None if unknown
    :ivar project: id of the project that owns it, or None if unknown
    :ivar disk_format: of an image, or None if unknown
    :ivar stored: whether the choice is in the copy of the image's properties
        that Nova keeps with a server, which no user can edit
    :ivar made_of: for a volume, id of its source image, as stored in Cinder.
        The owner of the volume can change it
    """

    id: str | None = None
    project: str | None = None
    disk_format: str | None = None
    stored: bool = False
    made_of: str | None = None


# Not STORED: that one says that no user can edit the place, this one that the
# place is unknown.
NOBODY = Holder()
STORED = Holder(stored=True)


@dataclass(frozen=True, slots=True)
class Fault:
    """A reference in a request that cannot be checked.

    :ivar source: where the reference is, in words
    :ivar value: the reference as written
    :ivar message: what is wrong with it
    :ivar names: names of the image properties that it comes from
    :ivar fix: how to fix it; empty if removing the property does
    :ivar origin: IMAGE or VOLUME, if it is such a property
    :ivar holder: the image or volume that contains it
    :ivar count: number of references, if each is one more device
    """

    source: str
    value: str
    message: str
    names: frozenset[str] = frozenset()
    fix: str = ""
    origin: str = IMAGE
    holder: Holder = NOBODY
    count: str = ""


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """One choice of a virtual device.

    :ivar kind: name of the device kind, ``disk_bus``
    :ivar value: the value as Nova would read it; None if Nova or libosinfo
        picks one that cannot be known here
    :ivar source: origin of the choice, in words: ``image property
        hw_disk_bus``
    :ivar setting: the name that was set there: ``hw_disk_bus``
    :ivar origin: IMAGE, VOLUME, FLAVOR, BLOCK_DEVICE, SERVER for what a
        server has had since its boot, or DOMAIN for what libvirt starts
    :ivar names: names of the image properties that it comes from, so that a
        change can be attributed to it
    :ivar written: the value as written, if it differs
    :ivar implied: in words, why Nova picks this value, if it is a default
    :ivar holder: the image or volume that contains it
    :ivar synonyms: other names of the same device, any of which a rule may
        allow: libvirt's ``pc-q35-10.0`` is a ``q35``
    :ivar device: name of the device that it applies to; empty if it applies
        to each device of the kind, or to the whole guest
    """

    kind: str
    value: str | None
    source: str
    setting: str = ""
    origin: str = IMAGE
    names: frozenset[str] = frozenset()
    written: str | None = None
    implied: str | None = None
    holder: Holder = NOBODY
    synonyms: tuple[str, ...] = ()
    device: str = ""


@dataclass(frozen=True, slots=True)
class Passthrough:
    """A request for a device of the host, or a part of one.

    :ivar kind: ``aliases``, ``ports``, ``device_profiles`` or ``mdev``: the
        list of ``passthrough.allow`` that must name it
    :ivar name: name that the list must contain
    :ivar source: origin of the request, in words
    :ivar count: number of devices; more than a server had before is a new
        request. An invalid number is text, which equals no other
    :ivar synonyms: other names, any of which the list may contain
    """

    kind: str
    name: str
    source: str
    count: str = "1"
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HardwareRequest:
    """The device choices of one guest, and what its defaults depend on.

    :ivar choices: the explicit choices, in the order in which they were read
    :ivar devices: the devices of the guest, except those that their own
        choices describe completely
    :ivar architecture: guest architecture, None where the host decides
    :ivar emulated: architecture that QEMU emulates in its place, if any
    :ivar machine_type: machine type, None where the host decides
    :ivar os_distro: what libosinfo would pick by, None if not set
    :ivar origin: IMAGE or VOLUME: where its image properties are kept
    :ivar passthrough: devices of the host that are asked for
    :ivar only: the device kinds that this request is about; None for all
    :ivar host_checks: checks that the flavor demands of the host
    :ivar holder: the image or volume that its properties are of
    :ivar rescue_disk: a disk that another image chooses and that is plugged
        into this guest: its own kinds are in its ``only``, and its
        controller is this guest's
    :ivar other_files: images and volumes that it boots and does not take its
        devices from; of each only the kinds that are about the file
    :ivar faults: references that nobody can judge
    :ivar complete: whether it is all that the guest has, so that nothing is
        implied by what it does not say
    :ivar has_flavor: True if the choices include the extra specs of a flavor.
        If not, defaults that a flavor can change are not implied
    """

    choices: tuple[DeviceChoice, ...] = ()
    devices: tuple[Device, ...] = USUAL
    architecture: str | None = None
    machine_type: str | None = None
    os_distro: str | None = None
    origin: str = IMAGE
    passthrough: tuple[Passthrough, ...] = ()
    host_checks: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    emulated: str | None = None
    holder: Holder = NOBODY
    rescue_disk: "HardwareRequest | None" = None
    other_files: "tuple[HardwareRequest, ...]" = ()
    faults: tuple[Fault, ...] = ()
    complete: bool = False
    has_flavor: bool = False

    def explicit(self, kind: str) -> tuple[DeviceChoice, ...]:
        """Return the explicit choices of one kind."""
        # A list, not one: the image, the flavor and each block device may say
        # something about the same kind.
        return tuple(choice for choice in self.choices if choice.kind == kind)

    def plus(
        self,
        choices: Iterable[DeviceChoice] = (),
        devices: Iterable[Device] = (),
    ) -> "HardwareRequest":
        """Return this request with more choices and more devices."""
        return replace(
            self,
            choices=(*self.choices, *choices),
            devices=(*self.devices, *devices),
        )

    def of_type(self, kind: str) -> tuple[Device, ...]:
        """Return the devices of one type."""
        # Called for every request, where a list is faster than a generator.
        return tuple([each for each in self.devices if each.type == kind])

# SPDX-License-Identifier: Apache-2.0
"""The devices in the XML of a libvirt domain, as choices that are judged."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from xml.etree.ElementTree import Element

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.domain_devices import (
    FILES,
    HARMLESS,
    HOST_DEVICES,
    KNOWN_DEVICES,
    KNOWN_ELEMENTS,
    KNOWN_SYSTEM,
    NO_WORD,
    UNKNOWN_DEVICE,
    HostDevicePlace,
)
from nova_vhard.catalogue.domain_xml import PLACES
from nova_vhard.catalogue.xml_location import XmlPlace
from nova_vhard.common.text import clean
from nova_vhard.policy.hardware import (
    DOMAIN,
    DeviceChoice,
    Fault,
    HardwareRequest,
    Passthrough,
)
from nova_vhard.request import passthrough

#: Digits of a number of devices; no guest has more.
_DIGITS = 4

#: Child and attribute that tell a device from others, for a person.
_TELLING = (("target", "dev"), ("mac", "address"))


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts outside the devices of a domain that are needed to read them.

    :ivar specs: extra specs of the server's flavor, or None if unknown
    :ivar architecture: of the guest
    :ivar host: architecture of the host
    :ivar folders: option of [vhard_guard] to the folders that it names
    """

    specs: Mapping[str, str] | None
    architecture: str
    host: str
    folders: Mapping[str, Sequence[str]]


def read(
    domain: Element,
    specs: Mapping[str, str] | None,
    host: str,
    folders: Mapping[str, Sequence[str]],
) -> HardwareRequest:
    """Read every device of a domain.

    :param domain: ``<domain>``
    :param specs: extra specs of the flavor, by Nova's metadata
    :param host: architecture of the host
    :param folders: option of [vhard_guard] to the folders in which files must
        lie; files of an option that is missing may lie anywhere
    """
    facts = Facts(specs, _at(domain, "os/type/@arch") or "", host, folders)
    return HardwareRequest(
        choices=tuple(_choices(domain, facts)),
        devices=(),
        passthrough=tuple(_host_devices(domain, facts)),
        # Without known extra specs nothing can be required by them.
        host_checks=passthrough.host_checks(specs or {}),
        faults=tuple(_faults(domain, facts)),
        # libvirt has filled in its defaults: absent is absent.
        complete=True,
    )


def _choices(domain: Element, facts: Facts) -> Iterator[DeviceChoice]:
    """Yield each choice once, in the order of the catalogue."""
    # By value, not by device: ten disks on ide are one violation.
    seen: set[tuple[str, str | None]] = set()
    for kind in KINDS:
        for place in PLACES.get(kind, ()):
            for value, device in _values(domain, place, facts):
                if (kind, value) not in seen:
                    seen.add((kind, value))
                    yield _choice(kind, place, value, device)


def _values(
    domain: Element, place: XmlPlace, facts: Facts
) -> Iterator[tuple[str | None, Element]]:
    """Yield the values that count, each with the element that has it."""
    elements = _elements(domain, place)
    missing = place.missing.get(facts.architecture, place.missing.get(""))
    by = facts.host if place.of_host else facts.architecture
    added = place.added.get(by, place.added.get("", ()))
    # libvirt writes nothing for some devices of a machine type, such as the
    # IDE controller of pc.
    if not elements and place.absent:
        where, pattern, value = place.absent
        if re.fullmatch(pattern, _at(domain, where) or ""):
            yield value, domain
    for element in elements:
        if place.count:
            found: str | None = str(len(elements))
        elif place.spec:
            # The XML does not say what Nova chose by it. Only the flavor does.
            found = (facts.specs or {}).get(place.spec)
        else:
            found = _value(element, place.value) or missing
        # Values that libvirt or Nova add to every guest are not a choice.
        if found not in added:
            yield found, element


def _elements(domain: Element, place: XmlPlace) -> list[Element]:
    return [
        element
        for element in domain.iterfind(place.path)
        if _counts(element, place)
    ]


def _counts(element: Element, place: XmlPlace) -> bool:
    if any(element.get(name) not in some for name, some in place.only.items()):
        return False
    if any(element.get(name) in some for name, some in place.but.items()):
        return False
    if place.source:
        return _is_from(element, place.source)
    return not place.but_source or not _is_from(element, place.but_source)


def _is_from(disk: Element, ending: str) -> bool:
    """Return whether the name of a disk's source ends so."""
    return any(
        value.endswith(ending)
        for source in disk.iterfind("source")
        for value in source.attrib.values()
    )


def _value(element: Element, where: str | None) -> str | None:
    """Return the value of an element; None where it has none."""
    if where is None:
        return "true"
    values = (_at(element, place) for place in where.split("|"))
    return next(filter(None, values), None)


def _at(element: Element, where: str) -> str | None:
    path, *names = where.split("@")
    if not names:
        return (element.findtext(path or ".") or "").strip()
    child = element.find(path.removesuffix("/") or ".")
    return None if child is None else child.get(*names)


def _choice(
    kind: str, place: XmlPlace, value: str | None, device: Element
) -> DeviceChoice:
    names = [
        KINDS[kind].canonical(name)
        for name in (place.names(value) if value is not None else ())
    ]
    which = _which(device)
    source = KINDS[kind].title
    if which:
        source = f"{source} of {device.tag} {which}"
    # Judged and reported by the policy's word. ``written`` keeps libvirt's.
    usual = names[0] if names else None
    return DeviceChoice(
        kind=kind,
        value=usual,
        source=source,
        setting=source,
        origin=DOMAIN,
        written=value if value != usual else None,
        synonyms=tuple(names[1:]),
    )


def _which(device: Element) -> str:
    """Return what tells a device from others; empty where nothing does."""
    for path, name in _TELLING:
        child = device.find(path)
        value = child.get(name) if child is not None else None
        if value:
            return clean(value)
    return ""


def _host_devices(domain: Element, facts: Facts) -> Iterator[Passthrough]:
    """Yield the devices of the host that the guest gets."""
    known = facts.specs is not None
    # The XML shows a PCI address, not the alias. So the number of devices is
    # compared with what the flavor asks for.
    wanted = passthrough.of_flavor(facts.specs or {})
    for place in HOST_DEVICES:
        devices = [
            device
            for elements in place.places
            for device in _elements(domain, elements)
        ]
        if devices:
            yield from _handed(place, devices, known, wanted)


def _handed(
    place: HostDevicePlace,
    devices: list[Element],
    known: bool,
    wanted: Iterable[Passthrough],
) -> Iterator[Passthrough]:
    """Yield who asks for devices: the flavor, and else what they are.

    :param known: whether it is known what the flavor asks for
    """
    # The flavor does not account for the rest, so that it needs a permission
    # of its own.
    rest = len(devices)
    for request in wanted:
        if request.kind in place.flavor:
            yield request
            count = request.count
            # What is not a small number is all the rest.
            # int() of a text with thousands of digits takes long, or raises.
            small = len(count) <= _DIGITS and count.isdecimal()
            rest -= int(count) if small and count.isascii() else rest
    if rest <= 0:
        return
    source = f"{devices[-1].tag} of the domain"
    # Nova 2025.1 writes no extra specs. Then it is unknown which alias it was,
    # and only ``*`` allows it.
    if known or not place.flavor:
        name, *synonyms = place.names
        yield Passthrough(place.kind, name, source, str(rest), tuple(synonyms))
    else:
        yield Passthrough(place.flavor[0], UNKNOWN_DEVICE, source, str(rest))


def _faults(domain: Element, facts: Facts) -> Iterator[Fault]:
    """Yield what a policy has no word for, each thing once, and how many."""
    counts = Counter(_without_a_word(domain, facts))
    for device, count in counts.items():
        yield Fault(
            source="device",
            value=device,
            message="is a device that no rule covers and that Nova adds to "
            "no guest",
            origin=DOMAIN,
            count=str(count),
        )
    for option, folders in facts.folders.items():
        files = Counter(
            file
            for place in FILES[option]
            for file, _ in _values(domain, place, facts)
            if file
        )
        for file, count in files.items():
            # normpath, so that ``..`` does not lead out of the folder. Links
            # are not followed: a path that libvirt has accepted is compared as
            # it is written.
            path = PurePath(os.path.normpath(file))
            if not any(map(path.is_relative_to, folders)):
                yield Fault(
                    source="file",
                    value=file,
                    message=f"is not in a folder of [vhard_guard] {option}",
                    origin=DOMAIN,
                    count=str(count),
                )


def _without_a_word(domain: Element, facts: Facts) -> Iterator[str]:
    """Yield what such devices are called."""
    for path, known in (
        # QEMU's own arguments are of another namespace: they go past
        # everything that libvirt checks.
        ("*", KNOWN_ELEMENTS | HARMLESS),
        ("os/*", KNOWN_SYSTEM),
        ("devices/*", KNOWN_DEVICES),
    ):
        for element in domain.iterfind(path):
            # A closed list: a new element of libvirt is refused until the
            # catalogue knows it.
            if element.tag not in known:
                yield element.tag.rpartition("}")[2]
    for place in NO_WORD:
        for value, device in _values(domain, place, facts):
            name = place.names(value)[0] if value else ""
            yield f"{device.tag} {name}".rstrip()

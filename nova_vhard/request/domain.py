# SPDX-License-Identifier: Apache-2.0
"""Reader of the XML of a libvirt domain: what a guest is about to get.

``nova_vhard.catalogue.domain_xml`` says where each device kind stands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.domain_xml import PLACES, XmlPlace
from nova_vhard.common import xml
from nova_vhard.common.text import clean
from nova_vhard.policy.hardware import (
    DOMAIN,
    DeviceChoice,
    HardwareRequest,
)
from nova_vhard.policy.subject import Subject
from nova_vhard.request.image import is_image_id

_NOVA = "{http://openstack.org/xmlns/libvirt/nova/1.1}"
_INSTANCE = f"metadata/{_NOVA}instance"


class DomainError(ValueError):
    """Raised for what is no domain that can be judged; one line says why."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A guest as libvirt is about to start it, or runs it.

    :ivar name: libvirt's name, ``instance-0000002a``
    :ivar uuid: its id, which is the id of Nova's server
    :ivar request: every device that is judged, and nothing that is implied
    :ivar subject: who it belongs to, by Nova's metadata in it
    """

    name: str
    uuid: str
    request: HardwareRequest
    subject: Subject


def read(text: bytes, operation: str) -> Domain:
    """Read the XML that libvirt hands to its hook, or shows of a guest.

    :param text: the document, in UTF-8
    :param operation: in the course of what, of ``policy.subject``
    :raises DomainError: if it is no XML, no domain, too large or hostile
    """
    try:
        domain = xml.parse(text)
    except xml.XmlError as error:
        raise DomainError(f"the domain's XML is {error}") from error
    uuid = (domain.findtext("uuid") or "").strip().lower()
    if domain.tag != "domain" or not is_image_id(uuid):
        raise DomainError("the domain's XML is not of a domain with a uuid")
    return Domain(
        name=domain.findtext("name") or "",
        uuid=uuid,
        request=_request(domain),
        subject=_subject(domain, uuid, operation),
    )


def _subject(domain: Element, uuid: str, operation: str) -> Subject:
    instance = domain.find(_INSTANCE)
    if instance is None:
        return Subject(operation, server=uuid)
    flavor = instance.find(f"{_NOVA}flavor")
    return Subject(
        operation,
        project=_attribute(instance, f"{_NOVA}owner/{_NOVA}project", "uuid"),
        image=_attribute(instance, f"{_NOVA}image", "uuid"),
        flavor=flavor.get("name") if flavor is not None else None,
        flavor_id=flavor.get("id") if flavor is not None else None,
        server=uuid,
    )


def _attribute(element: Element, path: str, name: str) -> str | None:
    child = element.find(path)
    return (child.get(name) or None) if child is not None else None


def _request(domain: Element) -> HardwareRequest:
    return HardwareRequest(
        wishes=tuple(_choices(domain)),
        devices=frozenset(),
        complete=True,
    )


def _choices(domain: Element) -> Iterator[DeviceChoice]:
    """Yield each choice once, in the order of the catalogue."""
    system = domain.find("os/type")
    architecture = "" if system is None else system.get("arch", "")
    seen: set[tuple[str, str | None]] = set()
    for kind in KINDS:
        for place in PLACES.get(kind, ()):
            for value, device in _values(domain, place, architecture):
                if (kind, value) not in seen:
                    seen.add((kind, value))
                    yield _choice(kind, place, value, device)


def _values(
    domain: Element, place: XmlPlace, architecture: str
) -> Iterator[tuple[str | None, Element]]:
    """Yield the values that count, each with the element that has it."""
    elements = [
        element
        for element in domain.iterfind(place.path)
        if _counts(element, place)
    ]
    values: list[str | None]
    if place.count:
        values = [str(len(elements))] if elements else []
    else:
        values = [
            _value(element, place.value) or place.missing_on(architecture)
            for element in elements
        ]
    for value, element in zip(values, elements, strict=False):
        if value is None or not place.is_added(value, architecture):
            yield value, element


def _counts(element: Element, place: XmlPlace) -> bool:
    if any(element.get(name) not in some for name, some in place.only.items()):
        return False
    if any(element.get(name) in some for name, some in place.but.items()):
        return False
    names = _source(element) if place.source or place.but_source else ()
    if place.source:
        return any(name.endswith(place.source) for name in names)
    return not any(name.endswith(place.but_source or "\n") for name in names)


def _source(disk: Element) -> tuple[str, ...]:
    source = disk.find("source")
    return () if source is None else tuple(source.attrib.values())


def _value(element: Element, where: str | None) -> str | None:
    if where is None:
        return "true"
    path, at, name = where.rpartition("@")
    if not at:
        text = element.findtext(where) if where else element.text
        return (text or "").strip() or None
    child = element.find(path.rstrip("/")) if path else element
    return None if child is None else child.get(name)


def _choice(
    kind: str, place: XmlPlace, value: str | None, device: Element
) -> DeviceChoice:
    names = place.names(value) if value is not None else ()
    spelled = tuple(KINDS[kind].canonical(name) for name in names)
    source = f"{KINDS[kind].title} of {device.tag}{_which(device)}"
    return DeviceChoice(
        kind=kind,
        value=spelled[0] if spelled else None,
        source=source,
        setting=source,
        origin=DOMAIN,
        written=value if spelled and value != spelled[0] else None,
        synonyms=spelled[1:],
    )


def _which(device: Element) -> str:
    """Return what tells a device from others of its kind, for a person."""
    for path, name in (("target", "dev"), ("mac", "address")):
        value = _attribute(device, path, name)
        if value:
            return f" {clean(value)}"
    return ""

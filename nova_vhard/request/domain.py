# SPDX-License-Identifier: Apache-2.0
"""Reader of the XML of a libvirt domain: a guest before its start.

``nova_vhard.catalogue.domain_xml`` has the location of each device kind.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from xml.etree.ElementTree import Element

from nova_vhard.common import xml
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.subject import Subject
from nova_vhard.request import domain_devices
from nova_vhard.request.image import is_image_id

_NOVA = "{http://openstack.org/xmlns/libvirt/nova/1.1}"
_INSTANCE = f"metadata/{_NOVA}instance"


class DomainError(ValueError):
    """Raised for an invalid domain; says why in one line."""


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


def read(
    text: bytes,
    operation: str,
    host: str = "",
    folders: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Domain:
    """Read the XML that libvirt hands to its hook, or shows of a guest.

    :param text: the document, in UTF-8
    :param operation: in the course of what, of ``policy.subject``
    :param host: architecture of the host; empty for this machine's
    :param folders: of ``domain_devices.read``; in them ``{uuid}`` stands for
        the id of the guest
    :raises DomainError: if it is no XML, no domain, too large or hostile
    """
    try:
        domain = xml.parse(text)
    except xml.XmlError as error:
        raise DomainError(f"the domain's XML is {error}") from error
    # Lower case, as Nova writes it. Exemptions by server compare literally.
    uuid = (domain.findtext("uuid") or "").strip().lower()
    # Without an id the guard could not tell one guest from another.
    if domain.tag != "domain" or not is_image_id(uuid):
        raise DomainError(
            "the domain's XML does not describe a domain with a uuid"
        )
    # Most defaults of libvirt depend on the machine. Do not guess it.
    if domain.find("os/type") is None:
        raise DomainError("the domain's XML has no machine type")
    instance = domain.find(_INSTANCE)
    return Domain(
        name=domain.findtext("name") or "",
        uuid=uuid,
        request=domain_devices.read(
            domain,
            _extra_specs(instance),
            host or platform.machine(),
            {
                name: [folder.replace("{uuid}", uuid) for folder in some]
                for name, some in folders.items()
            },
        ),
        subject=_subject(instance, uuid, operation),
    )


def _subject(instance: Element | None, uuid: str, operation: str) -> Subject:
    # A guest that Nova did not define has no owner, so that no exemption by
    # project applies, and no mode of a project.
    if instance is None:
        return Subject(operation, server=uuid)
    flavor = instance.find(f"{_NOVA}flavor")
    return Subject(
        operation,
        # No domain and no roles: Nova's metadata has neither.
        project=_attribute(instance, f"{_NOVA}owner/{_NOVA}project", "uuid"),
        image=_attribute(instance, f"{_NOVA}image", "uuid"),
        flavor=flavor.get("name") if flavor is not None else None,
        flavor_id=flavor.get("id") if flavor is not None else None,
        server=uuid,
    )


def _attribute(element: Element, path: str, name: str) -> str | None:
    child = element.find(path)
    return (child.get(name) or None) if child is not None else None


def _extra_specs(instance: Element | None) -> dict[str, str] | None:
    """Return the extra specs of the flavor.

    :returns: None where Nova does not write them (2025.1 does not)
    """
    if instance is None:
        return None
    specs = instance.find(f"{_NOVA}flavor/{_NOVA}extraSpecs")
    if specs is None:
        return None
    return {spec.get("name", ""): spec.text or "" for spec in specs}

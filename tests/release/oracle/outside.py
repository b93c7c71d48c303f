# SPDX-License-Identifier: Apache-2.0
"""Behavior of hosts and other services that Nova's fixtures omit."""

from typing import Any

import fixtures
from lxml import etree
from nova.image import glance
from nova.tests.fixtures import libvirt as fakelibvirt

from tests.release.oracle.reads import Record

DRIVER = "nova.virt.libvirt.driver.LibvirtDriver"
DOMAIN = "nova.tests.fixtures.libvirt.Domain"


class Outside(fixtures.Fixture):
    """Migrations of disks and domains, and images by their URLs.

    :param case: the test case of Nova's whose hosts and Glance these are
    :param record: that the domains of servers are in
    """

    def __init__(self, case: Any, record: Record) -> None:
        super().__init__()
        self._case = case
        self._record = record

    def _setUp(self) -> None:
        self._describe = fakelibvirt.Domain.XMLDesc
        # Nova's own tests of the libvirt driver move no disk, either.
        self._stub(f"{DRIVER}.migrate_disk_and_power_off", _no_disk)
        self._stub(
            f"{DOMAIN}.XMLDesc",
            lambda domain, flags: self._described(domain, flags),
        )
        self._stub(
            f"{DOMAIN}.migrateToURI3",
            lambda domain, target, params, flags: self._migrate(
                domain, target, params["destination_xml"]
            ),
        )
        self._stub("nova.image.glance.get_remote_image_service", self._by_url)

    def _stub(self, path: str, function: Any) -> None:
        self.useFixture(fixtures.MonkeyPatch(path, function))

    def _described(self, domain: Any, flags: int) -> str:
        """Return all of a domain that is to be migrated.

        The fake libvirt forgets what Nova's own tests do not need, and the
        addresses that libvirt gives.
        """
        if not flags & fakelibvirt.VIR_DOMAIN_XML_MIGRATABLE:
            return str(self._describe(domain, flags))
        root = etree.fromstring(self._record.domain(domain.UUIDString()))
        for card in root.iterfind("devices/interface"):
            etree.SubElement(card, "address", type="pci")
        return etree.tostring(root, encoding="unicode")

    def _migrate(self, domain: Any, target: str, xml: str) -> None:
        """Migrate a domain, as libvirt does."""
        host = next(host for host in self._case.computes if host in target)
        self._record.xml.append((domain.UUIDString(), xml))
        connection = self._case.computes[host].driver._host.get_connection()
        connection.createXML(xml, 0)
        domain.complete_job()

    def _by_url(self, _context: Any, image: str) -> tuple[Any, str]:
        """Let every Glance be this one, which Nova's fixture does not."""
        if "/" in str(image):
            image, _endpoint = glance._endpoint_from_image_ref(image)
        return self._case.glance, image


def _no_disk(*_args: Any, **_more: Any) -> str:
    return "{}"

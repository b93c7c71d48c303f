# SPDX-License-Identifier: Apache-2.0
"""The page of what a host really starts says what the reader does."""

from nova_vhard.catalogue import domain_devices, domain_xml
from nova_vhard.common import xml
from tests.unit.docs import SOURCE, extension

PAGE = SOURCE / "admin" / "guard.rst"
REST = PAGE.read_text(encoding="utf-8").partition(".. _domain-xml:\n")[2]


DEVICES = {
    name.partition("[")[0]
    for place in domain_devices.HOST_DEVICES
    for name in (*place.names, *place.flavor)
} - {"aliases", "device_profiles", "mdev"}


def test_the_page_has_every_kind_device_and_limit():
    for kind in domain_xml.PLACES:
        assert f"   * - ``{kind}``\n" in extension().places()
    for kind in domain_xml.UNTOLD:
        assert f"``{kind}``" in extension().untold()
    for text in (
        ".. include:: ../_generated/domain.inc\n",
        ".. include:: ../_generated/untold.inc\n",
        f"{xml.MAX_SIZE // 2**20} MiB",
        f"{xml.MAX_ELEMENTS:,}",
        f"deeper than {xml.MAX_DEPTH}",
        *(f"``{name}``" for name in DEVICES),
    ):
        assert text in REST

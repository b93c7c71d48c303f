# SPDX-License-Identifier: Apache-2.0
"""The page of what a host really starts says what the reader does."""

import pytest

from nova_vhard.catalogue import domain_devices, domain_xml
from nova_vhard.common import xml
from tests.unit.docs import SOURCE, extension

PAGE = SOURCE / "admin" / "guard.rst"
REST = PAGE.read_text(encoding="utf-8").partition(".. _domain-xml:\n")[2]


@pytest.mark.parametrize("kind", domain_xml.PLACES)
def test_table_has_every_kind_that_a_domain_tells(kind):
    assert f"   * - ``{kind}``\n" in extension().places()
    assert ".. include:: ../_generated/domain.inc\n" in REST


@pytest.mark.parametrize("kind", domain_xml.UNTOLD)
def test_page_says_what_no_domain_tells(kind):
    assert f"``{kind}``" in extension().untold()
    assert ".. include:: ../_generated/untold.inc\n" in REST


@pytest.mark.parametrize(
    "word",
    sorted(
        {
            name.partition("[")[0]
            for place in domain_devices.HOST_DEVICES
            for name in (*place.names, *place.flavor)
        }
        - {"aliases", "device_profiles", "mdev"}
    ),
)
def test_page_names_what_a_device_of_the_host_is_judged_as(word):
    assert f"``{word}``" in REST


def test_page_says_the_limits():
    assert f"{xml.MAX_SIZE // 2**20} MiB" in REST
    assert f"{xml.MAX_ELEMENTS:,}" in REST
    assert f"deeper than {xml.MAX_DEPTH}" in REST

# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING.rst names every place of a device kind and of a host check."""

import re
from pathlib import Path

import pytest

from nova_vhard.catalogue import properties
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.domain_xml import PLACES, UNTOLD
from nova_vhard.catalogue.qemu import DEVICES
from tests.unit.test_catalogue_qemu import NO_DEVICE

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.rst").read_text()
#: Where not each kind has to be, or not by its name; asked for apart.
APART = (
    "nova_vhard/host/checks/",
    "nova_vhard/catalogue/domain_xml.py",
    "nova_vhard/catalogue/qemu.py",
    "nova_vhard/catalogue/properties.py",
    "tests/unit/judge.golden",
    "tests/release/differential/values.py",
)


def listed(what):
    """Return the list of places, and their paths."""
    text = GUIDE.split(f"Places of a {what}:\n\n")[1].split("\n\n")[0]
    return text, re.findall(r"^- ``([^`]+)``", text, re.M)


def lacking(what, name):
    """Return the places in which a name is missing."""
    wanted = [each for each in listed(what)[1] if each not in APART]
    return [
        place
        for place in wanted
        if all(name not in path.read_text() for path in ROOT.glob(place))
    ]


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_in_all_places(name):
    text, _ = listed("device kind")
    assert not lacking("device kind", name), text
    assert name in {*PLACES, *UNTOLD}, text
    assert name in {*DEVICES, *NO_DEVICE}, text
    assert not {*KINDS[name].image_properties} & {*properties.NOT_DEVICES}, (
        text
    )


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_is_in_all_places(name):
    assert not lacking("host check", name), listed("host check")[0]


def test_all_places_are_there():
    for what in ("device kind", "host check"):
        for place in listed(what)[1]:
            assert [*ROOT.glob(place)], place

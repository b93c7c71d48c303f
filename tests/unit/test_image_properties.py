# SPDX-License-Identifier: Apache-2.0
"""Real images under the shipped baseline."""

import json

import pytest

from nova_vhard.request import image as image_reader
from tests.unit.helpers import DATA, broken, judge, shipped

IMAGES = json.loads((DATA / "image-properties.json").read_text())
BASELINE = shipped("baseline")

# Property and the value of it that baseline refuses, read by eye: the only
# two that these images use.
REFUSED = {
    "hw_disk_bus": ("disk_bus", "ide"),
    "hw_cdrom_bus": ("cdrom_bus", "ide"),
    "hw_vif_model": ("vif_model", "e1000"),
}


@pytest.mark.parametrize("image", IMAGES, ids=lambda each: each["name"])
def test_image_gets_exactly_its_own_violations(image):
    expected = {
        (kind, value)
        for name, (kind, value) in REFUSED.items()
        if image["properties"].get(name) == value
    }
    verdict = judge(BASELINE, image["properties"], image["disk_format"])
    assert broken(verdict) == expected
    assert verdict.outcome == ("refuse" if expected else "allow")


def test_the_data_has_both_kinds():
    refused = [
        image
        for image in IMAGES
        if set(image["properties"].values()) & {"ide", "e1000"}
    ]
    assert len(IMAGES) == 34
    assert len(refused) == 11


def test_choices_that_many_images_say_are_made_once_if_they_are_short():
    made = image_reader._kept_choice.cache_info
    for length, kept in (
        (image_reader._SHORT, 1),
        (image_reader._SHORT + 1, 0),
    ):
        properties = {"hw_machine_type": "x" * length}
        first = image_reader.read(properties)
        before = made()
        assert image_reader.read(properties) == first
        assert made().hits - before.hits == kept
        assert made().misses == before.misses

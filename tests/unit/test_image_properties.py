# SPDX-License-Identifier: Apache-2.0
"""Real images under the shipped baseline."""

import json

import pytest

from nova_vhard.request import image as image_reader
from tests.unit.helpers import DATA, broken, judge, shipped

IMAGES = json.loads((DATA / "image-properties.json").read_text())
BASELINE = shipped("baseline")

# Property and the value of it that baseline refuses, read by eye: the only
# ones that these images use.
REFUSED = {
    "hw_disk_bus": ("disk_bus", "ide"),
    "hw_vif_model": ("vif_model", "e1000"),
}
CDROM = {"hw_cdrom_bus": ("cdrom_bus", "ide")}


def refused(image, values):
    return {
        (kind, value)
        for name, (kind, value) in values.items()
        if image["properties"].get(name) == value
    }


@pytest.mark.parametrize("image", IMAGES, ids=lambda each: each["name"])
def test_image_gets_exactly_its_own_violations(image):
    """A CD-ROM bus counts only if the image gets a CD-ROM."""
    expected = refused(image, REFUSED)
    verdict = judge(BASELINE, image["properties"], image["disk_format"])
    assert broken(verdict) == expected
    assert verdict.outcome == ("refuse" if expected else "allow")
    drive = {**image["properties"], "img_config_drive": "mandatory"}
    expected |= refused(image, CDROM)
    assert broken(judge(BASELINE, drive, image["disk_format"])) == expected


def test_the_data_has_both_kinds():
    counts = [
        sum(bool(refused(image, values)) for image in IMAGES)
        for values in (REFUSED, CDROM)
    ]
    assert (len(IMAGES), counts) == (34, [10, 10])


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

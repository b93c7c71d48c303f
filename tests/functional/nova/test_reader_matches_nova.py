# SPDX-License-Identifier: Apache-2.0
"""The image reader's result equals that of Nova's ImageMetaProps."""

import hypothesis
import pytest
from hypothesis import strategies as some
from nova import objects
from nova.objects import image_meta

from nova_vhard.catalogue import devices, properties
from nova_vhard.policy import hardware
from nova_vhard.request import image, request_spec

JUDGED = {
    name: kind
    for kind in devices.KINDS.values()
    for name in kind.image_properties
    if name in image_meta.ImageMetaProps.fields
}
LEGACY = {
    old: new
    for old, new in image_meta.ImageMetaProps._legacy_property_map.items()
    if new in JUDGED
}
IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
ADAPTER = properties.VMWARE_ADAPTER
NAMES = (
    *JUDGED,
    *LEGACY,
    ADAPTER,
    *("os_distro", "hw_disk_buses", "HW_DISK_BUS", "hw_cpu_cores"),
)
SPELLINGS = (str, str.upper, str.title, str.swapcase, "{} ".format)


def nova_reads(result):
    """Return what Nova reads, or None where it refuses the image."""
    try:
        read = image_meta.ImageMetaProps.from_dict(result)
    except ValueError:
        return None
    values = {
        name: getattr(read, name)
        for name in JUDGED
        if read.obj_attr_is_set(name) and getattr(read, name) is not None
    }
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
    }


def we_read(request):
    """Return what a request says: property of today to value."""
    read = {}
    for wish in request.choices:
        assert wish.origin == hardware.IMAGE
        name = devices.KINDS[wish.kind].image_properties[0]
        assert name not in read, "one wish a property"
        read[name] = wish.value
    return read


def candidates(name):
    """Return spellings of what a property can say, good and bad."""
    kind = JUDGED.get(LEGACY.get(name, name))
    if name == ADAPTER:
        kind = devices.KINDS["scsi_model"]
    if kind is None:
        return ["ide", "4"]
    known = [*kind.values, *kind.aliases, "ide", "e1000", "pc-q35-9.0"]
    known += {"bool": ["yes", "0", "T"], "int": ["0", "3"]}.get(
        kind.value_type, []
    )
    return [spell(value) for value in known for spell in SPELLINGS]


CANDIDATES = {name: candidates(name) for name in NAMES}
ACCEPTED = {
    name: [value for value in values if nova_reads({name: value}) is not None]
    for name, values in CANDIDATES.items()
}


@some.composite
def images(draw):
    """Give image properties of which each has one of its values."""
    names = draw(
        some.lists(some.sampled_from(NAMES), unique=True, max_size=10)
    )
    return {name: draw(some.sampled_from(ACCEPTED[name])) for name in names}


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(images())
def test_the_reader_reads_what_nova_reads(result):
    expected = nova_reads(result)
    assert we_read(image.read(result)) == expected
    # To the scheduler, Nova's ImageMeta says the same.
    meta = objects.ImageMeta.from_dict({"id": IMAGE, "properties": result})
    assert we_read(request_spec.read_image(meta)) == expected


@pytest.mark.parametrize("name", JUDGED)
def test_one_bad_value_hides_no_good_one(name):
    """Nova refuses such an image whole; Glance stores it all the same."""
    good = {"hw_vif_model": "virtio", "hw_disk_bus": "ide"}
    good.pop(name, None)
    for value in {"\x00", *CANDIDATES[name]}.difference(ACCEPTED[name]):
        ours = we_read(image.read({name: value, **good}))
        assert ours.items() >= nova_reads(good).items()


@pytest.mark.parametrize("name", [*JUDGED, *LEGACY, ADAPTER])
def test_every_spelling_of_one_property(name):
    """The floor under the searches: nothing is left to chance."""
    assert ACCEPTED[name]
    for value in ACCEPTED[name]:
        result = {name: value}
        assert we_read(image.read(result)) == nova_reads(result)


@pytest.mark.parametrize("value", ACCEPTED[ADAPTER])
@pytest.mark.parametrize("name", ["hw_disk_bus", "hw_scsi_model"])
def test_the_name_of_today_wins(name, value):
    for today in ACCEPTED[name]:
        for result in (
            {ADAPTER: value, name: today},
            {name: today, ADAPTER: value},
        ):
            assert we_read(image.read(result)) == nova_reads(result)

# SPDX-License-Identifier: Apache-2.0
"""Images that are published, as their tools send them and as uploads."""

import json
from pathlib import Path

import pytest

from tests import logged
from tests.functional import recorded
from tests.functional.glance.wire import add

DATA = Path(__file__).parents[2] / "data"


def read(name):
    return json.loads((DATA / name).read_text(encoding="utf-8"))


@pytest.fixture
def of(under, policy_file):
    """Give a function: a user at Glance under a preset as it ships."""

    def user(preset):
        policy_file.write_text(f'version: "1"\nextends: {preset}\n')
        return under(None)

    return user


@pytest.mark.parametrize("preset", ["baseline", "scs"])
def test_an_image_manager_sets_one_property_after_another(of, preset):
    """openstack-image-manager: a POST without any, then a PATCH for each."""
    user = of(preset)
    stopped = {}
    images = read("image-manager-sequence.json")["images"]
    for image in images:
        made = user.create(
            name=image["name"],
            disk_format=image["disk_format"],
            container_format="bare",
            visibility="private",
        )
        if made.status_int != 201:
            stopped[image["name"]] = "POST"
            continue
        for name, value in image["properties"]:
            answer = user.update(made.json["id"], add(f"/{name}", value))
            if answer.status_int != 200:
                stopped.setdefault(image["name"], name)
    assert len(images) == 29
    assert stopped == {}


@pytest.mark.parametrize("preset", recorded.PRESETS)
def test_each_image_is_refused_for_these_reasons(of, caplog, preset):
    caplog.set_level("INFO", logged.DECISIONS)
    user = of(preset)
    expected, actual = {}, {}
    verdicts = read("image-verdicts.json")
    for image in read("image-properties.json"):
        name = image["name"]
        caplog.clear()
        response = user.create(
            disk_format=image["disk_format"],
            container_format="bare",
            **image["properties"],
        )
        (event,) = logged.decisions(caplog)
        actual[name] = sorted(
            f"{each['rule'].removeprefix('guest_devices.')}={each['value']}"
            for each in event["violations"]
            if each["mode"] == "enforce"
        )
        expected[name] = verdicts[name][preset]
        assert response.status_int == (403 if actual[name] else 201)
    assert actual == expected

# SPDX-License-Identifier: Apache-2.0
"""Published images, uploaded directly and as their tools upload them."""

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
    """Return a function that creates a Glance user under a shipped preset."""

    def user(preset):
        policy_file.write_text(f'version: "1"\nextends: {preset}\n')
        return under(None)

    return user


@pytest.mark.parametrize("preset", ["baseline", "scs"])
def test_an_image_manager_sets_one_property_after_another(of, preset):
    """openstack-image-manager sends a bare POST, then a PATCH per property."""
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


SCSI = {"hw_disk_bus": "scsi"}
VIRTIO_SCSI = {"hw_scsi_model": "virtio-scsi"}
LSI = {"hw_scsi_model": "lsilogic"}
IDE = {"hw_disk_bus": "ide"}
DEBIAN = {"os_distro": "debian"}
ISO_ON_PC = {"disk_format": "iso", "hw_machine_type": "pc"}


# Preset, what the image is, what a PATCH adds (None: the POST is judged), and
# the rules that refuse. lsilogic is libvirt's default controller: a PATCH that
# brings it in passes, and the boot is refused.
@pytest.mark.parametrize(
    ("preset", "stored", "added", "rules"),
    [
        ("baseline", SCSI, None, {"scsi_model"}),
        ("baseline", {**SCSI, **VIRTIO_SCSI}, None, set()),
        ("baseline", {}, SCSI, set()),
        ("baseline", SCSI, VIRTIO_SCSI, set()),
        ("baseline", SCSI, LSI, {"scsi_model"}),
        ("baseline", {}, LSI, {"scsi_model"}),
        ("baseline", {}, IDE, {"disk_bus"}),
        ("baseline", VIRTIO_SCSI, IDE, {"disk_bus"}),
        ("baseline", ISO_ON_PC, None, {"cdrom_bus"}),
        ("scs", {}, None, set()),
        # libosinfo may pick any bus: the image has to say it.
        ("scs", DEBIAN, None, {"disk_bus"}),
        ("scs", {**DEBIAN, "hw_disk_bus": "virtio"}, None, set()),
        ("scs", {}, IDE, {"disk_bus"}),
    ],
)
def test_what_a_request_sets_and_what_it_brings_in(
    of, plain, caplog, preset, stored, added, rules
):
    caplog.set_level("INFO", logged.DECISIONS)
    user = of(preset)
    if added is None:
        response = user.create(**stored)
    else:
        image = plain.create(**stored).json["id"]
        changes = [add(f"/{name}", added[name]) for name in added]
        response = user.update(image, *changes)
    (event,) = logged.decisions(caplog)
    assert _refusals(event, "rule") == sorted(rules)
    passed = 201 if added is None else 200
    assert response.status_int == (403 if rules else passed)


def _refusals(event, *parts):
    """Return the violations of a refusal, by rule, or by rule and value."""
    return sorted(
        "=".join(
            str(violation[part]).removeprefix("guest_devices.")
            for part in parts
        )
        for violation in event["violations"]
        if violation["mode"] == "enforce"
    )


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
        actual[name] = _refusals(event, "rule", "value")
        expected[name] = verdicts[name][preset]
        assert response.status_int == (403 if actual[name] else 201)
    assert actual == expected

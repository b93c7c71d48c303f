# SPDX-License-Identifier: Apache-2.0
"""An audit judges images that say the same once, and only where it may."""

import pytest

from nova_vhard.osc.image import images
from tests.unit.helpers import TODAY, policy

CLEAN = {"hw_disk_bus": "virtio", "os_version": "13", "disk_format": "raw"}
IDE = {**CLEAN, "hw_disk_bus": "ide"}
MODEL = {**CLEAN, "hw_vif_model": "ne2k"}
LONG = {**CLEAN, "hw_vif_model": "n" * 65_535}
DISKS = {"guest_devices": {"disk_bus": {"allow": ["virtio"]}}}


@pytest.fixture
def judged(monkeypatch):
    """Return the ids of the images that are judged."""
    ids, judge = [], images.judge

    def counted(rules, image, today):
        ids.append(image["id"])
        return judge(rules, image, today)

    monkeypatch.setattr(images, "judge", counted)
    return ids


def violates(auditor, properties, uuid="a", owner="p"):
    image = {"id": uuid, "owner": owner, **properties}
    return auditor.find(image) is not None


@pytest.mark.parametrize(
    ("images_", "expected"),
    [
        # clean ones that say the same are judged once
        ([("a", CLEAN), ("b", {**CLEAN, "os_version": "12"})], "a"),
        # one that violates is judged each time
        ([("a", IDE), ("b", IDE)], "ab"),
        # all that the reader reads is judged
        *(
            ([("a", CLEAN), ("b", {**CLEAN, **properties})], "ab")
            for properties in (
                {"hw_disk_bus": "ide"},
                {"hw_cdrom_bus": "ide"},
                {"disk_format": "iso"},
                {"block_device_mapping": [{"disk_bus": "ide"}]},
                {"block_device_mapping": '[{"disk_bus": "ide"}]'},
                {"vmware_adaptertype": "ide"},
            )
        ),
        # nothing long is remembered
        ([("a", MODEL), ("b", MODEL)], "a"),
        ([("a", LONG), ("b", LONG)], "ab"),
    ],
)
def test_which_images_are_judged(judged, images_, expected):
    auditor = images.Auditor(policy(**DISKS), TODAY)
    for uuid, properties in images_:
        violates(auditor, properties, uuid, f"p{uuid}")
    assert judged == [*expected]


def test_an_exemption_is_for_its_own_project():
    exemption = {
        "id": "old",
        "reason": "r",
        "projects": ["p"],
        "rules": {"guest_devices.disk_bus": ["ide"]},
        "until": "2099-01-01",
    }
    auditor = images.Auditor(policy(**DISKS, exemptions=[exemption]), TODAY)
    assert not violates(auditor, IDE, "a", "p")
    assert violates(auditor, IDE, "b", "q")


def test_no_more_are_remembered_than_a_bound(judged, monkeypatch):
    monkeypatch.setattr(images, "_MOST_CLEAN", 1)
    auditor = images.Auditor(policy(**DISKS), TODAY)
    for uuid, properties in ("ab", CLEAN), ("cd", MODEL), ("ef", MODEL):
        assert not violates(auditor, properties, uuid)
    assert judged == ["ab", "cd", "ef"]

# SPDX-License-Identifier: Apache-2.0
"""An audit judges images that say the same once, and only where it may."""

import pytest

from nova_vhard.osc.image import images
from tests.unit.helpers import TODAY, policy

CLEAN = {"hw_disk_bus": "virtio", "os_version": "13", "disk_format": "raw"}
IDE = {**CLEAN, "hw_disk_bus": "ide"}
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


def test_clean_images_that_say_the_same_are_judged_once(judged):
    auditor = images.Auditor(policy(**DISKS), TODAY)
    assert not violates(auditor, CLEAN, "a", "p")
    assert not violates(auditor, {**CLEAN, "os_version": "12"}, "b", "q")
    assert judged == ["a"]


@pytest.mark.parametrize(
    "properties",
    [
        {"hw_disk_bus": "ide"},
        {"hw_cdrom_bus": "ide"},
        {"disk_format": "iso"},
        {"block_device_mapping": [{"disk_bus": "ide"}]},
        {"block_device_mapping": '[{"disk_bus": "ide"}]'},
        {"vmware_adaptertype": "ide"},
    ],
)
def test_whatever_the_reader_reads_is_judged(judged, properties):
    auditor = images.Auditor(policy(**DISKS), TODAY)
    violates(auditor, CLEAN, "a")
    violates(auditor, {**CLEAN, **properties}, "b")
    assert judged == ["a", "b"]


def test_an_image_that_violates_is_judged_each_time(judged):
    auditor = images.Auditor(policy(**DISKS), TODAY)
    assert violates(auditor, IDE, "a")
    assert violates(auditor, IDE, "b")
    assert judged == ["a", "b"]


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
    for uuid, model in ("ab", "virtio"), ("cd", "ne2k"), ("ef", "ne2k"):
        assert not violates(auditor, {**CLEAN, "hw_vif_model": model}, uuid)
    assert judged == ["ab", "cd", "ef"]


def test_nothing_long_is_remembered(judged):
    auditor = images.Auditor(policy(**DISKS), TODAY)
    for model, known in ("ne2k", ["a"]), ("n" * 65_535, ["a", "b"]):
        judged.clear()
        for uuid in "ab":
            long = {**CLEAN, "hw_vif_model": model}
            assert not violates(auditor, long, uuid)
        assert judged == known

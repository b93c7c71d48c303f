# SPDX-License-Identifier: Apache-2.0
"""Images that share a verdict in an audit."""

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


def audited(auditor, uuid, properties, owner="p"):
    """Return the ID of the image in the fix; None for a clean image."""
    finding = auditor.find({"id": uuid, "owner": owner, **properties})
    if finding is None:
        return None
    (change,) = finding.fix(finding.violations).changes
    return change["id"]


@pytest.mark.parametrize(
    ("images_", "expected", "fixed"),
    [
        pytest.param(
            (CLEAN, {**CLEAN, "os_version": "12"}), "a", [None, None], id="ok"
        ),
        pytest.param((IDE, IDE), "a", ["a", "b"], id="each its own fix"),
        *(
            pytest.param(
                (CLEAN, {**CLEAN, **properties}), "ab", [None, fix], id=name
            )
            for name, fix, properties in (
                ("property", "b", {"hw_disk_bus": "ide"}),
                ("CD-ROM", None, {"hw_cdrom_bus": "ide"}),
                ("old name", None, {"vmware_adaptertype": "ide"}),
                (
                    "mapping",
                    "b",
                    {"block_device_mapping": [{"disk_bus": "ide"}]},
                ),
                (
                    "text",
                    "b",
                    {"block_device_mapping": '[{"disk_bus": "ide"}]'},
                ),
            )
        ),
        pytest.param((MODEL, MODEL), "a", [None, None], id="short"),
        pytest.param((LONG, LONG), "ab", [None, None], id="long"),
    ],
)
def test_which_images_are_judged(judged, images_, expected, fixed):
    """Equal properties are judged once; long ones are not cached."""
    auditor = images.Auditor(policy(**DISKS), TODAY)
    found = [
        audited(auditor, *image) for image in zip("ab", images_, strict=True)
    ]
    assert (judged, found) == ([*expected], fixed)


def test_an_exemption_and_a_mode_are_for_their_own_project(judged):
    exemption = {
        "id": "old",
        "reason": "r",
        "projects": ["p"],
        "rules": {"guest_devices.disk_bus": ["ide"]},
        "until": "2099-01-01",
    }
    modes = [{"mode": "audit", "projects": ["r"]}]
    auditor = images.Auditor(
        policy(**DISKS, exemptions=[exemption], projects=modes), TODAY
    )
    found = {
        uuid: auditor.find({"id": uuid, "owner": owner, **IDE})
        for uuid, owner in zip("abcde", "pqrqp", strict=True)
    }
    # The exempted project's ID is also the ID of this image.
    assert auditor.find({"id": "p", "owner": "q", **IDE})
    modes = {k: v and v.violations[0].mode for k, v in found.items()}
    expected = (None, "enforce", "audit", "enforce", None)
    assert modes == dict(zip("abcde", expected, strict=True))
    assert judged == [*"abcp"]


def test_the_cache_is_bounded(judged, monkeypatch):
    auditor = images.Auditor(policy(**DISKS), TODAY)
    monkeypatch.setattr(images, "_MOST", 20)
    for number in range(21):
        audited(auditor, "n", {"os_distro": str(number)})
    for uuid, distro in ("new", "20"), ("kept", "0"):
        audited(auditor, uuid, {"os_distro": distro})
    assert judged[21:] == ["new"]

# SPDX-License-Identifier: Apache-2.0
"""Dialogs offer the values that the policy allows, once Glance has them."""

import pytest
from selenium.webdriver.support.ui import Select

ALLOWED = ["scsi", "virtio"]
WHY = "Allowed by this cloud's hardening policy: "


@pytest.fixture
def write(admin, tmp_path):
    """Write what is allowed, and return what restores what was there."""
    journal = str(tmp_path / "metadefs-before.json")
    words = ("vhard", "policy", "metadefs")

    def undo():
        done = admin.command(*words, "--undo", journal)
        assert done.success, done.text

    def change():
        done = admin.command(*words, "--yes", "--journal", journal)
        assert done.success, done.text
        return undo

    return change


def offered(horizon):
    """Return the values of hw_disk_bus that an open dialog offers."""
    select = Select(horizon.find("metadata-tree select"))
    texts = [option.text for option in select.options]
    return sorted(text for text in texts if text)


def offered_by_update_metadata(as_admin, image):
    as_admin.go("/admin/images")
    as_admin.act(image, "Update Metadata")
    return offered(as_admin)


def offered_by_create_image(as_member):
    as_member.go("/project/images")
    as_member.click("button", "Create Image")
    as_member.step("Metadata")
    as_member.add_bus("virtio")
    return offered(as_member)


def test_allowed_values_only(as_admin, as_member, image, write):
    before = offered_by_update_metadata(as_admin, image)
    assert {"ide", "usb", *ALLOWED} < set(before)
    undo = write()
    try:
        assert offered_by_update_metadata(as_admin, image) == ALLOWED
        as_admin.click("metadata-tree-item .input-group-addon", "hw_disk_bus")
        assert WHY in as_admin.find(".modal-content").text
        as_admin.picture(".modal-content", "update-metadata-allowed")
        assert offered_by_create_image(as_member) == ALLOWED
    finally:
        undo()
    assert offered_by_update_metadata(as_admin, image) == before

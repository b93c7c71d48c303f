# SPDX-License-Identifier: Apache-2.0
"""The tab of an image's details, before anybody boots it."""

from tests.dashboard.test_dialogs import E1000, IDE

TAB = ".nova-vhard-verdict .alert"


def verdict(horizon, image):
    """Return what the tab says of an image."""
    horizon.go("/project/images")
    horizon.click("tbody a", image)
    horizon.click(".nav-tabs a", "Hardening policy")
    return horizon.find(TAB).text


def test_an_old_image(as_member):
    text = verdict(as_member, "old-router")
    title = "A server of this image is refused."
    whole = "\n".join((title, IDE, E1000, "To fix: only project "))
    assert text.startswith(whole)
    assert "openstack image save --file my-copy.img" in text


def test_an_image_as_it_ought_to_be(as_member):
    assert verdict(as_member, "clean") == "Nothing in this image is refused."

# SPDX-License-Identifier: Apache-2.0
"""Images that a user changes without leave to see or to name all of them."""

from collections.abc import Callable
from pathlib import Path

from tests.functional.glance.conftest import MakeUser
from tests.functional.glance.wire import User, add, message


def test_nothing_is_saved_under_the_id_of_another_image(
    gated: User, plain: User
) -> None:
    old = plain.create(hw_disk_bus="ide").json["id"]
    image = plain.create().json["id"]
    change = add("/image_id", image)
    told = message(gated.update(old, change))
    assert told == "Attribute 'image_id' is read-only."
    assert "hw_disk_bus" not in plain.image(image)
    assert plain.update(old, change).status_int == 200
    assert plain.image(image)["hw_disk_bus"] == "ide"


def test_what_a_user_must_not_read_is_neither_judged_nor_told(
    under: MakeUser,
    plain: User,
    tmp_path: Path,
    override: Callable[..., None],
) -> None:
    # given a property that only an admin may read, and an old one beside it
    old = {"hw_disk_bus": "virtio", "vmware_adaptertype": "ide"}
    image = plain.create(**old).json["id"]
    rules = tmp_path / "protections.conf"
    each = "create = {0}\nread = {0}\nupdate = {0}\ndelete = {0}\n"
    rules.write_text(
        f"[^hw_disk_bus$]\n{each.format('admin')}[.*]\n{each.format('@')}"
    )
    override("property_protection_file", str(rules))
    # when a Glance that has these rules is asked
    response = under().update(image, add("/hw_vif_model", "virtio"))
    override("property_protection_file", None)
    # then
    assert response.status_int == 200, response.text
    assert "hw_disk_bus" not in response.json
    assert plain.image(image)["hw_vif_model"] == "virtio"

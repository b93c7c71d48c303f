# SPDX-License-Identifier: Apache-2.0
"""The explanation reaches people whole through the openstack command.

The real command speaks to the application through wsgi-intercept.
"""

from tests.functional.glance.explanation import of_create, of_update
from tests.functional.glance.shell import Command
from tests.functional.glance.wire import User


def test_openstack_image_create(
    openstack: Command, gated: User, plain: User
) -> None:
    # when
    status, output = openstack(
        "image",
        "create",
        "--property=hw_disk_bus=ide",
        "--property=hw_vif_model=e1000",
        "image",
    )
    # then
    assert status == 1
    of_create(gated).assert_whole_in(output)
    assert plain.images() == []


def test_openstack_image_set(
    openstack: Command, gated: User, plain: User
) -> None:
    # given
    image = plain.create().json
    # when
    status, output = openstack(
        "image",
        "set",
        "--property=hw_disk_bus=ide",
        "--property=hw_vif_model=e1000",
        image["id"],
    )
    # then
    assert status == 1
    of_update(gated, image["id"]).assert_whole_in(output)
    assert plain.image(image["id"]) == image


def test_openstack_image_set_of_a_good_device(
    openstack: Command, plain: User
) -> None:
    # given
    image = plain.create().json["id"]
    # when
    status, output = openstack(
        "image", "set", "--property=hw_disk_bus=virtio", image
    )
    # then
    assert (status, output) == (0, "")
    assert plain.image(image)["hw_disk_bus"] == "virtio"

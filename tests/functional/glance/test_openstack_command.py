# SPDX-License-Identifier: Apache-2.0
"""The explanation reaches people whole through the openstack command.

The real command speaks to the application through wsgi-intercept.
"""

from tests.functional.glance.explanation import of_create, of_update
from tests.functional.glance.shell import Command
from tests.functional.glance.wire import User

PROPERTIES = ("--property=hw_disk_bus=ide", "--property=hw_vif_model=e1000")


def test_openstack_image_create(
    openstack: Command, gated: User, plain: User
) -> None:
    status, output = openstack("image", "create", *PROPERTIES, "image")
    assert status == 1
    of_create(gated).assert_whole_in(output)
    assert plain.images() == []


def test_openstack_image_set(
    openstack: Command, gated: User, plain: User
) -> None:
    image = plain.create().json
    status, output = openstack("image", "set", *PROPERTIES, image["id"])
    assert status == 1
    of_update(gated, image["id"]).assert_whole_in(output)
    assert plain.image(image["id"]) == image
    # and a good device is set
    good = ("image", "set", "--property=hw_disk_bus=virtio", image["id"])
    assert openstack(*good) == (0, "")
    assert plain.image(image["id"])["hw_disk_bus"] == "virtio"

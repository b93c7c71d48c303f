# SPDX-License-Identifier: Apache-2.0
"""The clients show users the whole explanation.

The real libraries and the real command speak to the application through
wsgi-intercept.
"""

import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.functional.glance.keystone import LOGIN
from tests.functional.glance.shell import Command
from tests.functional.glance.wire import User, add, message

Library = Callable[[], tuple[Any, type[Exception]]]
IDE = {"hw_disk_bus": "ide"}


def openstacksdk() -> tuple[Any, type[Exception]]:
    """Return openstacksdk's image proxy, and its exception for a 403."""
    openstack = pytest.importorskip("openstack")
    from openstack.exceptions import ForbiddenException

    proxy = openstack.connect(load_yaml_config=False, **LOGIN).image
    # With the names that glanceclient uses.
    calls = {"create": proxy.create_image, "update": proxy.update_image}
    return SimpleNamespace(**calls), ForbiddenException


def glanceclient() -> tuple[Any, type[Exception]]:
    """Return python-glanceclient's images, and its exception for a 403."""
    client = pytest.importorskip("glanceclient.v2.client")
    from glanceclient.exc import HTTPForbidden
    from keystoneauth1.identity import Password
    from keystoneauth1.session import Session

    session = Session(auth=Password(**LOGIN))
    return client.Client(session=session).images, HTTPForbidden


def explained(user: User, image: str) -> tuple[str, str]:
    """Return the API's explanations for a new image, and for a change."""
    change = user.update(image, add("/hw_disk_bus", "ide"))
    return message(user.create(**IDE)), message(change)


@pytest.mark.parametrize("library", [openstacksdk, glanceclient])
@pytest.mark.usefixtures("cloud")
def test_libraries(gated: User, plain: User, library: Library) -> None:
    images, error = library()
    image = plain.create().json
    of_create, of_update = explained(gated, image["id"])
    with pytest.raises(error) as refusal:
        images.create(name=str(uuid.uuid4()), **IDE)
    assert of_create in str(refusal.value)
    with pytest.raises(error) as refusal:
        images.update(image["id"], **IDE)
    assert of_update in str(refusal.value)
    assert plain.images() == [image]


def test_the_openstack_command(
    openstack: Command, gated: User, plain: User
) -> None:
    image = plain.create().json
    commands = ("create", "image"), ("set", image["id"])
    for text, (verb, name) in zip(
        explained(gated, image["id"]), commands, strict=True
    ):
        wish = ("image", verb, "--property=hw_disk_bus=ide", name)
        status, output = openstack(*wish)
        assert status == 1
        assert text in output
    assert plain.images() == [image]

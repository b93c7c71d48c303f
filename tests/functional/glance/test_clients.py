# SPDX-License-Identifier: Apache-2.0
"""The clients show users the whole explanation.

The real libraries speak to the application through wsgi-intercept. The output
of the real command is compared with README.rst, in tests/functional/pages.
"""

import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.functional.glance.keystone import LOGIN
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


@pytest.mark.parametrize("library", [openstacksdk, glanceclient])
@pytest.mark.usefixtures("cloud")
def test_libraries(gated: User, plain: User, library: Library) -> None:
    images, error = library()
    image = plain.create().json
    with pytest.raises(error) as refusal:
        images.create(name=str(uuid.uuid4()), **IDE)
    assert message(gated.create(**IDE)) in str(refusal.value)
    with pytest.raises(error) as refusal:
        images.update(image["id"], **IDE)
    change = gated.update(image["id"], add("/hw_disk_bus", "ide"))
    assert message(change) in str(refusal.value)
    assert plain.images() == [image]

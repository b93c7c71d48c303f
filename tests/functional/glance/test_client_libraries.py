# SPDX-License-Identifier: Apache-2.0
"""The explanation reaches people whole through the client libraries.

The real libraries speak to the application through wsgi-intercept.
"""

import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.functional.glance.explanation import BAD, of_create, of_update
from tests.functional.glance.keystone import LOGIN
from tests.functional.glance.wire import User

Library = Callable[[], tuple[Any, type[Exception]]]


def openstacksdk() -> tuple[Any, type[Exception]]:
    """Return openstacksdk's image proxy, and what it raises for a 403."""
    openstack = pytest.importorskip("openstack")
    from openstack.exceptions import ForbiddenException

    proxy = openstack.connect(load_yaml_config=False, **LOGIN).image
    # By the names of glanceclient.
    calls = {"create": proxy.create_image, "update": proxy.update_image}
    return SimpleNamespace(**calls), ForbiddenException


def glanceclient() -> tuple[Any, type[Exception]]:
    """Return python-glanceclient's images, and what it raises for a 403."""
    client = pytest.importorskip("glanceclient.v2.client")
    from glanceclient.exc import HTTPForbidden
    from keystoneauth1.identity import Password
    from keystoneauth1.session import Session

    session = Session(auth=Password(**LOGIN))
    return client.Client(session=session).images, HTTPForbidden


libraries = pytest.mark.parametrize("library", [openstacksdk, glanceclient])


@libraries
@pytest.mark.usefixtures("cloud")
def test_create(gated: User, plain: User, library: Library) -> None:
    images, error = library()
    with pytest.raises(error) as refusal:
        images.create(name=str(uuid.uuid4()), **BAD)
    of_create(gated).assert_whole_in(str(refusal.value))
    assert plain.images() == []


@libraries
@pytest.mark.usefixtures("cloud")
def test_update(gated: User, plain: User, library: Library) -> None:
    # given
    images, error = library()
    image = plain.create().json
    # when
    with pytest.raises(error) as refusal:
        images.update(image["id"], **BAD)
    # then
    of_update(gated, image["id"]).assert_whole_in(str(refusal.value))
    assert plain.image(image["id"]) == image

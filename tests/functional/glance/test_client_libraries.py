# SPDX-License-Identifier: Apache-2.0
"""The explanation reaches people whole through the client libraries.

The real libraries speak to the application through wsgi-intercept.
"""

import uuid
from typing import Any

import pytest

from tests.functional.glance.explanation import BAD, of_create, of_update
from tests.functional.glance.keystone import LOGIN
from tests.functional.glance.wire import User


@pytest.fixture
def sdk(cloud: None) -> Any:
    """Give openstacksdk's image proxy."""
    openstack = pytest.importorskip("openstack")
    return openstack.connect(load_yaml_config=False, **LOGIN).image


@pytest.fixture
def glanceclient(cloud: None) -> Any:
    """Give python-glanceclient's v2 client."""
    client = pytest.importorskip("glanceclient.v2.client")
    from keystoneauth1.identity import Password
    from keystoneauth1.session import Session

    return client.Client(session=Session(auth=Password(**LOGIN)))


def sdk_error() -> type[Exception]:
    """Return what openstacksdk raises for a 403."""
    from openstack.exceptions import ForbiddenException

    return ForbiddenException


def glanceclient_error() -> type[Exception]:
    """Return what python-glanceclient raises for a 403."""
    from glanceclient.exc import HTTPForbidden

    return HTTPForbidden


def test_openstacksdk_create(sdk: Any, gated: User, plain: User) -> None:
    with pytest.raises(sdk_error()) as refusal:
        sdk.create_image(name=str(uuid.uuid4()), **BAD)
    of_create(gated).assert_whole_in(str(refusal.value))
    assert plain.images() == []


def test_openstacksdk_update(sdk: Any, gated: User, plain: User) -> None:
    # given
    image = plain.create().json
    # when
    with pytest.raises(sdk_error()) as refusal:
        sdk.update_image(image["id"], **BAD)
    # then
    of_update(gated, image["id"]).assert_whole_in(str(refusal.value))
    assert plain.image(image["id"]) == image


def test_glanceclient_create(
    glanceclient: Any, gated: User, plain: User
) -> None:
    with pytest.raises(glanceclient_error()) as refusal:
        glanceclient.images.create(name="image", **BAD)
    of_create(gated).assert_whole_in(str(refusal.value))
    assert plain.images() == []


def test_glanceclient_update(
    glanceclient: Any, gated: User, plain: User
) -> None:
    # given
    image = plain.create().json
    # when
    with pytest.raises(glanceclient_error()) as refusal:
        glanceclient.images.update(image["id"], **BAD)
    # then
    of_update(gated, image["id"]).assert_whole_in(str(refusal.value))
    assert plain.image(image["id"]) == image

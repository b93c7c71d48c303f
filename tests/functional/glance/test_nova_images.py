# SPDX-License-Identifier: Apache-2.0
"""Comparison of the Nova API gate's image reader with Nova's.

Both connect to the real Glance through wsgi-intercept.
"""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import webob

from tests.functional.glance import identity
from tests.functional.glance.wire import User

nova_images = pytest.importorskip(
    "nova_vhard.gates.nova_images", reason="Nova is not installed"
)


@pytest.fixture
def nova(cloud: None, gated: User) -> Iterator[Any]:
    """Give a function: the context of a user, in a Nova of this Glance."""
    import nova.conf
    from nova.context import RequestContext

    nova.conf.CONF.set_override(
        "api_servers", ["http://glance.example"], "glance"
    )
    nova.conf.CONF.set_override("num_retries", 0, "glance")
    yield lambda user: RequestContext(
        "user", user.project, auth_token=identity.token(user.project)
    )
    nova.conf.CONF.clear_override("api_servers", "glance")
    nova.conf.CONF.clear_override("num_retries", "glance")


def answer(status: int, body: bytes = b"{}") -> Any:
    """Return an application that answers this."""
    return webob.Response(
        body, status=status, content_type="application/json", charset="UTF-8"
    )


def put(app: Any) -> None:
    """Put an application in Glance's place."""
    import wsgi_intercept

    wsgi_intercept.remove_wsgi_intercept("glance.example", 80)
    wsgi_intercept.add_wsgi_intercept("glance.example", 80, lambda: app)


def test_an_image_is_read_as_nova_reads_it(nova, gated):
    # given an image with properties of every kind
    image = gated.create(
        disk_format="iso",
        container_format="bare",
        hw_disk_bus="virtio",
        architecture="x86_64",
        os_distro="debian",
        cpu_arch="x86_64",
    ).json["id"]
    context = nova(gated)
    from nova.image import glance

    # when the gate and Nova read it
    ours = nova_images.read(nova_images.get(context, image))
    theirs = glance.API().get(context, image)

    # then there is no difference
    assert ours.holder == (image, gated.project, "iso", False, None)
    assert ours.holder[:3] == (
        *(theirs["id"], theirs["owner"], theirs["disk_format"]),
    )
    whole = replace(ours, properties=theirs["properties"])
    assert ours.hardware() == whole.hardware()
    assert ours.properties.items() >= theirs["properties"].items()


def test_an_image_of_somebody_else_is_none(nova, gated, plain):
    from nova import exception

    image = gated.create(hw_disk_bus="virtio").json["id"]
    stranger = User(gated.app)

    for user, wanted in ((stranger, image), (gated, str(uuid.uuid4()))):
        with pytest.raises(exception.ImageNotFound):
            nova_images.get(nova(user), wanted)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_no_image(nova, gated, status):
    from nova import exception

    put(answer(status))

    with pytest.raises(exception.ImageNotFound):
        nova_images.get(nova(gated), str(uuid.uuid4()))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (300, b"{}"),
        (429, b"{}"),
        (500, b"{}"),
        (503, b"{}"),
        (200, b"garbage"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b""),
    ],
)
def test_what_is_no_answer_is_not_taken_for_one(nova, gated, status, body):
    from nova_vhard.gates.nova_lookup import NovaLookups
    from nova_vhard.request.lookups import LookupFailed

    put(answer(status, body))

    lookups = NovaLookups(None, nova(gated))
    with pytest.raises(LookupFailed):
        lookups.image(str(uuid.uuid4()))

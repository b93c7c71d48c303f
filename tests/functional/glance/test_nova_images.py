# SPDX-License-Identifier: Apache-2.0
"""Comparison of the Nova API gate's image reader with Nova's.

Both connect to the real Glance through wsgi-intercept.
"""

import uuid
from dataclasses import replace

import pytest
import webob

from nova_vhard.request.lookups import LookupFailed, NotFound
from tests.functional.glance import identity

nova_images = pytest.importorskip(
    "nova_vhard.gates.nova_images", reason="Nova is not installed"
)


@pytest.fixture
def nova(cloud, override):
    """Return a function: the context of a user, in a Nova of this Glance."""
    import nova.conf  # noqa: F401
    from nova.context import RequestContext

    override("api_servers", ["http://glance.example"], "glance")
    override("num_retries", 0, "glance")
    return lambda user: RequestContext(
        "user", user.project, auth_token=identity.token(user.project)
    )


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


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        *((status, b"{}", NotFound) for status in (400, 401, 403, 404)),
        *((status, b"{}", LookupFailed) for status in (300, 429, 500, 503)),
        *((200, body, LookupFailed) for body in (b"garbage", b"[]", b"{}")),
        (200, b"", LookupFailed),
    ],
)
def test_what_is_no_image(nova, gated, put, status, body, error):
    from nova_vhard.gates.nova_lookup import NovaLookups

    json = {"content_type": "application/json", "charset": "UTF-8"}
    put(webob.Response(body, status=status, **json))
    with pytest.raises(error):
        NovaLookups(None, nova(gated)).image(str(uuid.uuid4()))

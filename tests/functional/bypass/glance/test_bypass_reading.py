# SPDX-License-Identifier: Apache-2.0
"""Rows 28 and 32 at Glance: references, and paths that are read otherwise."""

from dataclasses import replace

import pytest

from tests.functional.bypass.glance.attempts import refused
from tests.functional.glance.wire import (
    CHUNKED,
    PATCH_20,
    User,
    Wire,
    add,
    create,
    remove,
    update,
)

NAME = "base_image_ref"
UUID = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"
URL = f"http://image.example/v2/images/{UUID}"
#: What is no UUID. Nova goes to the network for whatever has a slash.
REFERENCES = [
    URL,
    f"//image.example/v2/images/{UUID}",
    f"../images/{UUID}",
    f"{UUID}/",
    f"{UUID}?",
    f"{UUID} ",
    f"{UUID}\n",
    "x",
]
PATCHES = {
    "plain": update(add(f"/{NAME}", URL)),
    "two slashes": update(add(f"//{NAME}", URL)),
    "chunked": update(add(f"/{NAME}", URL), framing=CHUNKED),
    "version 2.0": update(
        body=f'[{{"add": "/{NAME}", "value": "{URL}"}}]'.encode(),
        content_type=PATCH_20,
    ),
    "together with a name": update(
        {"op": "replace", "path": "/name", "value": "x"}, add(f"/{NAME}", URL)
    ),
}
ACCEPT = {"Accept": "application/vnd.openstack.images-v2"}
#: Paths that Glance takes for its collection of images.
COLLECTION = {
    "a newline": create({}, path="/v2/images%0a"),
    "two slashes": create({}, path="/v2//images"),
    "slashes and a newline": create({}, path="//v2//images%0a"),
    "escaped letter": create({}, path="/v2/%69mages"),
    "query": create({}, path="/v2/images?%0a"),
    "another minor version": create({}, path="/v2.17/images"),
    "another version, a newline": create({}, path="/v2.0/images%0a"),
    "version in Accept": create({}, path="/images", headers=ACCEPT),
    "version in Accept, a newline": create(
        {}, path="/images%0a", headers=ACCEPT
    ),
    "mounted": create({}, path="/v2/images", mount="/image"),
    "mounted, a newline": create({}, path="/v2/images%0a", mount="/image"),
}
#: Paths that it takes for one image.
MEMBER = ["/v2/images/{id}%0a", "/v2//images//{id}", "/v2.3/images/{id}%0a"]
#: Paths that are nothing to Glance, or that it takes for another thing.
NOTHING = {
    "/v2/images/": 404,
    "/v2/images//": 404,
    "/v2/images%0d": 404,
    "/v2/images%0d%0a": 404,
    "/v2/images;": 404,
    "/v2/images%20": 404,
    "/v2/images.json": 404,
    "/v2/Images": 404,
    "/v2/images%00": 404,
    "/v2/images%c2%85": 404,
    "/v2/images%0a/": 404,
    "/v2/%0aimages": 404,
    "/v2/images/%0a": 405,
    "/v2.99/images%0a": 300,
    "/v2%0a/images": 300,
    "/images%0a": 300,
    "/v2/images/{id}/": 404,
    "/v2/images/{id}%0d": 404,
    "/v2/images/{id};": 404,
    "/v2/images/{id}.json": 404,
    "/v2/images/{id}%20": 404,
    "/v2/images/{id}%0a%0a": 404,
    "/v2/images%0a/{id}": 404,
    "/v2/images/%0a{id}": 404,
}
IDE = create({"hw_disk_bus": "ide"})
CHANGE = update(add("/hw_disk_bus", "ide"))


@pytest.mark.parametrize("reference", REFERENCES)
def test_bypass_28_reference_on_upload(
    gated: User, plain: User, reference: str
) -> None:
    refused(gated, plain, create({NAME: reference}), NAME, reference)


@pytest.mark.parametrize("wire", PATCHES.values(), ids=PATCHES.keys())
def test_bypass_28_reference_by_patch(
    gated: User, plain: User, wire: Wire
) -> None:
    refused(gated, plain, wire, NAME, URL)


@pytest.mark.parametrize("reference", [UUID, UUID.upper(), ""])
def test_a_reference_that_nova_writes_is_taken(
    gated: User, reference: str
) -> None:
    """Nova's snapshots of servers on volumes have an empty one."""
    assert gated.create(**{NAME: reference}).status_int == 201


def test_an_old_reference_keeps_nobody_from_other_changes(
    gated: User, plain: User
) -> None:
    image = plain.create(**{NAME: URL}).json["id"]
    rename = {"op": "replace", "path": "/name", "value": "x"}
    for change in (rename, remove(f"/{NAME}")):
        assert gated.update(image, change).status_int == 200
    assert NAME not in plain.image(image)


@pytest.mark.parametrize("wire", COLLECTION.values(), ids=COLLECTION.keys())
def test_bypass_32_path_of_the_collection(
    gated: User, plain: User, wire: Wire
) -> None:
    refused(gated, plain, replace(wire, body=IDE.body))


@pytest.mark.parametrize("path", MEMBER)
def test_bypass_32_path_of_an_image(
    gated: User, plain: User, path: str
) -> None:
    refused(gated, plain, replace(CHANGE, path=path))


@pytest.mark.parametrize("path", NOTHING, ids=str)
def test_what_glance_does_not_take_is_glances_to_answer(
    gated: User, plain: User, path: str
) -> None:
    image = plain.create().json
    wire = replace(CHANGE if "{id}" in path else IDE, path=path)
    wire = wire.about(image["id"])
    for user in (plain, gated):
        assert user.send(wire).status_int == NOTHING[path]
    assert plain.images() == [image]

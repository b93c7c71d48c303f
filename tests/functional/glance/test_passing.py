# SPDX-License-Identifier: Apache-2.0
"""Requests that do not concern the gate pass through it unchanged."""

import hashlib
from typing import Any

import pytest

from tests.functional.glance.wire import User, Wire, create

OCTETS = "application/octet-stream"


class Upload:
    """An image's data as a server hands it on; remembers how it is read."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.reads: list[int] = []
        self.digest = hashlib.sha512()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, as wsgi.input does."""
        self.reads.append(size)
        data = b"\xa5" * (self.left if size < 0 else min(size, self.left))
        self.left -= len(data)
        self.digest.update(data)
        return data


def upload(user: User, data: Upload, path: str, chunked: bool) -> Any:
    """PUT data to a path as a user, chunked or with its length."""
    environ = Wire("PUT", path, content_type=OCTETS).environ()
    environ["wsgi.input"] = data
    environ["CONTENT_LENGTH"] = str(data.left)
    if chunked:
        del environ["CONTENT_LENGTH"]
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        environ["wsgi.input_terminated"] = True
    return user.call(environ)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("where", ["file", "stage"])
def test_image_data_is_left_to_glance(
    gated: User, plain: User, where: str, chunked: bool
) -> None:
    # given
    sizes = []
    for user in (plain, gated):
        image = plain.create(container_format="bare", disk_format="raw").json
        data = Upload(3_000_000)
        # when
        path = f"/v2/images/{image['id']}/{where}"
        response = upload(user, data, path, chunked)
        # then
        assert response.status_int == 204, response.text
        assert data.left == 0
        sizes.append(data.reads)
        if where == "file":
            stored = plain.image(image["id"])["os_hash_value"]
            assert stored == data.digest.hexdigest()
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *[
            (method, path, b"")
            for method in ("GET", "HEAD", "DELETE", "PUT", "OPTIONS")
            for path in ("/v2/images/{id}", "/v2/images")
        ],
        ("PUT", "/v2/images/{id}/tags/ide", b""),
        ("POST", "/v2/images/{id}/members", b'{"member": "ide"}'),
        ("POST", "/v2/images/{id}/actions/deactivate", b""),
        ("POST", "/v2/metadefs/namespaces", b'{"namespace": "ide"}'),
        ("GET", "/v2/schemas/image", b""),
        ("GET", "/v2/info/import", b""),
        ("GET", "/versions", b""),
        ("GET", "/", b""),
        ("GET", "/healthcheck", b""),
    ],
)
def test_what_is_not_judged_is_answered_alike(
    gated: User, plain: User, method: str, path: str, body: bytes
) -> None:
    # given
    twins = [plain.create(hw_disk_bus="ide").json["id"] for _ in range(2)]
    # when
    with_gate, without = (
        user.send(Wire(method, path, body).about(image))
        for user, image in zip((gated, plain), twins, strict=True)
    )
    # then
    assert with_gate.status == without.status
    assert set(with_gate.headers) == set(without.headers)
    if path.endswith("{id}") and method != "DELETE":
        text = with_gate.text.replace(twins[0], twins[1])
        assert len(text) == len(without.text)


def test_show_gives_an_old_image_as_it_is(gated: User, plain: User) -> None:
    image = plain.create(hw_disk_bus="ide").json
    assert gated.image(image["id"]) == image


def test_without_a_token_glance_asks_for_one(gated: User) -> None:
    # given
    environ = create({"hw_disk_bus": "ide"}).environ()
    # when
    response = gated.anonymous(environ)
    # then
    assert response.status_int == 401

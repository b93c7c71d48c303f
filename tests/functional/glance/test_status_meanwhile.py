# SPDX-License-Identifier: Apache-2.0
"""The status of an image changes after it was judged and before it is stored.

Glance stores an image as a whole, with the status that it has read. The gate
restores no status: an image that was uploaded stays usable, and one that was
deactivated stays unusable.
"""

import dataclasses
from collections.abc import Callable

import pytest

from tests.functional.glance.test_saved import Between, between
from tests.functional.glance.wire import User, Wire, add

__all__ = ["between"]

OPERATION = add("/hw_machine_type", "q35")
BYTES = "application/octet-stream"
ADMIN = "admin,member,reader"
Send = Callable[[User, str], None]


def _send(method: str, path: str) -> Send:
    def send(user: User, image: str) -> None:
        body = b"data" if method == "PUT" else b""
        wire = Wire(method, f"/v2/images/{image}{path}", body, BYTES)
        assert user.send(wire).status_int == 204

    return send


upload = _send("PUT", "/file")
stage = _send("PUT", "/stage")
deactivate = _send("POST", "/actions/deactivate")
reactivate = _send("POST", "/actions/reactivate")
delete = _send("DELETE", "")


def _admin(user: User) -> User:
    return dataclasses.replace(user, roles=ADMIN)


@pytest.fixture
def image(plain: User) -> str:
    """Give the id of an image without data."""
    response = plain.create(disk_format="raw", container_format="bare")
    return str(response.json["id"])


CASES: dict[str, tuple[list[Send], Send, str]] = {
    "uploaded": ([], upload, "active"),
    "staged": ([], stage, "uploading"),
    "deactivated": ([upload], deactivate, "deactivated"),
    "reactivated": ([upload, deactivate], reactivate, "active"),
}


@pytest.mark.parametrize(
    ("earlier", "meanwhile", "status"), CASES.values(), ids=CASES.keys()
)
@pytest.mark.parametrize("roles", ["member,reader", ADMIN])
def test_the_newer_status_stays(
    gated: User,
    plain: User,
    image: str,
    between: Between,
    earlier: list[Send],
    meanwhile: Send,
    status: str,
    roles: str,
) -> None:
    # given
    for step in earlier:
        step(_admin(plain), image)
    between(lambda: meanwhile(_admin(plain), image))
    # when
    user = dataclasses.replace(gated, roles=roles)
    response = user.update(image, OPERATION)
    # then
    assert response.status_int == 200
    stored = plain.image(image)
    assert stored["status"] == status
    assert stored["hw_machine_type"] == "q35"


def test_an_administrator_does_not_change_what_was_deleted(
    gated: User, plain: User, image: str, between: Between
) -> None:
    # given
    between(lambda: delete(plain, image))
    # when
    response = _admin(gated).update(image, OPERATION)
    # then
    assert response.status_int == 404

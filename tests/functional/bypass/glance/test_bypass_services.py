# SPDX-License-Identifier: Apache-2.0
"""Row 26, and what a service token earns: POST accepted and marked, no more.

Cinder's upload-to-image and Nova's snapshots are a POST with the user's
token, and with the service's own where the operator turned that on.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.functional.glance import identity
from tests.functional.glance.wire import (
    User,
    Wire,
    add,
    create,
    message,
    update,
)

SERVICE = identity.token("services", "cinder", "service")
ADMIN = identity.token("services", "cinder", "service,admin")
UPPER = identity.token("services", "nova", "SERVICE")
PLAIN = identity.token("somebody", "mallory", "member,reader")
FOREIGN = identity.token("services", "robot", "admin,services,service_x")
IDE = create({"hw_disk_bus": "ide"})

Send = Callable[[Any, Wire, str], Any]


@pytest.mark.parametrize("token", [SERVICE, ADMIN, UPPER])
def test_bypass_26_upload_of_a_volume_with_a_service_token(
    known: Any,
    plain: User,
    with_token: Send,
    caplog: pytest.LogCaptureFixture,
    token: str,
) -> None:
    caplog.set_level(logging.DEBUG, "nova_vhard")
    assert with_token(known, IDE, token).status_int == 201
    # accepted, and marked in the event and in the log
    assert [each["hw_disk_bus"] for each in plain.images()] == ["ide"]
    (event,) = [
        json.loads(each.getMessage())
        for each in caplog.records
        if each.name == "nova_vhard.decisions"
    ]
    assert event["outcome"] == "warn"
    assert event["rules"] == ["guest_devices.disk_bus"]
    warned = [
        each.getMessage()
        for each in caplog.records
        if each.levelno == logging.WARNING
        and each.name.startswith("nova_vhard")
    ]
    assert any("a service makes it" in each for each in warned)


@pytest.mark.parametrize("token", ["", PLAIN, FOREIGN, "expired"])
def test_bypass_26_upload_of_a_volume_without_a_service(
    known: Any, known_plain: Any, plain: User, with_token: Send, token: str
) -> None:
    """No token, a user's own, one without the role, one not confirmed."""
    assert "not allowed" in message(with_token(known, IDE, token))
    assert plain.images() == []
    assert with_token(known_plain, IDE, token).status_int == 201


@pytest.mark.parametrize("token", [SERVICE, ADMIN, PLAIN, ""])
def test_bypass_26_a_service_token_earns_nothing_for_patch(
    known: Any, known_plain: Any, plain: User, with_token: Send, token: str
) -> None:
    image = plain.create().json
    wire = update(add("/hw_disk_bus", "ide")).about(image["id"])
    assert "not allowed" in message(with_token(known, wire, token))
    assert plain.image(image["id"]) == image
    assert with_token(known_plain, wire, token).status_int == 200


@pytest.mark.parametrize(
    "name", ["X-Service-Roles", "X-Service-Identity-Status"]
)
def test_bypass_26_headers_that_a_user_forges(
    known: Any, plain: User, name: str
) -> None:
    headers = {
        "X-Service-Identity-Status": "Confirmed",
        "X-Service-Roles": "service",
        name: "service",
    }
    wire = create({"hw_disk_bus": "ide"}, headers=headers)
    assert "not allowed" in message(plain.of(known).send(wire))
    assert plain.images() == []

# SPDX-License-Identifier: Apache-2.0
"""Row 26, and what a service token earns: POST accepted and marked, no more.

Cinder's upload-to-image and Nova's snapshots are a POST with the user's
token, and with the service's own where the operator turned that on.
"""

from dataclasses import replace

import pytest

from tests.functional.bypass.glance.attempts import refused
from tests.functional.glance import identity
from tests.functional.glance.wire import User, Wire, add, create, update

SERVICE = identity.token("services", "cinder", "service")
ADMIN = identity.token("services", "cinder", "service,admin")
UPPER = identity.token("services", "nova", "SERVICE")
PLAIN = identity.token("somebody", "mallory", "member,reader")
FOREIGN = identity.token("services", "robot", "admin,services,service_x")


def by(token: str, wire: Wire) -> Wire:
    """Return a request with a service token, if there is one."""
    headers = {"X-Service-Token": token} if token else {}
    return replace(wire, headers=headers)


@pytest.mark.parametrize("token", [SERVICE, ADMIN, UPPER])
def test_bypass_26_upload_of_a_volume_with_a_service_token(
    gated: User, plain: User, token: str
) -> None:
    """Accepted; tests/functional/glance/test_alone.py has the event."""
    wire = create({"hw_disk_bus": "ide"})
    assert gated.send(by(token, wire)).status_int == 201
    assert [each["hw_disk_bus"] for each in plain.images()] == ["ide"]


@pytest.mark.parametrize("token", ["", PLAIN, FOREIGN, "expired"])
def test_bypass_26_upload_of_a_volume_without_a_service(
    gated: User, plain: User, token: str
) -> None:
    """No token, a user's own, one without the role, one not confirmed."""
    refused(gated, plain, by(token, create({"hw_disk_bus": "ide"})))


@pytest.mark.parametrize("token", [SERVICE, ADMIN, PLAIN, ""])
def test_bypass_26_a_service_token_earns_nothing_for_patch(
    gated: User, plain: User, token: str
) -> None:
    refused(gated, plain, by(token, update(add("/hw_disk_bus", "ide"))))


@pytest.mark.parametrize(
    "name", ["X-Service-Roles", "X-Service-Identity-Status"]
)
def test_bypass_26_headers_that_a_user_forges(
    gated: User, plain: User, name: str
) -> None:
    headers = {
        "X-Service-Identity-Status": "Confirmed",
        "X-Service-Roles": "service",
        name: "service",
    }
    refused(gated, plain, create({"hw_disk_bus": "ide"}, headers=headers))

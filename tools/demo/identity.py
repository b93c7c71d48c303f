# SPDX-License-Identifier: Apache-2.0
"""Who is who in the demo's cloud: fixed users, projects and roles."""

from dataclasses import dataclass

#: One password for everybody: nothing but loopback ever sees it.
PASSWORD = "not-a-secret"
DOMAIN = {"id": "default", "name": "Default"}
#: Where nova-api runs with the gate in its pipeline.
REGION = "RegionOne"
#: Where the same nova-api runs from the paste file that Nova ships.
PLAIN_REGION = "NovaApiUngated"


@dataclass(frozen=True)
class User:
    """A user, with the one project that its tokens are for."""

    name: str
    id: str
    project: str
    project_id: str
    roles: tuple[str, ...]


_MEMBER = ("member", "reader")
_SERVICE = ("admin", "service")

#: A tenant like any other.
ALICE = User(
    "alice",
    "a11ce000000000000000000000000001",
    "shop",
    "5409000000000000000000000000cafe",
    _MEMBER,
)
#: A tenant with an exemption in the policy.
BOB = User(
    "bob",
    "b0b00000000000000000000000000001",
    "heritage",
    "4e71a9e000000000000000000000beef",
    _MEMBER,
)
ADMIN = User(
    "admin",
    "ad3100000000000000000000000000a1",
    "admin",
    "ad310000000000000000000000000ad3",
    ("admin", *_MEMBER),
)
#: nova, glance and placement themselves.
SERVICE = User(
    "service",
    "5e2f1ce0000000000000000000000001",
    "service",
    "5e2f1ce000000000000000000000face",
    _SERVICE,
)

USERS = {user.name: user for user in (ALICE, BOB, ADMIN, SERVICE)}

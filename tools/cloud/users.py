# SPDX-License-Identifier: Apache-2.0
"""Who is who in a cloud."""

from dataclasses import dataclass

REGION = "RegionOne"


@dataclass(frozen=True)
class User:
    """A user, with the one project that it works in."""

    name: str
    project: str
    roles: tuple[str, ...]


#: Made when Keystone is.
ADMIN = User("admin", "admin", ("admin",))
MEMBER = User("member", "shop", ("member",))
READER = User("reader", "shop", ("reader",))
#: A member of the project that an exemption may be for.
HERITAGE = User("heritage", "heritage", ("member",))
#: nova, glance, placement and the reporters themselves.
SERVICE = User("service", "service", ("admin", "service"))

#: What lies on a compute node: it makes no names in Placement.
COMPUTE = User("nova-compute", "service", ("service", "vhard-compute"))
ATTESTOR = User("attestor", "service", ("vhard-attestor",))

USERS = (ADMIN, MEMBER, READER, HERITAGE, SERVICE)
MADE = (*USERS[1:], COMPUTE, ATTESTOR)
#: Those that Placement's sample policy has.
ROLES = tuple(
    f"vhard-{name}"
    for name in ("reporter", "cleaner", "sweep", "attestor", "compute")
)
#: service type: name of the API in cloud.facts, and path of its endpoint
SERVICES = {
    "compute": ("nova", "/v2.1"),
    "image": ("glance", ""),
    "network": ("neutron", ""),
    "placement": ("placement", ""),
    "volumev3": ("cinder", "/v3"),
}

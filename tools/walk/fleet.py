# SPDX-License-Identifier: Apache-2.0
"""What the walk's cloud has before the policy: images and servers."""

import io
from dataclasses import dataclass

from demo import clients, flavors

IMAGES, SERVERS = 1000, 60
#: Seconds: dozens of servers are built at once, on a machine that may be busy.
_LONG = 600
#: How many of each hundred images have data, and can be deactivated.
WITH_DATA = 10
CLEAN = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
#: One that the policy knows a safe replacement for, and one that it does not.
IDE = {"hw_disk_bus": "ide"}
WORSE = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
_KINDS = (CLEAN, CLEAN, IDE, CLEAN, CLEAN, WORSE)


@dataclass(frozen=True)
class Made:
    """What was made, counted while it was made.

    :ivar ide: images that ask for ide alone
    :ivar worse: images that ask for ide and e1000
    :ivar active: of the latter those with data
    :ivar servers: servers of an image that asks for ide
    """

    ide: int
    worse: int
    active: int
    servers: int

    @property
    def violating(self):
        """Images that violate the policy."""
        return self.ide + self.worse


def images(client):
    """Make the images.

    :param client: demo.clients.Client
    :returns: kind and whether it has data, of each
    """
    wanted = [
        (number, _KINDS[number % len(_KINDS)], number % 100 < WITH_DATA)
        for number in range(IMAGES)
    ]
    for one in wanted:
        # One after another: SQLite does not take two writers.
        _image(client, *one)
    return [(kind, data) for _, kind, data in wanted]


def _image(client, number, kind, data):
    glance = client.glance.images
    made = glance.create(
        name=f"image {number}",
        disk_format="raw",
        container_format="bare",
        **kind,
    )
    if data:
        glance.upload(made.id, io.BytesIO(b"data"))
    return made


def servers(client):
    """Boot the servers, a third of them from an image that asks for ide.

    :returns: how many those are
    """
    third = SERVERS // 3
    for name, kind, count in (
        ("clean", CLEAN, SERVERS - third),
        ("old", IDE, third),
    ):
        image = client.upload(f"of the {name} servers", **kind)
        compute = client.compute()
        first = compute.create_server(
            name=name,
            flavor_id=flavors.TINY.id,
            networks=[{"uuid": clients.NETWORK}],
            image_id=image.id,
            min_count=count,
            max_count=count,
        )
        for one in (first, *compute.servers()):
            settled = client.settle(one, seconds=_LONG)
            if settled.status != "ACTIVE":
                raise RuntimeError(f"{one.name} is {settled.status}")
    return third


def make(client):
    """Make everything; return Made."""
    kinds = images(client)
    old = servers(client)
    return Made(
        # The image of the old servers is one more.
        ide=sum(kind is IDE for kind, _ in kinds) + 1,
        worse=sum(kind is WORSE for kind, _ in kinds),
        active=sum(kind is WORSE and data for kind, data in kinds),
        servers=old,
    )


def snapshot(client):
    """Return everything that Glance says of each image, but when it changed.

    :param client: of an administrator
    """
    found = {}
    for hidden in ("false", "true"):
        filters = {"visibility": "all", "os_hidden": hidden}
        for one in client.glance.images.list(page_size=500, filters=filters):
            facts = dict(one)
            del facts["updated_at"]
            found[one.id] = facts
    return found

# SPDX-License-Identifier: Apache-2.0
"""The users of the cloud, and what they do in it."""

import contextlib
import functools
import time

import openstack
import pytest

from cloud import users
from common import clients

#: How a refusal begins, whichever gate it comes from.
REFUSED = "This cloud's hardening policy refuses the request: "
IDE = "image property hw_disk_bus='ide' is not allowed (allowed: virtio, scsi)"
_FLAVOR = "1"


class Person(clients.Client):
    """A user with real clients and real tokens.

    :param cloud: cloud.cloud.Cloud
    :param user: cloud.users.User
    """

    def __init__(self, cloud, user):
        facts = cloud.facts
        home = cloud.place.root / "home"
        url = facts.url("keystone") + "/v3"
        super().__init__(user, facts.password, url, users.REGION, home)
        self._facts = facts

    @property
    def project(self):
        """The id of the project."""
        return self.session.get_project_id()

    @property
    def token(self):
        """A token of Keystone's."""
        return self.session.get_token()

    def image_id(self, name):
        """The id of an image."""
        return self.image.find_image(name, ignore_missing=False).id

    def ask(self, name, image, service="nova"):
        """Ask for a server; return it as it is at once.

        :param image: name of an image
        :param service: ``plain-nova`` has no gate
        :raises: what openstacksdk raises when it is refused
        """
        return self._nova(service).create_server(
            name=name,
            image_id=self.image_id(image),
            flavor_id=_FLAVOR,
            networks="none",
        )

    @functools.cache  # noqa: B019  as long as the tests
    def _nova(self, service):
        return openstack.connection.Connection(
            session=self.session,
            region_name=users.REGION,
            compute_endpoint_override=f"{self._facts.url(service)}/v2.1",
        ).compute

    def boot(self, name, image, service="nova"):
        """Ask for a server, and wait until it is there or has failed."""
        return self.settle(self.ask(name, image, service))

    @contextlib.contextmanager
    def server(self, name, image):
        """A server that is there, ACTIVE, and gone at the end."""
        server = self.boot(name, image)
        try:
            assert server.status == "ACTIVE", server.fault
            yield server
        finally:
            self.remove(server)

    def remove(self, server):
        """Delete a server, and wait until it is gone."""
        self.compute().delete_server(server.id, ignore_missing=True)
        self.compute().wait_for_delete(server, interval=0.2, wait=60)


def refusal(call, *arguments, **more):
    """Make a call that must be refused; return the words of the refusal."""
    with pytest.raises(clients.REFUSALS) as refused:
        call(*arguments, **more)
    return " ".join(str(refused.value).split())


def until(condition, seconds=60, every=0.2):
    """Wait for something; return what it was in the end."""
    deadline = time.monotonic() + seconds
    while not (came := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(every)
    return came

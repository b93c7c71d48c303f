# SPDX-License-Identifier: Apache-2.0
"""What the users of a cloud hold in their hands: real clients."""

import functools
import time

import glanceclient
import openstack
from glanceclient import exc as glance_exceptions
from keystoneauth1 import session
from keystoneauth1.identity import v3

from common import commands

#: What the clients' libraries raise when a service refuses.
REFUSALS = (
    openstack.exceptions.HttpException,
    glance_exceptions.HTTPException,
)
_BUSY = ("BUILD", "REBUILD", "RESIZE")
_DATA = b"a disk of a few bytes, for nobody looks inside"


class Client:
    """The clients of one user.

    :param user: has a ``name``, and the name of a ``project``
    :param password: the user's
    :param auth_url: address of Keystone's v3 API
    :param region: the region that is meant where none is named
    :param home: home directory of commands: none of the caller's files
    """

    def __init__(self, user, password, auth_url, region, home):
        self.user = user
        self._password = password
        self._auth_url = auth_url
        self._region = region
        self._home = home
        self.session = session.Session(
            auth=v3.Password(
                auth_url=auth_url,
                username=user.name,
                password=password,
                project_name=user.project,
                user_domain_id="default",
                project_domain_id="default",
            )
        )

    @functools.cache  # noqa: B019  as long as a run
    def sdk(self, region=None):
        """openstacksdk, in a region."""
        return openstack.connection.Connection(
            session=self.session, region_name=region or self._region
        )

    @functools.cached_property
    def glance(self):
        """python-glanceclient, as a library."""
        return glanceclient.Client(
            "2", session=self.session, region_name=self._region
        )

    @property
    def image(self):
        """openstacksdk's view of Glance."""
        return self.sdk().image

    def compute(self, region=None):
        """openstacksdk's view of Nova in a region."""
        return self.sdk(region).compute

    def upload(self, name, **properties):
        """Upload a small image with properties; openstacksdk's.

        :returns: the image
        """
        created = self.image.create_image(
            name=name,
            disk_format="raw",
            container_format="bare",
            data=_DATA,
            validate_checksum=False,
            **properties,
        )
        return self.image.get_image(created.id)

    def settle(self, server, seconds=60, leaving=None):
        """Wait until nothing is being done to a server any more.

        :param leaving: a status that it rests in, but will leave by itself
        :returns: the server
        """
        deadline = time.monotonic() + seconds
        while True:
            server = self.compute().get_server(server.id)
            busy = server.status in (*_BUSY, leaving) or server.task_state
            # Nova sets ERROR a moment before it stores the fault.
            failing = server.status == "ERROR" and not server.fault
            if not (busy or failing):
                return server
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"server {server.name} is still {server.status}"
                )
            time.sleep(0.1)

    def host(self, server):
        """Give the host name of a server's compute, which admins may see."""
        return self.compute().get_server(server.id).compute_host

    def last_event(self, server):
        """Give the newest entry of ``openstack server event list``.

        :returns: what was asked for, whether it failed, and the details,
            which only admins are shown
        """
        compute = self.compute()
        newest = next(iter(compute.server_actions(server)))
        action = compute.get_server_action(newest.request_id, server)
        details = {one.details for one in action.events if one.details}
        return action.action, action.message, "; ".join(sorted(details))

    def traits(self, provider):
        """Give the traits that Placement knows of a resource provider.

        :param provider: its uuid
        :returns: a set of names
        """
        answer = self.session.get(
            f"/resource_providers/{provider}/traits",
            endpoint_filter={
                "service_type": "placement",
                "region_name": self._region,
            },
            microversion="1.6",
        )
        return set(answer.json()["traits"])

    def command(self, *words, seconds=120):
        """Run ``openstack``, the plain client.

        :param seconds: after which it has taken too long
        :returns: common.commands.Answer
        """
        return commands.run(
            "openstack",
            *words,
            environment=self._environment(),
            seconds=seconds,
        )

    def _environment(self):
        return {
            **commands.environment(),
            # No clouds.yaml of the caller's.
            "HOME": str(self._home),
            "XDG_CONFIG_HOME": str(self._home),
            "PYTHONWARNINGS": "ignore",
            "OS_AUTH_TYPE": "password",
            "OS_AUTH_URL": self._auth_url,
            "OS_IDENTITY_API_VERSION": "3",
            "OS_USERNAME": self.user.name,
            "OS_PASSWORD": self._password,
            "OS_PROJECT_NAME": self.user.project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_REGION_NAME": self._region,
        }

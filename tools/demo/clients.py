# SPDX-License-Identifier: Apache-2.0
"""What the users of the demo's cloud hold in their hands: real clients."""

import functools
import time

import glanceclient
import openstack
from glanceclient import exc as glance_exceptions
from keystoneauth1 import session
from keystoneauth1.identity import v3

from demo import commands, flavors, identity, processes

#: What the clients' libraries raise when a service refuses.
REFUSALS = (
    openstack.exceptions.HttpException,
    glance_exceptions.HTTPException,
)
#: The network of Neutron's stand-in.
NETWORK = "3cb9bc59-5699-4588-a4b1-b87f96708bc6"
_BUSY = ("BUILD", "REBUILD", "RESIZE")
_DATA = b"a disk of a few bytes, for nobody looks inside"


class Client:
    """The clients of one user.

    :param cloud: demo.cloud.Cloud
    :param user: demo.identity.User
    """

    def __init__(self, cloud, user):
        self.user = user
        self._auth_url = cloud.url("keystone") + "/v3"
        self._home = cloud.place.root / "home"
        self._session = session.Session(
            auth=v3.Password(
                auth_url=self._auth_url,
                username=user.name,
                password=identity.PASSWORD,
                project_name=user.project,
                user_domain_id="default",
                project_domain_id="default",
            )
        )

    @functools.cached_property
    def _sdk(self):
        return {
            region: openstack.connection.Connection(
                session=self._session, region_name=region
            )
            for region in (identity.REGION, identity.PLAIN_REGION)
        }

    @functools.cached_property
    def glance(self):
        """python-glanceclient, as a library."""
        return glanceclient.Client(
            "2", session=self._session, region_name=identity.REGION
        )

    @property
    def image(self):
        """openstacksdk's view of Glance."""
        return self._sdk[identity.REGION].image

    def compute(self, region=identity.REGION):
        """openstacksdk's view of Nova in a region."""
        return self._sdk[region].compute

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

    def boot(
        self,
        name,
        region=identity.REGION,
        volume=None,
        flavor=flavors.TINY,
        **more,
    ):
        """Ask for a server, and wait until it is there or has failed.

        :param volume: id of a volume to boot from, instead of an image
        :param flavor: demo.flavors.Flavor
        :returns: the server, as the region's API shows it
        """
        if volume:
            more["block_device_mapping"] = [
                {
                    "boot_index": 0,
                    "uuid": volume,
                    "source_type": "volume",
                    "destination_type": "volume",
                }
            ]
        compute = self.compute(region)
        server = compute.create_server(
            name=name,
            flavor_id=flavor.id,
            networks=[{"uuid": NETWORK}],
            **more,
        )
        return self.settle(server)

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

    def traits(self, machine):
        """Give the traits that Placement knows of a machine.

        :param machine: demo.machines.Machine
        :returns: a set of names
        """
        answer = self._session.get(
            f"/resource_providers/{machine.node}/traits",
            endpoint_filter={
                "service_type": "placement",
                "region_name": identity.REGION,
            },
            microversion="1.6",
        )
        return set(answer.json()["traits"])

    def command(self, *words):
        """Run ``openstack``, the plain client.

        :returns: demo.commands.Answer
        """
        return commands.run(
            "openstack", *words, environment=self._environment()
        )

    def _environment(self):
        return {
            **processes.environment(),
            # No clouds.yaml of the caller's.
            "HOME": str(self._home),
            "XDG_CONFIG_HOME": str(self._home),
            "PYTHONWARNINGS": "ignore",
            "OS_AUTH_TYPE": "password",
            "OS_AUTH_URL": self._auth_url,
            "OS_IDENTITY_API_VERSION": "3",
            "OS_USERNAME": self.user.name,
            "OS_PASSWORD": identity.PASSWORD,
            "OS_PROJECT_NAME": self.user.project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_REGION_NAME": identity.REGION,
        }

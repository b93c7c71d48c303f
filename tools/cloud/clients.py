# SPDX-License-Identifier: Apache-2.0
"""Real clients for the users of a cloud."""

import functools
import time

import glanceclient
import openstack
from glanceclient import exc as glance_exceptions
from keystoneauth1 import session
from keystoneauth1.identity import v3

from cloud import commands, machines, users

#: What the clients' libraries raise when a service refuses.
REFUSALS = (
    openstack.exceptions.HttpException,
    glance_exceptions.HTTPException,
)
_BUSY = ("BUILD", "REBUILD", "RESIZE")
_DATA = b"a disk of a few bytes: its content does not matter"


class Client:
    """The clients of one user."""

    def __init__(self, facts, user):
        self.user = user
        self._facts = facts
        self.session = session.Session(
            auth=v3.Password(
                auth_url=facts.url("keystone") + "/v3",
                username=user.name,
                password=facts.password,
                project_name=user.project,
                user_domain_id="default",
                project_domain_id="default",
            )
        )

    @functools.cache  # noqa: B019  as long as a run
    def sdk(self, service="nova"):
        """Return openstacksdk, with Nova by its API ``plain-nova`` or not."""
        url = f"{self._facts.url(service)}/v2.1"
        return openstack.connection.Connection(
            session=self.session,
            region_name=users.REGION,
            compute_endpoint_override=None if service == "nova" else url,
        )

    @functools.cached_property
    def glance(self):
        return glanceclient.Client(
            "2", session=self.session, region_name=users.REGION
        )

    @property
    def image(self):
        return self.sdk().image

    @property
    def project(self):
        return self.session.get_project_id()

    def compute(self, service="nova"):
        return self.sdk(service).compute

    def upload(self, name, **properties):
        """Upload a small image with properties; return openstacksdk's."""
        created = self.image.create_image(
            name=name,
            disk_format="raw",
            container_format="bare",
            data=_DATA,
            validate_checksum=False,
            **properties,
        )
        return self.image.get_image(created.id)

    def ask(
        self, name, service="nova", flavor=machines.TINY, port=None, **more
    ):
        """Ask for a server, with a port or no network; return it at once."""
        return self.compute(service).create_server(
            name=name,
            flavor_id=flavor.id,
            networks=[{"port": port}] if port else "none",
            **more,
        )

    def boot(self, *arguments, **more):
        """Ask for a server, and wait until it is there or has failed."""
        return self.settle(self.ask(*arguments, **more))

    def settle(self, server, seconds=60, leaving=None):
        """Wait until nothing is being done to a server, and return it.

        :param leaving: a status that it rests in, but will leave by itself
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

    def remove(self, server):
        self.compute().delete_server(server.id, ignore_missing=True)
        self.compute().wait_for_delete(server, interval=0.2, wait=60)

    def host(self, server):
        """Return the name of a server's compute, which admins may see."""
        return self.compute().get_server(server.id).compute_host

    def traits(self, provider):
        """Return the names of a resource provider's traits, as a set."""
        answer = self.sdk().placement.get(
            f"/resource_providers/{provider}/traits", microversion="1.6"
        )
        return set(answer.json().get("traits", ()))

    def command(self, *words, seconds=120):
        """Run ``openstack``, the plain client."""
        return commands.run(
            "openstack",
            *words,
            environment=self.environment(),
            seconds=seconds,
        )

    def environment(self):
        home = str(self._facts.place.home("home"))
        return {
            **commands.environment(),
            "HOME": home,
            "XDG_CONFIG_HOME": home,
            "PYTHONWARNINGS": "ignore",
            "OS_CLIENT_CONFIG_FILE": f"{self._facts.root}/clouds.yaml",
            "OS_CLOUD": self.user.name,
            "OS_VHARD_POLICY": str(self._facts.place.policy),
        }

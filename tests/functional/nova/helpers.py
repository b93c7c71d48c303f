# SPDX-License-Identifier: Apache-2.0
"""Helpers that send requests to Nova as an API user."""

import copy
import json
import logging
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import fixtures
import webob
from nova import context, objects
from nova.tests.fixtures import PROJECT_ID

from tests import services
from tests.functional.nova import rest, service

MEMBER = ("reader", "member")
ADMIN = ("reader", "member", "admin")
CLEAN = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
WAIT_SECONDS, POLLS_A_SECOND = rest.WAIT_SECONDS, rest.POLLS_A_SECOND
IDE = {"hw_disk_bus": "ide"}


class Helpers:
    """Mixin for one of Nova's test cases: requests, images, facts.

    :ivar application: what requests go to; None for the cloud's own API
    """

    application: Callable[..., Any] | None = None

    def write_policy(self, text: str) -> None:
        """Edit the policy on disk; nothing is restarted."""
        service.write_policy(self.policy_file, text)

    def image(self, **properties: str) -> str:
        """Put an image into Glance, behind every gate; return its id."""
        image = {
            "id": str(uuid.uuid4()),
            "name": "an image",
            "status": "active",
            "container_format": "bare",
            "disk_format": "raw",
            "min_disk": 0,
            "min_ram": 0,
            "size": 25165824,
            "visibility": "public",
            "properties": properties,
        }
        return str(self.glance.create(None, image)["id"])

    def volume(self, **metadata: str) -> str:
        """Put a bootable volume into Cinder; return its id.

        :param metadata: image properties that Cinder keeps with it
        """
        volume = str(uuid.uuid4())
        self.cinder.volumes[volume] = {
            "id": volume,
            "display_name": "a volume",
            "display_description": "",
            "size": 1,
            "multiattach": False,
            "bootable": True,
            "availability_zone": "nova",
            "volume_image_metadata": metadata,
        }
        return volume

    def snapshot(self, volume: str) -> str:
        """Put a snapshot of a volume into Cinder; return its id."""
        snapshot = str(uuid.uuid4())
        self.cinder.volume_snapshots[snapshot] = {
            "id": snapshot,
            "volume_id": volume,
            "size": 1,
        }
        return snapshot

    def port(self, kind: str, **more: Any) -> str:
        """Put a port of a vnic type into Neutron; return its id."""
        port = copy.deepcopy(self.neutron.port_1)
        port |= {"id": str(uuid.uuid4()), "binding:vnic_type": kind, **more}
        self.neutron._ports[port["id"]] = port
        return str(port["id"])

    def wish(self, image: str | None, **more: Any) -> dict[str, Any]:
        """Return the body of a POST /servers for the latest microversion."""
        server = {
            "name": "a server",
            "flavorRef": "1",
            "networks": "none",
            **more,
        }
        if image is not None:
            server["imageRef"] = image
        return {"server": server}

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        roles: Iterable[str] = MEMBER,
        project: str = PROJECT_ID,
        version: str | None = "latest",
        content_type: str = "application/json",
        token: str | None = None,
        app: Callable[..., Any] | None = None,
        environ: dict[str, Any] | None = None,
    ) -> webob.Response:
        """Send one request through Nova's whole WSGI pipeline.

        :param body: bytes go out as they are, anything else as JSON
        :param version: microversion; None sends no header
        :param token: what Nova takes for the user's token, and passes on
        :param app: another application than the test's own
        :param environ: replaces parts of the WSGI environment
        """
        request = webob.Request.blank(path, method=method)
        user = "admin" if "admin" in roles else "fake"
        request.headers["X-Auth-User"] = user
        request.headers["X-User-Id"] = user
        request.headers["X-Auth-Project-Id"] = project
        request.headers["X-Roles"] = ",".join(roles)
        if token:
            request.headers["X-Auth-Token"] = token
        if version:
            request.headers["OpenStack-API-Version"] = f"compute {version}"
        if body is not None:
            whole = isinstance(body, bytes)
            request.body = body if whole else json.dumps(body).encode()
            request.environ["CONTENT_TYPE"] = content_type
        request.environ.update(environ or {})
        return request.get_response(
            app or self.application or self.api_fixture.app()
        )

    def boot(self, image: str | None, **more: Any) -> webob.Response:
        """POST /servers as a member."""
        return self.call("POST", "/v2.1/servers", self.wish(image, **more))

    def act(
        self, server_id: str, action: object, **more: Any
    ) -> webob.Response:
        """POST /servers/{id}/action as a member."""
        path = f"/v2.1/servers/{server_id}/action"
        return self.call("POST", path, action, **more)

    def wait(self, server_id: str, status: str) -> dict[str, Any]:
        """Wait until a server rests in a status, or in ERROR for good.

        :returns: the server
        """
        server: dict[str, Any] = {}

        def rests() -> bool:
            if server_id in self.busy():
                return False
            server.update(self.admin_api.get_server(server_id))
            failed = {server["status"], status} == {"ERROR", "ACTIVE"}
            assert not failed, f"{status} is not reached: {server}"
            # Nova writes the fault a moment after the status
            whole = status != "ERROR" or "fault" in server
            return bool(server["status"] == status and whole)

        rest.until(rests, f"{status} is not reached")
        return server

    def active(self, image: str, **more: Any) -> str:
        """Boot a server to ACTIVE; return its id."""
        response = self.boot(image, **more)
        assert response.status_int == 202, response.text
        server_id = str(response.json["server"]["id"])
        self.wait(server_id, "ACTIVE")
        return server_id

    def fault(self, server_id: str) -> str:
        """Wait for ERROR; return the explanation that its owner reads."""
        return str(self.wait(server_id, "ERROR")["fault"]["message"])

    def instance(self, server_id: str) -> objects.Instance:
        """Return a server as Nova's database has it."""
        admin = context.get_admin_context()
        mapping = objects.InstanceMapping.get_by_instance_uuid(
            admin, server_id
        )
        with context.target_cell(admin, mapping.cell_mapping) as cell:
            return objects.Instance.get_by_uuid(
                cell, server_id, expected_attrs=["system_metadata"]
            )

    def domain_xml(self, server_id: str) -> str:
        """Return the libvirt domain of a server."""
        host = self.computes[self.instance(server_id).host].driver._host
        domain = host.get_connection().lookupByUUIDString(server_id)
        return str(domain.XMLDesc(0))

    def compute_node(self, host: str) -> objects.ComputeNode:
        """Return what a host reports, as Nova's database has it."""
        admin = context.get_admin_context()
        cell = self.host_mappings[host].cell_mapping
        with context.target_cell(admin, cell) as targeted:
            return objects.ComputeNode.get_first_node_by_host_for_old_compat(
                targeted, host
            )

    def servers(self) -> list[dict[str, Any]]:
        """Return every server of the project."""
        return list(self.api.get_servers())

    def settle(self) -> None:
        """Wait until Nova is at rest.

        Services that are stopped in the middle of a call wait for ever: let
        this be the first cleanup.
        """
        rest.until(lambda: not self.busy(), "Nova is still at work")

    def busy(self) -> set[str]:
        """Return the ids of the servers that Nova is at work on."""
        if services.NOVA >= services.THREADS:
            return rest.busy(self.cell_mappings.values())
        # All share one connection to a database in memory
        path = "/servers/detail?all_tenants=1"
        servers = self.admin_api.api_get(path).body["servers"]
        state = "OS-EXT-STS:task_state"
        return {server["id"] for server in servers if server[state]}

    def allocations(self, server_id: str) -> dict[str, Any]:
        """Return what Placement keeps for a server."""
        return dict(self._get_allocations_by_server_uuid(server_id))

    def decisions(self) -> list[dict[str, Any]]:
        """Return a list that decision events go into from now on."""
        events: list[dict[str, Any]] = []
        handler = logging.Handler(logging.DEBUG)
        handler.emit = lambda record: events.append(
            json.loads(record.getMessage())
        )
        log = fixtures.LogHandler(
            handler, "nova_vhard.decisions", logging.DEBUG, nuke_handlers=False
        )
        self.useFixture(log)
        return events

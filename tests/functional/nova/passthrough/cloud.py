# SPDX-License-Identifier: Apache-2.0
"""The test's cloud as openstackclient would see it, as an admin."""

from types import SimpleNamespace
from typing import Any

from keystoneauth1 import plugin, session
from nova.tests.fixtures import PROJECT_ID
from openstack import connection

from nova_vhard.osc.plugin import Client

_HEADERS = {
    "X-Auth-Token": "admin",
    "X-Auth-User": "admin",
    "X-User-Id": "admin",
    "X-Auth-Project-Id": PROJECT_ID,
    "X-Roles": "reader,member,admin",
}


class Login(plugin.BaseAuthPlugin):
    """A catalog of two services, and what Keystone would make of a token."""

    def __init__(self, endpoints: dict[str, str]) -> None:
        super().__init__()
        self._endpoints = endpoints

    def get_headers(self, session: Any, **more: Any) -> dict[str, str]:
        return dict(_HEADERS)

    def get_endpoint(self, session: Any, **more: Any) -> str | None:
        return self._endpoints.get(str(more.get("service_type")))


def app(case: Any) -> Any:
    """Return what a command is given of openstackclient.

    :param case: a test case of Nova's
    """
    nova = case.api_fixture.base_url
    placement = case.placement.fixture.endpoint
    keystone = session.Session(
        Login({"compute": nova, "placement": placement})
    )
    sdk = connection.Connection(
        session=keystone,
        compute_endpoint_override=nova,
        compute_api_version="2.1",
    )
    manager = SimpleNamespace(
        session=keystone,
        region_name=None,
        interface=None,
        sdk_connection=sdk,
    )
    manager.vhard = Client(manager)
    return SimpleNamespace(client_manager=manager)

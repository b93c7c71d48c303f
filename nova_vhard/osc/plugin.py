# SPDX-License-Identifier: Apache-2.0
"""The openstackclient plugin: API clients of ``openstack vhard``."""

import argparse
from typing import Any

from osc_lib import utils

API_NAME = "vhard"
API_VERSION_OPTION = "os_vhard_api_version"
API_VERSIONS = {"1": "nova_vhard.osc.plugin.Client"}
DEFAULT_API_VERSION = "1"


class Client:
    """Clients of the commands for a cloud.

    :ivar accounts: the hosts' own users in Keystone
    :ivar images: python-glanceclient's images, of version 2
    :ivar placement: our own Placement client, as the user
    """

    def __init__(self, instance: Any) -> None:
        """Take the session of openstackclient's client manager."""
        # openstackclient imports this module for each of its commands.
        import glanceclient
        from keystoneauth1.adapter import Adapter

        from nova_vhard.osc.host.accounts import Accounts
        from nova_vhard.placement.client import Placement
        from nova_vhard.placement.connect import AdapterClient

        self._connection = instance.sdk_connection
        self._region = instance.region_name
        self._session = instance.session
        self.accounts = Accounts(
            self._connection, instance.session, instance.interface
        )
        self.placement = Placement(
            AdapterClient(
                Adapter(
                    session=instance.session,
                    service_type="placement",
                    region_name=instance.region_name,
                    interface=instance.interface,
                )
            )
        )
        self.images = glanceclient.Client(
            "2",
            session=instance.session,
            region_name=instance.region_name,
            interface=instance.interface,
        ).images

    def placement_url(self) -> str | None:
        """Return Placement's URL as hosts find it; None without one.

        Uses the interfaces that reporters and cleaners use by default.
        """
        url = self._session.get_endpoint(
            service_type="placement",
            interface=["internal", "public"],
            region_name=self._region,
        )
        return str(url) if url else None

    @property
    def region(self) -> str | None:
        """Name of the region, None where there is but one."""
        return str(self._region) if self._region else None

    @property
    def origin(self) -> dict[str, str]:
        """Cloud, Keystone's URL, region and user of this login, if known."""
        auth, cloud = self._session.auth, self._connection.config
        access = getattr(auth, "get_access", None)
        login = access and access(self._session)
        known = {
            "cloud": getattr(cloud, "name", None),
            "keystone": getattr(auth, "auth_url", None),
            "region": self.region or getattr(cloud, "region_name", None),
            "author": getattr(login, "username", None),
        }
        return {name: str(value or "-") for name, value in known.items()}

    @property
    def compute(self) -> Any:
        """openstacksdk's compute proxy; a cloud may have none.

        An older openstacksdk asks for the service as soon as it is named.
        """
        return self._connection.compute

    @property
    def network(self) -> Any:
        """openstacksdk's network proxy; a cloud may have none."""
        return self._connection.network

    @property
    def block_storage(self) -> Any:
        """openstacksdk's block storage proxy; a cloud may have none."""
        return self._connection.block_storage


def make_client(instance: Any) -> Client:
    """Return the client of ``app.client_manager.vhard``."""
    return Client(instance)


def build_option_parser(
    parser: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Add the version option that every plugin has."""
    parser.add_argument(
        "--os-vhard-api-version",
        metavar="<vhard-api-version>",
        default=utils.env("OS_VHARD_API_VERSION", default="1"),
        choices=sorted(API_VERSIONS),
        help="Version of the vhard commands; there is only 1.",
    )
    return parser

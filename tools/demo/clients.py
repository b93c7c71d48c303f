# SPDX-License-Identifier: Apache-2.0
"""The clients of the demo's users."""

from common import clients
from demo import flavors, identity

#: The network of Neutron's stand-in.
NETWORK = "3cb9bc59-5699-4588-a4b1-b87f96708bc6"


class Client(clients.Client):
    """The clients of one user.

    :param cloud: demo.cloud.Cloud
    :param user: demo.identity.User
    """

    def __init__(self, cloud, user):
        super().__init__(
            user,
            identity.PASSWORD,
            cloud.url("keystone") + "/v3",
            identity.REGION,
            cloud.place.root / "home",
        )

    def boot(
        self,
        name,
        region=identity.REGION,
        volume=None,
        flavor=flavors.TINY,
        port=None,
        **more,
    ):
        """Ask for a server, and wait until it is there or has failed.

        :param volume: id of a volume to boot from, instead of an image
        :param flavor: demo.flavors.Flavor
        :param port: id of a port, instead of a new one on the network
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
            networks=[{"port": port} if port else {"uuid": NETWORK}],
            **more,
        )
        return self.settle(server)

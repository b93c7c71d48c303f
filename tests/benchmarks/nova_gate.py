# SPDX-License-Identifier: Apache-2.0
"""Cost of the gate of the Nova API.

The method is that of ``pairs``, in one process; what a request causes in
Glance and in the stand-in for Neutron counts.  The gate passes on two kinds of
requests: GET /servers/detail of 20 servers, and an action, lock and unlock.

For POST /servers the gate needs the image and the flavor.  Nova reads them
again.  The requests of a turn follow each other, so the gate uses what it has
read some seconds ago for another request: for an image that nobody has booted
for that long, the ratio is about 1.2.  ``create_read`` is a boot with a config
drive.

Nova is its API alone, on SQLite, which oslo.db opens for each transaction.
Glance is a real one behind HTTP, the same for all; Neutron is a stand-in that
has no port.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import client, common, glance_client, nova_cloud
from tests.benchmarks.forked import NOVA_BY_TURN, PASS_ON
from tests.benchmarks.pairs import Plan, play
from tests.functional.glance import identity

PLAN = Plan(turns=30, least=8, most=40, warm_up=5)
KINDS = ("servers_detail", "action", "create", "create_read")
BARS = {
    "servers_detail_ratio": {"at_most": 1.01, "width": 0.02},
    "action_ratio": {"at_most": 1.01, "width": 0.02},
    "create_ratio": {"at_most": 1.05, "width": 0.02},
    "create_read_ratio": {"at_most": 1.06, "width": 0.02},
}

SERVER = "tests.benchmarks.nova_server"
NETWORK = "tests.benchmarks.nova_network"

_VERSION = {"OpenStack-API-Version": "compute 2.96"}
_LISTED = {
    **_VERSION,
    "X-Auth-Token": identity.token(nova_cloud.PROJECT),
}


class Side(client.Client):
    """A Nova API, with the services that it asks."""

    def __init__(self, *where: int, image: str, gated: bool) -> None:
        super().__init__(*where, gated=gated)
        self._server = {
            "name": "a server",
            "imageRef": image,
            "flavorRef": nova_cloud.FLAVOR,
            "networks": "none",
        }

    def servers_detail(self) -> float:
        """List the servers."""
        return self.measured("GET", "/v2.1/servers/detail", **_LISTED)

    def action(self) -> float:
        """Lock a server, and unlock it."""
        path = f"/v2.1/servers/{nova_cloud.ACTED_ON}/action"
        return sum(
            self.measured("POST", path, body, expect=202, **_LISTED)
            for body in (b'{"lock": null}', b'{"unlock": null}')
        )

    def create(self, **more: bool) -> float:
        """Create a server of an image."""
        body = json.dumps({"server": {**self._server, **more}}).encode()
        path = "/v2.1/servers"
        return self.measured("POST", path, body, expect=202, **_VERSION)

    def create_read(self) -> float:
        """Create one with a drive for its configuration."""
        return self.create(config_drive=True)


@contextmanager
def neighbours(
    directory: Path,
) -> Iterator[tuple[glance_client.Glance, client.Client]]:
    """Run Glance and Neutron in a directory, until the block ends."""
    with (
        glance_client.serve((directory / "glance", PASS_ON)) as (glance,),
        client.serve(NETWORK, (directory / "network", PASS_ON)) as (network,),
    ):
        yield glance, network


def make_template(directory: Path, glance: str, network: str) -> None:
    """Make the directory that each Nova API gets a copy of.

    :param glance: address of Glance
    :param network: address of Neutron
    """
    arguments = [SERVER, str(directory), glance, network]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *arguments],
        cwd=client.ROOT,
        check=True,
    )


def measure() -> common.Figures:
    """Run the servers and measure everything."""
    with (
        client.folder("nova-api") as folder,
        neighbours(folder) as (glance, network),
    ):
        image = glance.create().rpartition("/")[2]
        glance.fill(1)
        template = folder / "template"
        make_template(template, glance.url, network.url)

        @contextmanager
        def running(directory: Path) -> Iterator[list[Side]]:
            place = directory / "api"
            shutil.copytree(template, place)
            with client.serve(SERVER, (place, NOVA_BY_TURN)) as (nova,):
                where = nova.pid, nova.port, glance.pid, network.pid
                yield [
                    Side(*where, image=image, gated=gated)
                    for gated in (True, False, False)
                ]

        return play("nova-api", PLAN, KINDS, running)

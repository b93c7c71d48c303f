# SPDX-License-Identifier: Apache-2.0
"""What the gate adds to the Nova API.

The method is that of ``pairs``.  Two kinds of requests are none of the gate's
business: GET /servers/detail of 20 servers, and an action that it does not
judge, lock and unlock.

POST /servers with an image has another bar: the gate has to look up the image
and the flavor before Nova does so itself.  So ``create_ratio`` is a POST with
the gate over the sum of three requests without it: the POST, a GET of the
image from Glance, and a GET of the flavor from Nova.  In truth the image costs
the gate more than that (it is asked for through Nova's client of Glance, anew
each time) and the flavor less (it is read in-process).

Nova is its API alone, on SQLite, which oslo.db opens anew for each
transaction.  Glance is a real one behind HTTP, the same for both; Neutron is a
stand-in that has no port.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks import (
    client,
    common,
    glance_client,
    nova_cloud,
)
from tests.benchmarks.glance_client import Glance
from tests.benchmarks.pairs import Plan, Sides, play
from tests.benchmarks.pass_on import PASS_ON
from tests.functional.glance import identity
from tests.functional.nova.service import GATE

PLAN = Plan(
    ratios={
        "servers_detail": (),
        "action": (),
        "create": ("image", "flavor"),
    },
    pairs=40,
    least=10,
    most=40,
    warm_up=5,
)

SERVER = "tests.benchmarks.nova_server"
_DATABASE = "tests.benchmarks.nova_database"
NETWORK = "tests.benchmarks.nova_network"

_VERSION = {"OpenStack-API-Version": "compute 2.96"}
_LISTED = {
    **_VERSION,
    "X-Auth-Token": identity.token(nova_cloud.PROJECT),
}
_LOCK, _UNLOCK = b'{"lock": null}', b'{"unlock": null}'


class Side(client.Client):
    """A Nova API, with the Glance that it asks."""

    def __init__(self, pid: int, port: int, glance: Glance, image: str):
        super().__init__(pid, port)
        self._glance, self._image = glance, image
        server = {
            "name": "a server",
            "imageRef": image,
            "flavorRef": nova_cloud.FLAVOR,
            "networks": "none",
        }
        self._choice = json.dumps({"server": server}).encode()

    def servers_detail(self) -> float:
        """Time the list of servers."""
        return self.timed("GET", "/v2.1/servers/detail", **_LISTED)[0]

    def action(self) -> float:
        """Time a lock and an unlock."""
        path = f"/v2.1/servers/{nova_cloud.ACTED_ON}/action"
        return sum(
            self.timed("POST", path, body, expect=202, **_LISTED)[0]
            for body in (_LOCK, _UNLOCK)
        )

    def create(self) -> float:
        """Time the creation of a server of an image."""
        path = "/v2.1/servers"
        return self.timed("POST", path, self._choice, expect=202, **_VERSION)[
            0
        ]

    def image(self) -> float:
        """Time the showing of the image, which no gate of Nova's sees."""
        return self._glance.show(self._image)

    def flavor(self) -> float:
        """Time the showing of the flavor."""
        path = f"/v2.1/flavors/{nova_cloud.FLAVOR}"
        return self.timed("GET", path, **_VERSION)[0]


@contextmanager
def running(
    template: Path, glance: Glance, image: str, directory: Path
) -> Iterator[Sides]:
    """Run two new servers in a directory, until the block ends."""
    servers = [(directory / "gate", GATE), (directory / "plain", PASS_ON)]
    for place, _ in servers:
        shutil.copytree(template, place)
    with client.serve(SERVER, *servers) as found:
        yield Sides(*(Side(*one, glance, image) for one in found))


def make_template(directory: Path, glance: str, network: str) -> None:
    """Make the directory that each Nova API gets a copy of."""
    nova_cloud.write(directory, glance, network)
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", _DATABASE, str(directory)],
        cwd=client.ROOT,
        check=True,
    )


def measure() -> common.Figures:
    """Run the servers and measure everything."""
    client.CACHE.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        directory = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(
                    dir=client.CACHE, prefix="nova-api-"
                )
            )
        )
        (glance,) = stack.enter_context(
            glance_client.serve((directory / "glance" / "api", PASS_ON))
        )
        ((_, network),) = stack.enter_context(
            client.serve(NETWORK, (directory / "network" / "api", PASS_ON))
        )
        _, image = glance.create()
        glance.fill(image, 1)
        template = directory / "template"
        make_template(template, glance.url, f"http://127.0.0.1:{network}")
        return play(PLAN, partial(running, template, glance, image), directory)


def bars(figures: common.Figures) -> list[str]:
    """Name the bars that are missed."""
    return common.shortfalls(
        common.ratio_bar(
            figures, "servers_detail_ratio", at_most=1.02, width=0.02
        ),
        common.ratio_bar(figures, "action_ratio", at_most=1.02, width=0.02),
        common.ratio_bar(figures, "create_ratio", at_most=1.0, width=0.02),
    )


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure, bars))

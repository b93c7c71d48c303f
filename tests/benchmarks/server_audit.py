# SPDX-License-Identifier: Apache-2.0
"""Time and memory of an audit of 10,000 servers, compared to plain paging.

A real Nova API over HTTP on loopback has the servers, every third of which
violates the policy, of 100 images in a real Glance; Neutron is a stand-in that
has no port. ``openstack vhard server audit --all-projects`` and a loop over
openstacksdk's own pages (of the same size and microversion) go through all of
them, by the method of ``audits``.
"""

import contextlib
import io
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import glanceclient
import openstack
from keystoneauth1 import adapter, session, token_endpoint

from nova_vhard.osc import paging
from nova_vhard.osc.server import audit as server
from nova_vhard.policy import document
from tests.benchmarks import (
    audits,
    client,
    common,
    glance_client,
    image_audit,
    nova_cloud,
    nova_gate,
)
from tests.benchmarks.pass_on import PASS_ON
from tests.functional.glance import identity

MANY, FEW = 10_000, 1_000
#: Of them every third is old, as is every third server.
IMAGES = 99
TOKEN = identity.token(image_audit.PROJECT, roles="admin,member,reader")
AT_MOST = 0.6
#: What the audit asks with.
MICROVERSION = "2.98"

#: Tables of a cell that have rows of a server, by the column with its id.
_CELL = {
    "instances": "uuid",
    "instance_extra": "instance_uuid",
    "instance_info_caches": "instance_uuid",
    "instance_system_metadata": "instance_uuid",
}
_API = {"instance_mappings": "instance_uuid"}


def fill(directory: Path, first: int, last: int) -> None:
    """Put servers number first to last into Nova's databases.

    Each is a copy of the first one that is there, of an image of its own.
    """
    for name, tables in (("cell1", _CELL), ("api", _API)):
        database = sqlite3.connect(directory / f"{name}.sqlite")
        with contextlib.closing(database) as link, link:
            for table, column in tables.items():
                _copy(link, table, column, range(first, last))
            if name == "cell1":
                _set_images(link, range(first, last))


def _server_id(number: int) -> str:
    return str(uuid.UUID(int=nova_cloud.SERVERS + 1 + number))


def _image_id(number: int) -> str:
    return str(uuid.UUID(int=number % IMAGES))


def _copy(link: Any, table: str, column: str, numbers: range) -> None:
    """Copy the first server's rows in a table for each of some others."""
    described = link.execute(f"PRAGMA table_info({table})")
    names = [row[1] for row in described if row[1] != "id"]
    values = ["?" if name == column else name for name in names]
    link.executemany(
        f"INSERT INTO {table} ({', '.join(names)}) "
        f"SELECT {', '.join(values)} FROM {table} WHERE {column} = ?",
        [(_server_id(each), nova_cloud.ACTED_ON) for each in numbers],
    )


def _set_images(link: Any, numbers: range) -> None:
    """Give each server its image, and what Nova keeps of that."""
    link.executemany(
        "UPDATE instances SET image_ref = ? WHERE uuid = ?",
        [(_image_id(each), _server_id(each)) for each in numbers],
    )
    for name, value in image_audit.OLD.items():
        link.executemany(
            "UPDATE instance_system_metadata SET value = ? "
            "WHERE instance_uuid = ? AND key = ?",
            [
                (value, _server_id(each), f"image_{name}")
                for each in numbers
                if not each % image_audit.THIRD
            ],
        )


def clients(nova: str, glance: str, network: str) -> Any:
    """Return what the commands need, of servers on loopback."""
    auth = token_endpoint.Token(nova, TOKEN)
    logged_in = session.Session(auth=auth)
    connection = openstack.connection.Connection(
        session=logged_in,
        compute_endpoint_override=f"{nova}/v2.1",
        compute_default_microversion=MICROVERSION,
    )
    # The stand-in has no document of its versions, which the SDK looks for.
    ports = adapter.Adapter(logged_in, endpoint_override=network)
    images = glanceclient.Client(
        "2", session=logged_in, endpoint_override=glance
    ).images
    return SimpleNamespace(
        compute=connection.compute,
        network=ports,
        images=images,
    )


def page(vhard: Any) -> int:
    """Go through all servers and do nothing; return their number."""
    name, size = paging.LIMIT
    listed = vhard.compute.servers(all_projects=True, **{name: int(size)})
    return sum(1 for _ in listed)


def audit(vhard: Any) -> int:
    """Audit all servers; return the number of rows."""
    app = SimpleNamespace(
        client_manager=SimpleNamespace(vhard=vhard), stderr=io.StringIO()
    )
    command = server.AuditServers(app, None)
    baseline = document.shipped("baseline")
    parsed = command.get_parser("audit").parse_args(
        ["--all-projects", f"--policy={baseline}"]
    )
    _, rows = command.take_action(parsed)
    return len(list(rows))


WAYS = {audits.PAGE: page, audits.AUDIT: audit}


@contextlib.contextmanager
def cloud() -> Iterator[tuple[Path, list[str], list[int]]]:
    """Run the services.

    :returns: the directory of Nova's databases; addresses of Nova, Glance
        and Neutron; process ids of all
    """
    pids: list[int] = []
    client.CACHE.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        directory = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(dir=client.CACHE, prefix="audit-")
            )
        )

        def serve(module: str, name: str) -> str:
            place = (directory / name, PASS_ON)
            served = client.serve(module, place)
            ((pid, port),) = stack.enter_context(served)
            pids.append(pid)
            return f"http://127.0.0.1:{port}"

        glance = serve(glance_client.SERVER, "glance/api")
        image_audit.fill(directory / "glance/api/glance.sqlite", 0, IMAGES)
        network = serve(nova_gate.NETWORK, "network/api")
        home = directory / "nova/api"
        nova_gate.make_template(home, glance, network)
        nova = serve(nova_gate.SERVER, "nova/api")
        yield home, [nova, glance, network], pids


def measure() -> common.Figures:
    """Run the services and measure everything."""
    with cloud() as (home, addresses, pids):

        def go(way: str) -> audits.Took:
            return audits.run(__spec__.name, pids, way, *addresses)

        made = nova_cloud.SERVERS
        fill(home, 0, FEW - made)
        small = go(audits.AUDIT)
        fill(home, FEW - made, MANY - made)
        return audits.compare(go, small, "servers")


def bars(figures: common.Figures) -> list[str]:
    """Name the bars that are missed."""
    return audits.bars(figures, "servers", MANY, AT_MOST)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in WAYS:
        vhard = clients(*sys.argv[2:])
        audits.child(lambda: WAYS[sys.argv[1]](vhard))
    else:
        sys.exit(common.main(__doc__, measure, bars))

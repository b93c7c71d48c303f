# SPDX-License-Identifier: Apache-2.0
"""Time and memory of an audit of 10,000 servers, compared to plain paging.

A real Nova API over HTTP on loopback has the servers, every third of which
violates the policy, of 100 images in a real Glance; Neutron is a stand-in that
has no port. ``openstack vhard server audit --all-projects`` and a loop over
openstacksdk's own pages (of the same size and microversion) go through all of
them, by the method of ``audits``.
"""

import contextlib
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import glanceclient
import openstack
from keystoneauth1 import adapter, session, token_endpoint

from nova_vhard.osc import paging
from nova_vhard.osc.server import audit as server
from tests.benchmarks import (
    audits,
    client,
    common,
    image_audit,
    nova_cloud,
    nova_gate,
)
from tests.benchmarks.forked import PASS_ON
from tests.functional.glance import identity

#: Numbers of servers to add to the existing ones.
MANY, FEW = 10_000 - nova_cloud.SERVERS, 1_000 - nova_cloud.SERVERS
#: Of them every third is old, as is every third server.
IMAGES = 99
TOKEN = identity.token(image_audit.PROJECT, roles="admin,member,reader")
TURNS = 3
BARS = {
    # Measured: 0.60 to 0.64 with a control of 0.93 to 1.00. All but a
    # twentieth of it is what Nova takes for the same pages.
    "audit_ratio": {"at_most": 0.65, "width": 0.05},
    "servers": {"at_least": 10_000},
    "audit_growth_mib": {"at_most": 32},
}
#: What the audit asks with.
MICROVERSION = "2.98"

#: Database and table with rows of a server, and the column with its id.
_TABLES = (
    ("main", "instances", "uuid"),
    ("main", "instance_extra", "instance_uuid"),
    ("main", "instance_info_caches", "instance_uuid"),
    ("main", "instance_system_metadata", "instance_uuid"),
    ("api", "instance_mappings", "instance_uuid"),
)


def fill(directory: Path, first: int, last: int) -> None:
    """Put servers number first to last into Nova's databases.

    Each is a copy of the first one that is there, of an image of its own.
    """
    made = nova_cloud.SERVERS + 1
    ids = {n: str(uuid.UUID(int=made + n)) for n in range(first, last)}
    cell = sqlite3.connect(directory / "cell1.sqlite")
    with contextlib.closing(cell) as link:
        link.execute("ATTACH ? AS api", [str(directory / "api.sqlite")])
        for database, table, column in _TABLES:
            described = link.execute(
                "SELECT name FROM pragma_table_info(?, ?) WHERE name != 'id'",
                [table, database],
            )
            names = [name for (name,) in described]
            values = ["?" if each == column else each for each in names]
            link.executemany(
                f"INSERT INTO {database}.{table} ({', '.join(names)}) "
                f"SELECT {', '.join(values)} FROM {database}.{table} "
                f"WHERE {column} = ?",
                [(each, nova_cloud.ACTED_ON) for each in ids.values()],
            )
        link.executemany(
            "UPDATE instances SET image_ref = ? WHERE uuid = ?",
            [(str(uuid.UUID(int=n % IMAGES)), ids[n]) for n in ids],
        )
        link.executemany(
            "UPDATE instance_system_metadata SET value = ? "
            "WHERE instance_uuid = ? AND key = ?",
            [
                (value, ids[n], f"image_{key}")
                for n in ids
                if not n % image_audit.THIRD
                for key, value in image_audit.OLD.items()
            ],
        )
        link.commit()


def clients(nova: str, glance: str, network: str) -> dict[str, Any]:
    """Return what the commands need, of servers on loopback."""
    auth = token_endpoint.Token(nova, TOKEN)
    logged_in = session.Session(auth=auth)
    connection = openstack.connection.Connection(
        session=logged_in,
        compute_endpoint_override=f"{nova}/v2.1",
        compute_default_microversion=MICROVERSION,
    )
    images = glanceclient.Client(
        "2", session=logged_in, endpoint_override=glance
    ).images
    return {
        "compute": connection.compute,
        # It has no document of its versions, which the SDK looks for.
        "network": adapter.Adapter(logged_in, endpoint_override=network),
        "images": images,
    }


def page(vhard: dict[str, Any]) -> int:
    """Go through all servers and do nothing; return their number."""
    name, size = paging.LIMIT
    listed = vhard["compute"].servers(all_projects=True, **{name: int(size)})
    return sum(1 for _ in listed)


#: Audits all servers; returns the number of rows.
audit = partial(audits.audit, server.AuditServers, every="--all-projects")


@contextlib.contextmanager
def cloud() -> Iterator[audits.Filled]:
    """Run Nova, Glance and Neutron, until the block ends."""
    with (
        client.folder("audit") as directory,
        nova_gate.neighbours(directory) as (glance, network),
    ):
        image_audit.fill(directory / "glance/glance.sqlite", 0, IMAGES)
        home = directory / "nova"
        nova_gate.make_template(home, glance.url, network.url)
        with client.serve(nova_gate.SERVER, (home, PASS_ON)) as (nova,):
            yield partial(fill, home), [nova, glance, network]


def measure() -> common.Figures:
    """Run the services and measure everything."""
    return audits.compare(sys.modules[__name__], "servers")

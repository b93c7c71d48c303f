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

MANY, FEW = 10_000, 1_000
#: Of them every third is old, as is every third server.
IMAGES = 99
TOKEN = identity.token(image_audit.PROJECT, roles="admin,member,reader")
# Measured: 0.60 to 0.64 with a control of 0.93 to 1.00. All but a twentieth of
# it is what Nova takes for the same pages.
AT_MOST = 0.65
#: What the audit asks with.
MICROVERSION = "2.98"

#: Tables that have rows of a server, by the column with its id.
_TABLES = {
    "instances": "uuid",
    "instance_extra": "instance_uuid",
    "instance_info_caches": "instance_uuid",
    "instance_system_metadata": "instance_uuid",
    "instance_mappings": "instance_uuid",
}


def fill(directory: Path, first: int, last: int) -> None:
    """Put servers number first to last into Nova's databases.

    Each is a copy of the first one that is there, of an image of its own.
    """
    ids = [str(uuid.UUID(int=nova_cloud.SERVERS + 1 + n)) for n in range(last)]
    for table, column in _TABLES.items():
        name = "api" if table == "instance_mappings" else "cell1"
        database = sqlite3.connect(directory / f"{name}.sqlite")
        with contextlib.closing(database) as link, link:
            described = link.execute(f"PRAGMA table_info({table})")
            names = [row[1] for row in described if row[1] != "id"]
            values = ["?" if each == column else each for each in names]
            link.executemany(
                f"INSERT INTO {table} ({', '.join(names)}) "
                f"SELECT {', '.join(values)} FROM {table} WHERE {column} = ?",
                [(each, nova_cloud.ACTED_ON) for each in ids[first:]],
            )
            if table == "instances":
                link.executemany(
                    "UPDATE instances SET image_ref = ? WHERE uuid = ?",
                    [
                        (str(uuid.UUID(int=number % IMAGES)), ids[number])
                        for number in range(first, last)
                    ],
                )
            if table == "instance_system_metadata":
                link.executemany(
                    f"UPDATE {table} SET value = ? "
                    "WHERE instance_uuid = ? AND key = ?",
                    [
                        (value, ids[number], f"image_{key}")
                        for number in range(first, last)
                        if not number % image_audit.THIRD
                        for key, value in image_audit.OLD.items()
                    ],
                )


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


def audit(vhard: dict[str, Any]) -> int:
    """Audit all servers; return the number of rows."""
    return audits.rows(server.AuditServers, vhard, "--all-projects")


WAYS = {audits.PAGE: page, audits.AUDIT: audit}


@contextlib.contextmanager
def cloud() -> Iterator[tuple[Path, list[str], list[int]]]:
    """Run the services.

    :returns: the directory of Nova's databases; addresses of Nova, Glance
        and Neutron; process ids of all
    """
    with (
        client.folder("audit") as directory,
        nova_gate.neighbours(directory) as (glance, network),
    ):
        image_audit.fill(directory / "glance/api/glance.sqlite", 0, IMAGES)
        home = directory / "nova/api"
        nova_gate.make_template(home, glance.url, network.url)
        with client.serve(nova_gate.SERVER, (home, PASS_ON)) as ((pid, port),):
            nova = f"http://127.0.0.1:{port}"
            yield (
                home,
                [nova, glance.url, network.url],
                [pid, glance.pid, network.pid],
            )


def measure() -> common.Figures:
    """Run the services and measure everything."""
    with cloud() as (home, addresses, pids):
        go = partial(audits.run, __spec__.name, pids, addresses)
        made = nova_cloud.SERVERS
        put = partial(fill, home)
        return audits.compare(go, put, FEW - made, MANY - made, "servers")


def bars(figures: common.Figures) -> list[str]:
    """Name the bars that are missed."""
    return audits.bars(figures, "servers", MANY, AT_MOST)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in WAYS:
        audits.child(WAYS[sys.argv[1]], clients(*sys.argv[2:]))
    else:
        sys.exit(common.main(__doc__, measure, bars))

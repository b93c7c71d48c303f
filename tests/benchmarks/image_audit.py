# SPDX-License-Identifier: Apache-2.0
"""Time and memory of an audit of 10,000 images, compared to plain paging.

A real Glance over HTTP on loopback has the images, every third of which
violates the policy. ``openstack vhard image audit --all`` and a loop over
python-glanceclient's own pages (of the same size, and likewise over the hidden
images too) go through all of them, by the method of ``audits``.
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
from keystoneauth1 import session, token_endpoint

from nova_vhard.osc.image import audit as image
from tests.benchmarks import audits, client, common
from tests.benchmarks.forked import PASS_ON
from tests.benchmarks.glance_client import SERVER
from tests.functional.glance import identity

MANY, FEW = 10_000, 1_000
PROJECT = "0123456789abcdef0123456789abcdef"
CLEAN = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio", "os_version": "13"}
OLD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000", "os_version": "3"}
THIRD = 3
#: That of an audit.
PAGE_SIZE = 500
AT_MOST = 1.05
#: Each is short: a few would say little.
TURNS = 9

_NOW = "2026-01-01 00:00:00.000000"
_IMAGE = (
    "INSERT INTO images (id, name, status, created_at, updated_at, deleted, "
    "disk_format, container_format, owner, min_disk, min_ram, protected, "
    "visibility, os_hidden) VALUES (?, ?, 'queued', ?, ?, 0, 'raw', 'bare', "
    "?, 0, 0, 0, 'shared', 0)"
)
_PROPERTY = (
    "INSERT INTO image_properties (image_id, name, value, created_at, "
    "updated_at, deleted) VALUES (?, ?, ?, ?, ?, 0)"
)


def fill(database: Path, first: int, last: int) -> None:
    """Put images number first to last into Glance's database."""
    with contextlib.closing(sqlite3.connect(database)) as link, link:
        for number in range(first, last):
            image_id = str(uuid.UUID(int=number))
            name = f"image {number}"
            link.execute(_IMAGE, (image_id, name, _NOW, _NOW, PROJECT))
            properties = CLEAN if number % THIRD else OLD
            link.executemany(
                _PROPERTY,
                [(image_id, k, v, _NOW, _NOW) for k, v in properties.items()],
            )


def images(address: str) -> Any:
    """Return glanceclient's images of a server on loopback."""
    auth = token_endpoint.Token(address, identity.token(PROJECT))
    logged_in = session.Session(auth=auth)
    return glanceclient.Client("2", session=logged_in).images


def page(clients: Any) -> int:
    """Go through all images and do nothing; return their number."""
    return sum(
        1
        for hidden in ("false", "true")
        for _ in clients.list(
            page_size=PAGE_SIZE,
            filters={"visibility": "all", "os_hidden": hidden},
        )
    )


def audit(clients: Any) -> int:
    """Audit all images; return the number of rows."""
    return audits.rows(image.AuditImages, {"images": clients}, "--all")


WAYS = {audits.PAGE: page, audits.AUDIT: audit}


@contextlib.contextmanager
def glance() -> Iterator[tuple[int, str, Path]]:
    """Run a Glance; yield its process id, its address and its database."""
    with client.folder("audit") as directory:
        place = directory / "glance"
        with client.serve(SERVER, (place, PASS_ON)) as ((pid, port),):
            address = f"http://127.0.0.1:{port}"
            yield pid, address, place / "glance.sqlite"


def measure() -> common.Figures:
    """Run Glance and measure everything."""
    with glance() as (pid, address, database):
        go = partial(audits.run, __spec__.name, (pid,), (address,))
        put = partial(fill, database)
        return audits.compare(go, put, FEW, MANY, "images", TURNS)


def bars(figures: common.Figures) -> list[str]:
    """Name the bars that are missed."""
    return audits.bars(figures, "images", MANY, AT_MOST)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in WAYS:
        audits.child(WAYS[sys.argv[1]], images(sys.argv[2]))
    else:
        sys.exit(common.main(__doc__, measure, bars))

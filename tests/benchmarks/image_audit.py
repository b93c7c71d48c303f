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
from tests.benchmarks.glance_client import serve
from tests.functional.glance import identity

MANY, FEW = 10_000, 1_000
PROJECT = "0123456789abcdef0123456789abcdef"
CLEAN = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio", "os_version": "13"}
OLD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000", "os_version": "3"}
THIRD = 3
#: That of an audit.
PAGE_SIZE = 500
#: Each is short: a few would say little.
TURNS = 25
BARS = {
    # Measured: 1.03 twice; with 25 turns, intervals of the control are 0.05 to
    # 0.06 wide; with 15, up to 0.08.
    "audit_ratio": {"at_most": 1.08, "width": 0.08},
    "images": {"at_least": MANY},
    "audit_growth_mib": {"at_most": 32},
}

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
    ids = {n: str(uuid.UUID(int=n)) for n in range(first, last)}
    with contextlib.closing(sqlite3.connect(database)) as link, link:
        link.executemany(
            _IMAGE,
            [(ids[n], f"image {n}", _NOW, _NOW, PROJECT) for n in ids],
        )
        link.executemany(
            _PROPERTY,
            [
                (ids[n], name, value, _NOW, _NOW)
                for n in ids
                for name, value in (CLEAN if n % THIRD else OLD).items()
            ],
        )


def clients(address: str) -> dict[str, Any]:
    """Return glanceclient's images of a server on loopback."""
    auth = token_endpoint.Token(address, identity.token(PROJECT))
    logged_in = session.Session(auth=auth)
    return {"images": glanceclient.Client("2", session=logged_in).images}


def page(vhard: dict[str, Any]) -> int:
    """Go through all images and do nothing; return their number."""
    return sum(
        1
        for hidden in ("false", "true")
        for _ in vhard["images"].list(
            page_size=PAGE_SIZE,
            filters={"visibility": "all", "os_hidden": hidden},
        )
    )


#: Audits all images; returns the number of rows.
audit = partial(audits.audit, image.AuditImages, every="--all")


@contextlib.contextmanager
def cloud() -> Iterator[audits.Filled]:
    """Run a Glance, until the block ends."""
    with client.folder("audit") as home, serve((home, PASS_ON)) as glance:
        yield partial(fill, home / "glance.sqlite"), glance


def measure() -> common.Figures:
    """Run Glance and measure everything."""
    return audits.compare(sys.modules[__name__], "images")

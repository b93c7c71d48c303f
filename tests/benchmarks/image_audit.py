# SPDX-License-Identifier: Apache-2.0
"""Time and memory of an audit of 10,000 images, compared to plain paging.

A real Glance over HTTP on loopback has the images, every third of which
violates the policy. ``openstack vhard image audit --all`` and a loop over
python-glanceclient's own pages (of the same size, and likewise over the hidden
images too) go through all of them, by the method of ``audits``.
"""

import contextlib
import io
import shutil
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import glanceclient
from keystoneauth1 import session, token_endpoint

from nova_vhard.osc.image import audit as image
from nova_vhard.policy import document
from tests.benchmarks import audits, common
from tests.benchmarks.client import CACHE, serve
from tests.benchmarks.glance_client import SERVER
from tests.benchmarks.pass_on import PASS_ON
from tests.functional.glance import identity

MANY, FEW = 10_000, 1_000
PROJECT = "0123456789abcdef0123456789abcdef"
CLEAN = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio", "os_version": "13"}
OLD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000", "os_version": "3"}
THIRD = 3
#: That of an audit.
PAGE_SIZE = 500
AT_MOST = 1.05

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


def client(port: int) -> Any:
    """Return glanceclient's images of a server on loopback."""
    endpoint = f"http://127.0.0.1:{port}"
    auth = token_endpoint.Token(endpoint, identity.token(PROJECT))
    logged_in = session.Session(auth=auth)
    return glanceclient.Client("2", session=logged_in).images


def page(images: Any) -> int:
    """Go through all images and do nothing; return their number."""
    return sum(
        1
        for hidden in ("false", "true")
        for _ in images.list(
            page_size=PAGE_SIZE,
            filters={"visibility": "all", "os_hidden": hidden},
        )
    )


def audit(images: Any) -> int:
    """Audit all images; return the number of rows."""
    vhard = SimpleNamespace(images=images)
    app = SimpleNamespace(
        client_manager=SimpleNamespace(vhard=vhard), stderr=io.StringIO()
    )
    command = image.AuditImages(app, None)
    baseline = document.shipped("baseline")
    parsed = command.get_parser("audit").parse_args(
        ["--all", f"--policy={baseline}"]
    )
    _, rows = command.take_action(parsed)
    return len(list(rows))


WAYS = {audits.PAGE: page, audits.AUDIT: audit}


@contextlib.contextmanager
def glance() -> Iterator[tuple[int, int, Path]]:
    """Run a Glance; yield its process id, its port and its database."""
    CACHE.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=CACHE, prefix="audit-"))
    try:
        with serve(SERVER, (directory / "glance", PASS_ON)) as ((pid, port),):
            yield pid, port, directory / "glance" / "glance.sqlite"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def measure() -> common.Figures:
    """Run Glance and measure everything."""
    with glance() as (pid, port, database):

        def go(way: str) -> audits.Took:
            return audits.run(__spec__.name, (pid,), way, str(port))

        fill(database, 0, FEW)
        small = go(audits.AUDIT)
        fill(database, FEW, MANY)
        return audits.compare(go, small, "images")


def bars(figures: common.Figures) -> list[str]:
    """Name the bars that are missed."""
    return audits.bars(figures, "images", MANY, AT_MOST)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in WAYS:
        images = client(int(sys.argv[2]))
        audits.child(lambda: WAYS[sys.argv[1]](images))
    else:
        sys.exit(common.main(__doc__, measure, bars))

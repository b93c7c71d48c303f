# SPDX-License-Identifier: Apache-2.0
"""Glance with and without the gate, and its imports."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.functional.glance.conftest import (  # noqa: F401 - fixtures
    baseline_app,
    directory,
    gated,
    plain,
    plain_app,
)
from tests.functional.glance.wire import User, Wire

SECONDS = 30
BEGIN_SECONDS, TRIES = 5, 5
POLLS_A_SECOND = 10

Import = Callable[[User, Sequence[str]], tuple[dict[str, Any], str]]


@pytest.fixture(scope="package", autouse=True)
def readers_and_writers(directory: Path) -> None:  # noqa: F811
    """Let the import task's thread write while a test reads."""
    with sqlite3.connect(directory / "glance.sqlite") as database:
        database.execute("PRAGMA journal_mode=WAL")
    database.close()


@pytest.fixture
def import_task(plain: User) -> Iterator[Import]:  # noqa: F811
    """Give a function: import an image of a user's with these plugins.

    The image asks for nothing; ``inject_image_metadata`` adds IDE.  The
    function returns the image at the end, and its task's message.
    """
    # what registers the options
    from glance.async_.flows import api_image_import  # noqa: F401
    from glance.async_.flows.plugins import inject_image_metadata  # noqa: F401
    from oslo_config import cfg

    cfg.CONF.set_override(
        "inject", {"hw_disk_bus": "ide"}, "inject_metadata_properties"
    )

    def run(user: User, plugins: Sequence[str]) -> tuple[dict[str, Any], str]:
        cfg.CONF.set_override(
            "image_import_plugins", list(plugins), "image_import_opts"
        )
        for _ in range(TRIES):
            image = user.create(container_format="bare", disk_format="raw")
            ended = _imported(user, plain, image.json["id"])
            if ended is not None:
                return ended
        raise AssertionError("no import task has begun")

    yield run
    cfg.CONF.clear_override("inject", "inject_metadata_properties")
    cfg.CONF.clear_override("image_import_plugins", "image_import_opts")


def _imported(
    user: User,
    reader: User,
    image: str,
) -> tuple[dict[str, Any], str] | None:
    """Import an image; return it at the end, and its task's message.

    The request and its task write at the same time. SQLite may then refuse
    the task's very first write, which Glance does not try again: the task is
    never begun, and nothing of it ever runs. None then.
    """
    path = f"/v2/images/{image}"
    stage = Wire(
        "PUT",
        f"{path}/stage",
        b"data",
        content_type="application/octet-stream",
    )
    assert user.send(stage).status_int == 204
    body = b'{"method": {"name": "glance-direct"}}'
    response = user.send(Wire("POST", f"{path}/import", body))
    assert response.status_int == 202, response.text
    begin = time.monotonic()
    for _ in range(SECONDS * POLLS_A_SECOND):
        (task,) = reader.send(Wire("GET", f"{path}/tasks")).json["tasks"]
        if task["status"] in ("success", "failure"):
            return reader.image(image), task["message"]
        late = time.monotonic() - begin > BEGIN_SECONDS
        if task["status"] == "pending" and late:
            return None
        time.sleep(1 / POLLS_A_SECOND)
    raise AssertionError(task)

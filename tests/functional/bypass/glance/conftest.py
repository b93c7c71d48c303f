# SPDX-License-Identifier: Apache-2.0
"""Glance with and without the gate, and its imports."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.functional.glance.conftest import (  # noqa: F401 - fixtures
    baseline_app,
    directory,
    gated,
    override,
    plain,
    plain_app,
)
from tests.functional.glance.wire import User, Wire

Import = Callable[[User, Sequence[str]], tuple[dict[str, Any], str]]


@pytest.fixture
def import_task(
    plain: User,  # noqa: F811 - fixture
    override: Callable[..., None],  # noqa: F811 - fixture
    monkeypatch: pytest.MonkeyPatch,
) -> Import:
    """Give a function: import an image of a user's with these plugins.

    The image asks for nothing; ``inject_image_metadata`` adds IDE.  The
    function returns the image at the end, and its task's message.
    """
    # what registers the options
    from glance.api import common
    from glance.async_ import taskflow_executor  # noqa: F401
    from glance.async_.flows import api_image_import  # noqa: F401
    from glance.async_.flows.plugins import inject_image_metadata  # noqa: F401

    # The task runs after the request, in this thread: two that write at the
    # same time disturb each other in SQLite.
    spawned: list[tuple[Any, Any]] = []
    pool = SimpleNamespace(spawn=lambda *task: spawned.append(task))
    monkeypatch.setattr(common, "get_thread_pool", lambda *_, **__: pool)
    override("engine_mode", "serial", "taskflow_executor")
    properties = {"hw_disk_bus": "ide"}
    override("inject", properties, "inject_metadata_properties")

    def run(user: User, plugins: Sequence[str]) -> tuple[dict[str, Any], str]:
        override("image_import_plugins", list(plugins), "image_import_opts")
        made = user.create(container_format="bare", disk_format="raw")
        path = f"/v2/images/{made.json['id']}"
        kind = {"content_type": "application/octet-stream"}
        stage = Wire("PUT", f"{path}/stage", b"data", **kind)
        assert user.send(stage).status_int == 204
        body = b'{"method": {"name": "glance-direct"}}'
        response = user.send(Wire("POST", f"{path}/import", body))
        assert response.status_int == 202, response.text
        ((task, executor),) = spawned
        task(executor)
        (shown,) = plain.send(Wire("GET", f"{path}/tasks")).json["tasks"]
        return plain.image(made.json["id"]), shown["message"]

    return run

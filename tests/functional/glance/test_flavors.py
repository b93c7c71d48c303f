# SPDX-License-Identifier: Apache-2.0
"""The gate works in every pipeline of Glance's that knows users.

The others have none who may create an image.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.glance import service
from tests.functional.glance.wire import User, Wire, add, message

FLAVORS = ["keystone", "keystone+caching", "keystone+cachemanagement"]


@pytest.fixture(params=FLAVORS)
def app(
    request: pytest.FixtureRequest, directory: Path, tmp_path: Path
) -> Iterator[Any]:
    """Give Glance with the gate, in one of the pipelines."""
    from oslo_config import cfg

    cfg.CONF.set_override("flavor", request.param, "paste_deploy")
    if "cach" in request.param:
        cfg.CONF.set_override("image_cache_dir", str(tmp_path / "cache"))
        cfg.CONF.set_override("image_cache_driver", "sqlite")
    yield service.load(directory / "glance-api-paste.ini")
    cfg.CONF.clear_override("flavor", "paste_deploy")
    cfg.CONF.clear_override("image_cache_dir")
    cfg.CONF.clear_override("image_cache_driver")


def test_it_judges_and_data_goes_in_and_out(app: Any, plain: User) -> None:
    # given
    user = plain.of(app)
    image = user.create(disk_format="raw", container_format="bare").json
    to_ide = add("/hw_disk_bus", "ide")
    # then
    assert message(user.create(hw_disk_bus="ide"))
    assert message(user.update(image["id"], to_ide))
    assert user.image(image["id"]) == image
    # when
    path = f"/v2/images/{image['id']}/file"
    data = b"0123456789" * 1000
    put = user.send(Wire("PUT", path, data, "application/octet-stream"))
    # then
    assert put.status_int == 204
    for _ in range(2):  # the second time from the cache, where there is one
        assert user.send(Wire("GET", path)).body == data
    # and a cached image is judged like any other
    assert message(user.update(image["id"], to_ide))

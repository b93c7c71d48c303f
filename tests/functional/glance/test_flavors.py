# SPDX-License-Identifier: Apache-2.0
"""The gate works in every pipeline of Glance's that knows users.

The others have none who may create an image.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.glance import service
from tests.functional.glance.wire import User, Wire, add, message


@pytest.mark.parametrize(
    "flavor", ["keystone", "keystone+caching", "keystone+cachemanagement"]
)
def test_it_judges_and_data_goes_in_and_out(
    directory: Path,
    tmp_path: Path,
    plain: User,
    override: Callable[..., None],
    flavor: str,
) -> None:
    # given
    override("flavor", flavor, "paste_deploy")
    if "cach" in flavor:
        override("image_cache_dir", str(tmp_path / "cache"))
        override("image_cache_driver", "sqlite")
    user = plain.of(service.load(directory / "glance-api-paste.ini"))
    image = user.create(disk_format="raw", container_format="bare").json
    to_ide = add("/hw_disk_bus", "ide")
    # then
    assert message(user.create(hw_disk_bus="ide"))
    assert message(user.update(image["id"], to_ide))
    assert user.image(image["id"]) == image
    # when
    data = b"0123456789" * 1000
    path = user.upload(image["id"], data)
    # then
    for _ in range(2):  # the second time from the cache, where there is one
        assert user.send(Wire("GET", path)).body == data
    # and a cached image is judged like any other
    assert message(user.update(image["id"], to_ide))

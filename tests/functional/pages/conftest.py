# SPDX-License-Identifier: Apache-2.0
"""The demo's cloud, in the state that the README tells of."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests import services
from tests.unit.docs import PASSTHROUGH, blocks

# As the fixtures of Nova want it; other tests may import Nova later.
os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "1")


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory in which somebody types."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Give the demo's cloud, with the servers that the README shows."""
    for name in ("nova", "glance", "placement", "waitress"):
        pytest.importorskip(name)
    services.skip_before(services.THREADS, "fixtures that the demo is made of")
    from cloud import small
    from story import stage

    home = tmp_path_factory.mktemp("demo")
    with (
        mock.patch.dict(os.environ),
        small.running(home, True, print) as running,
    ):
        scene = stage.Stage(running)
        _play(scene)
        yield scene


def _play(scene: Any) -> None:
    """Create the images, servers and reports that the README describes."""
    from cloud import machines
    from story import reporters

    clean = scene.member.upload(
        "clean", hw_disk_bus="virtio", hw_vif_model="virtio"
    )
    scene.policy(blocks(PASSTHROUGH, "yaml")[0])
    server = scene.member.boot(
        "with-a-port", port=machines.SRIOV_PORT, image_id=clean.id
    )
    assert server.status == "ERROR", server
    reporters.report(scene.facts, machines.PROVEN, machines.UNPROVEN)

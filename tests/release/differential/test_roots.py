# SPDX-License-Identifier: Apache-2.0
"""The metadata that is judged of a root device is what Nova takes.

Each example is the body of a boot. Nova's own controller and compute API look
up what its root is made of; the gate does, through its router and look-ups.
"""

import json
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from nova import objects
from nova.api.openstack.compute import servers
from nova.compute import api

from nova_vhard.gates.nova_router import NotAccepted
from nova_vhard.policy.hardware import VOLUME
from nova_vhard.request.lookups import Image, NotFound
from nova_vhard.request.nova_api import section
from tests import seeds
from tests.fuzz.service import environment
from tests.release.differential import nova_api, nova_host, roots
from tests.release.differential.nova_api import NovaApi, Reached

TRIED: Counter[str] = Counter()

#: The last one in which a boot need not say anything of networks.
_VERSION = "compute 2.36"


class Boots(NovaApi):
    """Nova's API, in which a boot raises the source of its devices.

    :param cloud: objects that it looks up
    :ivar looked_up: whether the last boot has come as far as looking
    """

    def __init__(self, patch: pytest.MonkeyPatch, cloud: Any) -> None:
        super().__init__(patch)
        self.looked_up = False
        for _, controller, _ in self.resources():
            if isinstance(controller, servers.ServersController):
                patch.setattr(controller, "compute_api", self._compute(cloud))
        flavor = mock.Mock(return_value=SimpleNamespace(extra_specs={}))
        patch.setattr(servers.flavors, "get_flavor_by_flavor_id", flavor)
        patch.setattr(
            objects.service, "get_minimum_version_all_cells", lambda *_: 99
        )

    def _compute(self, cloud: Any) -> Any:
        """Return Nova's own compute API, on these images and volumes."""
        result: Any = object.__new__(api.API)
        result.image_api, result.volume_api = cloud.glance, cloud.cinder

        def create(*arguments: Any, **more: Any) -> Any:
            self.looked_up = True
            return api.API.create(result, *arguments, **more)

        def taken(image: Any = None, **_: Any) -> None:
            raise Reached("create", image)

        result.create, result._check_auto_disk_config = create, taken
        return result

    def taken(self, environ: dict[str, Any], legacy: bool) -> Any:
        """Return the metadata that Nova takes; None where it refuses."""
        self.looked_up = False
        try:
            self.status(environ, legacy)
        except Reached as reached:
            return reached.reached
        return None


@pytest.fixture(scope="module")
def nova() -> Iterator[Boots]:
    """Give Nova's API before the objects of this test."""
    with nova_host.nova_at_rest(), pytest.MonkeyPatch.context() as patch:
        yield Boots(patch, roots.CLOUD)


def judged(nova: Boots, environ: Any, legacy: bool) -> Any:
    """Return what the gate judges; None where Nova will refuse."""
    try:
        call = nova.routers[legacy].call(environ)
        assert call is not None
        body = call.body()
        with roots.CLOUD.lookups(environ["nova.context"]) as find:
            return find.boot_image(section(body, "server"))
    except (NotAccepted, NotFound):
        return None


def check(result: Any, image: Image | None, looked_up: bool) -> None:
    """Compare the two; what Nova does not even look up may be judged."""
    if result is None:
        assert image is None or not looked_up
        return
    assert image is not None
    stated = result.get("properties", {})
    assert {**image.properties, **stated} == image.properties, (image, result)
    if image.origin == VOLUME:
        assert image.properties == stated
    assert image.disk_format == result.get("disk_format")
    if "volume" in image.properties:
        assert image.origin == VOLUME
        assert image.holder.id == image.properties["volume"]
    elif "image" in image.properties:
        assert image.holder.id == image.properties["image"]


def environ_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return the request of a boot."""
    raw = json.dumps(body).encode()
    environ = environment("POST", "/servers", raw, "application/json")
    environ["HTTP_OPENSTACK_API_VERSION"] = _VERSION
    return nova_api.sent(environ, raw)


def test_search_of_roots(nova: Boots) -> None:
    """Roots: the metadata that Nova takes is what is judged.

    Nova must accept many of the examples, or the test proves nothing.
    """

    @seeds.searched(roots.bodies(), 300)
    def search(body: dict[str, Any]) -> None:
        TRIED["examples"] += 1
        for legacy in (False, True):
            result = nova.taken(environ_of(body), legacy)
            check(
                result, judged(nova, environ_of(body), legacy), nova.looked_up
            )
            TRIED["not there"] += result is None and nova.looked_up
            for name in (result or {}).get("properties", {}):
                TRIED[name] += 1

    search()
    print(TRIED)
    tried = TRIED["examples"]
    assert TRIED["volume"] > tried / 20, TRIED
    assert TRIED["image"] > tried / 10, TRIED
    assert TRIED["not there"] > tried / 50, TRIED

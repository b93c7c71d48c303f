# SPDX-License-Identifier: Apache-2.0
"""The metadata that is judged of a root device is what Nova takes.

Each example is the body of a boot. Nova's own controller and compute API look
up what its root is made of; the gate does, through its router and look-ups.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from nova_vhard.gates import nova_create
from nova_vhard.gates.nova_router import NotAccepted
from nova_vhard.policy.hardware import VOLUME
from nova_vhard.request.lookups import Image, NotFound
from nova_vhard.request.nova_api import section
from tests import seeds
from tests.fuzz.service import environment, sent
from tests.release.differential import nova_api, nova_host, root_objects, roots
from tests.release.differential.nova_boots import Boots

TRIED: Counter[str] = Counter()

#: The last one in which a boot need not say anything of networks.
_VERSION = "compute 2.36"


@pytest.fixture(scope="module")
def nova() -> Iterator[Boots]:
    """Give Nova's API before the objects of this test."""
    with nova_host.nova_at_rest(), pytest.MonkeyPatch.context() as patch:
        yield Boots(patch, root_objects.CLOUD)


def judged(nova: Boots, environ: Any, legacy: bool) -> Any:
    """Return what the gate judges; None where Nova will refuse."""
    try:
        call = nova.routers[legacy].call(environ)
        assert call is not None
        body = call.body()
        nova_create.check(call.request, body)
        with root_objects.CLOUD.lookups(environ["nova.context"]) as find:
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
    environ["nova.context"] = nova_api.user()
    return sent(environ, raw)


def search_in(nova: Boots) -> None:
    """Search with both of Nova's APIs."""

    @seeds.searched(roots.bodies(), 300)
    def search(body: dict[str, Any]) -> None:
        TRIED["examples"] += 1
        for legacy in (False, True):
            result = nova.taken(environ_of(body), legacy)
            image = judged(nova, environ_of(body), legacy)
            check(result, image, nova.looked_up)
            TRIED["not there"] += result is None and nova.looked_up
            for name in (result or {}).get("properties", {}):
                TRIED[name] += 1

    search()


def test_search_of_roots(nova: Boots) -> None:
    """Roots: the metadata that Nova takes is what is judged.

    Many of what is generated must be taken, or nothing is proven.
    """
    search_in(nova)
    print(TRIED)
    tried = TRIED["examples"]
    assert TRIED["volume"] > tried / 20, TRIED
    assert TRIED["image"] > tried / 10, TRIED
    assert TRIED["not there"] > tried / 50, TRIED


@pytest.mark.parametrize(
    "entry",
    [
        {"uuid": root_objects.VOLUMES[0], "boot_index": 0},
        {"source_type": "volume", "uuid": root_objects.ODD, "boot_index": 0},
    ],
)
def test_what_nova_fails_at_is_no_fault_of_the_gates(
    nova: Boots, entry: dict[str, Any]
) -> None:
    entry = {"destination_type": "volume", **entry}
    server = {"name": "server", "flavorRef": "1"}
    body = {"server": {**server, "block_device_mapping_v2": [entry]}}
    assert nova.status(environ_of(body), False) == 500
    assert judged(nova, environ_of(body), False) is None

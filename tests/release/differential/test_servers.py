# SPDX-License-Identifier: Apache-2.0
"""The gate judges an existing server by the devices that Nova gives it.

Each example is a server that Nova's own code booted, with the images as they
are some time later. The gate reads a reboot, a rebuild, an unshelving or a
rescue of it through its own look-ups; Nova's driver generates the guest.
"""

from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from nova import context
from nova.compute import vm_states

from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.request.lookups import Lookups, NotFound
from nova_vhard.request.nova_api import ServerReader
from tests import seeds
from tests.release.differential import nova_booted, nova_servers, servers
from tests.release.differential.compare import check, needs_controller
from tests.release.differential.nova_servers import ExistingServer
from tests.release.differential.values import (
    IMAGE,
    OTHER_IMAGE,
    SNAPSHOT_IMAGE,
)

TRIED: Counter[str] = Counter()

_USER = SimpleNamespace(
    project_id="project", project_domain_id="default", roles=("member",)
)


@pytest.fixture(scope="module", autouse=True)
def nova(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let Nova's code run without Nova's services."""
    with nova_booted.nova_at_rest(tmp_path_factory.mktemp("instances")):
        yield


def asked_for(result: ExistingServer) -> HardwareRequest:
    """Read an operation as the gate of the Nova API does."""
    server = result.server
    instance = result.instance.obj_clone()
    if server.operation == servers.UNSHELVE and not server.volume_backed:
        instance.vm_state = vm_states.SHELVED_OFFLOADED
        instance.system_metadata |= {"shelved_image_id": SNAPSHOT_IMAGE}
    user = context.RequestContext("user", "project")
    with server.cloud.lookups(user, instance, result.bdms) as find:
        return _read(server, ServerReader(find, _USER), find)


def _read(
    server: servers.Server, reader: ServerReader, find: Lookups
) -> HardwareRequest:
    if server.operation == servers.RESCUE:
        body = {"rescue": {"rescue_image_ref": server.rescue_image}}
        return reader.rescue(IMAGE, body).hardware
    if server.operation == servers.UNSHELVE:
        request = reader.unshelve(IMAGE, {"unshelve": None})
        if request is not None:
            return request.hardware
    rebuilt = reader.rebuild(IMAGE, {"rebuild": {"imageRef": OTHER_IMAGE}})
    if server.operation == servers.REBUILD:
        return rebuilt.hardware
    (existing,) = rebuilt.existing
    return existing


@seeds.searched(servers.servers(), 400)
def search(server: servers.Server) -> None:
    TRIED["examples"] += 1
    result = nova_servers.existing(server)
    if result is None:
        TRIED["not booted"] += 1
        return
    try:
        request = asked_for(result)
    except NotFound:
        # a volume, and no image to rescue it with
        TRIED["refused"] += 1
        assert nova_servers.made(result) is None
        return
    made = nova_servers.made(result)
    if made is None or request.faults:
        TRIED["refused"] += 1
        assert made is None or not request.devices
        return
    TRIED["made"] += 1
    TRIED[server.operation] += 1
    TRIED["stable"] += result.stable
    TRIED["on a volume"] += server.volume_backed
    TRIED["on scsi"] += needs_controller(made)
    check(result, request, made)


def test_search_of_servers() -> None:
    """Servers: what they keep, and what another image gives them, is judged.

    Many of what is generated must be made by Nova, or nothing is proven.
    """
    search()
    print(TRIED)
    made = TRIED["made"]
    assert made > TRIED["examples"] / 4, TRIED
    for name in ("rebuild", "rescue", "stable", "on a volume", "on scsi"):
        assert TRIED[name] > made / 30, TRIED

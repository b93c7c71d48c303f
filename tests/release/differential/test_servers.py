# SPDX-License-Identifier: Apache-2.0
"""The gate judges an existing server by the devices that Nova gives it.

Each example is a server that Nova's own code booted, with the images as they
are some time later. The gate reads a reboot, a rebuild, an unshelving or a
rescue of it through its own look-ups; Nova's driver generates the guest.
"""

from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from nova import context
from nova.compute import vm_states

from nova_vhard.policy.defaults import implied
from nova_vhard.policy.hardware import NEW_DISK, SERVER, HardwareRequest
from nova_vhard.request.lookups import NotFound
from nova_vhard.request.nova_api import ServerReader
from tests import seeds
from tests.release.differential import nova_servers as servers
from tests.release.differential.compare import (
    check_defaults,
    check_given,
    judged,
)
from tests.release.differential.values import (
    IMAGE,
    OTHER_IMAGE,
    SNAPSHOT_IMAGE,
)

TRIED: Counter[str] = Counter()
_TYPE = {"cdrom_bus": ("cdrom",), "floppy_bus": ("floppy",)}

_USER = SimpleNamespace(
    project_id="project", project_domain_id="default", roles=("member",)
)


@pytest.fixture(scope="module", autouse=True)
def nova(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let Nova's code run without Nova's services."""
    with servers.nova_at_rest(tmp_path_factory.mktemp("instances")):
        yield


def asked_for(result: servers.ExistingServer) -> HardwareRequest:
    """Read an operation as the gate of the Nova API does."""
    server = result.server
    instance = result.instance.obj_clone()
    if server.operation == servers.UNSHELVE and not server.volume_backed:
        instance.vm_state = vm_states.SHELVED_OFFLOADED
        instance.system_metadata |= {"shelved_image_id": SNAPSHOT_IMAGE}
    with server.cloud.lookups(
        context.RequestContext("user", "project"), instance, result.bdms
    ) as find:
        reader = ServerReader(find, _USER)
        if server.operation == servers.RESCUE:
            return reader.rescue(
                IMAGE, {"rescue": {"rescue_image_ref": server.rescue_image}}
            ).hardware
        if server.operation == servers.UNSHELVE:
            request = reader.unshelve(IMAGE, {"unshelve": None})
            if request is not None:
                return request.hardware
        rebuilt = reader.rebuild(IMAGE, {"rebuild": {"imageRef": OTHER_IMAGE}})
        if server.operation == servers.REBUILD:
            return rebuilt.hardware
        (existing,) = rebuilt.existing
        return existing


def check(
    result: servers.ExistingServer,
    request: HardwareRequest,
    made: servers.Made,
) -> None:
    """Compare the devices that are judged with those that Nova makes."""
    # A volume that is not connected yet may be when the guest is rescued.
    settled = (
        result.server.connected or result.server.operation != servers.RESCUE
    )
    disks = made.buses.get("disk", set()) | made.buses.get("lun", set())
    on_disks = made.given["disk_bus"] & disks if settled else set()
    check_given({**made.given, "disk_bus": on_disks}, request, result.host)
    # A CD-ROM or floppy on the disks' bus has its own choice if Nova kept it.
    seen = judged(request, result.host)
    known = set().union(
        *(seen.get(kind, set()) for kind in ("disk_bus", *_TYPE))
    )
    others = made.given["disk_bus"] - disks
    assert others <= known or None in known, (others, seen)
    check_defaults(made.picked, request, result.host)
    check_controller(result, request, made)
    if settled:
        for wish in request.choices:
            # The disk that may come is judged whether it comes or not.
            came = wish.device == NEW_DISK and result.server.attached
            if wish.origin == SERVER or came:
                check_kept(wish, made)
    check_rescue_disk(result, request, made)


def needs_controller(made: servers.Made) -> bool:
    """Return whether a device is on a SCSI bus.

    libvirt takes a floppy on no bus but its own.
    """
    devices = [(kind, bus) for kind in made.buses for bus in made.buses[kind]]
    devices += [made.rescue_disk] if made.rescue_disk else []
    return any(bus == "scsi" and kind != "floppy" for kind, bus in devices)


def check_controller(
    result: servers.ExistingServer,
    request: HardwareRequest,
    made: servers.Made,
) -> None:
    """Check the controller of a SCSI bus: the image's, or libvirt's own."""
    if not needs_controller(made):
        return
    controller = result.driver._get_scsi_controller(result.meta)
    if controller is not None:
        assert controller.model in judged(request, result.host)["scsi_model"]
        return
    # libvirt's own choice, which Nova does not know
    chosen = [
        wish
        for wish in implied(request, result.host)
        if wish.kind == "scsi_model"
    ]
    assert chosen, (request, made)


def check_kept(wish: Any, made: servers.Made) -> None:
    """Check that Nova gives a device that the server is judged to keep."""
    if wish.kind == "device_type":
        assert wish.value in made.buses, (wish, made)
        return
    types = _TYPE.get(wish.kind, ("disk", "lun"))
    buses = set().union(*(made.buses.get(kind, set()) for kind in types))
    assert wish.value in buses, (wish, made)


def check_rescue_disk(
    result: servers.ExistingServer,
    request: HardwareRequest,
    made: servers.Made,
) -> None:
    """Check the one disk that a stable rescue plugs in."""
    disk = request.rescue_disk
    assert (disk is None) == (made.rescue_disk is None)
    if disk is None:
        return
    assert disk.only is not None
    kind, bus = made.rescue_disk
    seen = judged(disk, result.host)
    types = seen.get("rescue_device", {"disk"})
    buses = set().union(
        *(
            values
            for name, values in seen.items()
            if name in disk.only and name != "rescue_device"
        )
    )
    assert types == {kind}, (types, made)
    assert buses == {bus} or (disk.os_distro and None in buses), (buses, made)


@seeds.searched(servers.servers(), 400)
def search(server: servers.Server) -> None:
    TRIED["examples"] += 1
    result = servers.existing(server)
    if result is None:
        TRIED["not booted"] += 1
        return
    try:
        request = asked_for(result)
    except NotFound:
        # a volume, and no image to rescue it with
        TRIED["refused"] += 1
        assert servers.made(result) is None
        return
    made = servers.made(result)
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

# SPDX-License-Identifier: Apache-2.0
"""Comparison of the gate's view of an existing server with Nova's."""

from typing import Any

from nova_vhard.policy.defaults import implied, names_of, with_assumed
from nova_vhard.policy.hardware import NEW_DISK, SERVER, HardwareRequest
from tests.release.differential import servers
from tests.release.differential.nova_servers import ExistingServer, Made

_TYPE = {"cdrom_bus": ("cdrom",), "floppy_bus": ("floppy",)}


#: What libosinfo picks, and nobody knows here.
UNKNOWN = {"disk_bus", "vif_model"}

#: What is judged where the flavor is known.
BY_FLAVOR = {"rng", "rng_model"}

#: What libvirt or QEMU picks, which Nova does not know.
NOT_NOVAS = {"pmu", "scsi_model", "usb_model"}

Given = dict[str, set[str]]


def judged(request: HardwareRequest, host: Any) -> dict[str, set[Any]]:
    """Return every value that a policy would judge, by kind."""
    request = with_assumed(request, host)
    result: dict[str, set[Any]] = {}
    for wish in (*request.choices, *implied(request, host)):
        if names_of(wish, request):
            result.setdefault(wish.kind, set()).add(wish.value)
    return result


def check_given(given: Given, request: HardwareRequest, host: Any) -> None:
    """Check that whatever Nova gives is judged."""
    seen = judged(request, host)
    unread = set() if request.has_flavor else BY_FLAVOR
    for kind in given.keys() - unread:
        values = given[kind]
        known = seen.get(kind, set())
        if None in known and values != {None}:
            # what libosinfo picks, and nothing else, may be unknown
            assert kind in UNKNOWN, (kind, values, known)
            assert request.os_distro, (kind, values, known)
            continue
        assert values <= known, (kind, values, known)


def check_defaults(picked: Given, request: HardwareRequest, host: Any) -> None:
    """Check that what is taken for a default is what Nova picks."""
    for wish in implied(with_assumed(request, host), host):
        if wish.value is not None and wish.kind not in NOT_NOVAS:
            assert wish.value in picked[wish.kind], (wish, picked)


def check(
    result: ExistingServer, request: HardwareRequest, made: Made
) -> None:
    """Compare what is judged with what Nova makes."""
    # A volume that is not connected yet may be when the guest is rescued.
    rescue = result.server.operation == servers.RESCUE
    settled = result.server.connected or not rescue
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


def needs_controller(made: Made) -> bool:
    """Return whether a device is on a SCSI bus.

    libvirt takes a floppy on no bus but its own.
    """
    devices = [(kind, bus) for kind in made.buses for bus in made.buses[kind]]
    devices += [made.rescue_disk] if made.rescue_disk else []
    return any(bus == "scsi" and kind != "floppy" for kind, bus in devices)


def check_controller(
    result: ExistingServer, request: HardwareRequest, made: Made
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


def check_kept(wish: Any, made: Made) -> None:
    """Check that Nova gives what the server is judged to keep."""
    if wish.kind == "device_type":
        assert wish.value in made.buses, (wish, made)
        return
    types = _TYPE.get(wish.kind, ("disk", "lun"))
    buses = set().union(*(made.buses.get(kind, set()) for kind in types))
    assert wish.value in buses, (wish, made)


def check_rescue_disk(
    result: ExistingServer, request: HardwareRequest, made: Made
) -> None:
    """Check the one disk that a stable rescue plugs in."""
    disk = request.rescue_disk
    if made.rescue_disk is None:
        assert disk is None
        return
    assert disk is not None
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

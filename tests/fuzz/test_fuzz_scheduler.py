# SPDX-License-Identifier: Apache-2.0
"""Odd requests to the scheduler's gate.

What reaches the scheduler has been through Nova's objects: what they do not
take cannot arrive.
"""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from nova import context, exception, objects

from nova_vhard.gates import http, posture_filter, scheduler
from nova_vhard.placement.client import PlacementError
from tests import seeds
from tests.functional.nova.stored import Stored, build_request
from tests.fuzz.mutate import Mutator, patience, tried
from tests.fuzz.odd import TEXTS

INPUTS = seeds.fuzz_inputs(1_000)
#: What is left of a fault's 255 bytes behind Nova's own words.
FAULT = 230
#: In the reason where the gate itself has failed.
OUR_FAULT = http.fault_text(None)[:70]
UUID = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
PROPERTIES = {
    "hw_disk_bus": "ide",
    "hw_vif_model": "virtio",
    "hw_machine_type": "pc",
    "hw_architecture": "x86_64",
    "hw_emulation_architecture": "aarch64",
    "os_distro": "windows",
    "img_config_drive": "mandatory",
    "hw_cdrom_bus": "sata",
}
MAPPING = [{"device_type": "cdrom"}, {"disk_bus": "ide"}]
SPECS = {
    "hw:usb_model": "none",
    "pci_passthrough:alias": "gpu:1,net:2",
    "accel:device_profile": "fpga",
    "resources1:CUSTOM_GPU": "1",
    "resources:VGPU": "1",
    "vhard:require": "iommu, kernel_aslr",
    "hw:redirected_usb_ports": "3",
    "hw:sound_model": "sb16",
}
PORT = {"physical_network": "net", "dev_type": "type-PF"}
#: Fields of a block device, which Nova keeps as the user has sent them.
DISK = {
    "source_type": ("image", "volume", "snapshot", "blank", None),
    "destination_type": ("local", "volume", None),
    "device_type": ("disk", "cdrom", "floppy", "lun", None, *TEXTS),
    "disk_bus": ("ide", "virtio", "scsi", None, *TEXTS),
    "boot_index": (0, 1, -1, None),
    "device_name": ("/dev/vda", "sda", "fda", None, *TEXTS),
    "guest_format": ("swap", None),
    "image_id": (UUID, None),
    "volume_id": (UUID, None),
}


#: What Nova's objects raise for what they do not take.
NOT_TAKEN = (ValueError, TypeError, AttributeError, exception.NovaException)


class NoPlacement:
    """A Placement that nobody reaches."""

    def __init__(self, *_: Any) -> None:
        raise PlacementError("no route to host")


def _image(mutator: Mutator) -> Any:
    properties = mutator.mapping(PROPERTIES, 1)
    if mutator.chance(0.2):
        properties["img_block_device_mapping"] = mutator.tree(MAPPING)
    if mutator.chance(0.1):
        properties["block_device_mapping"] = json.dumps(mutator.tree(MAPPING))
    meta: dict[str, Any] = {"properties": properties}
    if mutator.chance(0.8):
        meta |= {"id": UUID, "disk_format": mutator.one_of(("raw", "iso"))}
    return objects.ImageMeta.from_dict(meta)


def _requests(mutator: Mutator) -> objects.InstancePCIRequests:
    spec = {**PORT, "remote_managed": mutator.one_of(TEXTS)}
    result = [
        objects.InstancePCIRequest(
            count=mutator.one_of((0, 1, 2**31)),
            alias_name=mutator.one_of((None, "gpu", *TEXTS)),
            requester_id=mutator.one_of((None, UUID, *TEXTS)),
            spec=mutator.one_of(([spec], [], [{}])),
        )
        for _ in range(mutator.random.randint(0, 2))
    ]
    return objects.InstancePCIRequests(requests=result, instance_uuid=UUID)


def spec_of(mutator: Mutator) -> objects.RequestSpec:
    """Return an odd request.

    :raises ValueError: and others, if Nova's objects do not take it
    """
    more: dict[str, Any] = {}
    if mutator.chance(0.3):
        more["requested_destination"] = objects.Destination(
            cell=mutator.one_of((objects.CellMapping(), None))
        )
    if mutator.chance(0.2):
        more["requested_resources"] = [
            objects.RequestGroup(requester_id=mutator.one_of(TEXTS))
        ]
    if mutator.chance(0.2):
        more["scheduler_hints"] = {"_nova_check_type": ["rebuild"]}
    flavor = objects.Flavor(name="f", flavorid=mutator.one_of(("1", *TEXTS)))
    if mutator.chance(0.9):
        flavor.extra_specs = mutator.texts(SPECS)
    return objects.RequestSpec(
        context.RequestContext(
            "user", "project", roles=[mutator.one_of(TEXTS)], is_admin=False
        ),
        image=_image(mutator) if mutator.chance(0.9) else None,
        flavor=flavor,
        project_id=mutator.one_of(("project", "project", *TEXTS)),
        instance_uuid=UUID,
        num_instances=1,
        pci_requests=_requests(mutator),
        **more,
    )


def store(mutator: Mutator, stored: Stored) -> None:
    """Store malformed data of a server, either new or in a cell."""
    stored.new = mutator.chance(0.5)
    stored.disks = tuple(
        {
            name: mutator.one_of(values)
            for name, values in DISK.items()
            if name != "device_name" or not stored.new
            if mutator.chance(0.8)
        }
        for _ in range(mutator.random.randint(0, 3))
    )
    stored.fields = {
        "config_drive": mutator.one_of(("", "True", "0", *TEXTS)),
        "system_metadata": mutator.texts(
            {f"image_{name}": value for name, value in PROPERTIES.items()}, 1
        ),
    }


def hosts_for(mutator: Mutator) -> list[Any]:
    """Return hosts that say odd things of themselves."""
    kinds = ("QEMU", "kvm", None, "ironic", "VMware", "\u0131ronic")
    return [
        SimpleNamespace(
            host=f"host{number}",
            uuid=mutator.one_of((UUID, None)),
            hypervisor_type=mutator.one_of(kinds),
        )
        for number in range(mutator.random.randint(0, 3))
    ]


def test_fuzz_of_the_filter(
    policy_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_file.write_text(
        policy_file.read_text().replace("require: []", "require: [iommu]")
        + "hosts: {require: [kernel_aslr], mode: audit}\n"
    )
    monkeypatch.setattr(posture_filter, "PlacementReader", NoPlacement)
    monkeypatch.setattr(
        posture_filter.report, "report_client_singleton", lambda: None
    )
    gate = scheduler.VirtHardeningFilter()
    stored = Stored(monkeypatch.setattr)

    def outcome(mutator: Mutator) -> str:
        try:
            spec = spec_of(mutator)
            store(mutator, stored)
            objects.ImageMeta.from_instance(
                build_request(UUID, *stored.disks, **stored.fields).instance
            )
        except NOT_TAKEN:
            return "not taken by Nova"
        hosts = hosts_for(mutator)
        with patience():
            try:
                left = gate.filter_all(iter(hosts), spec)
            except exception.NoValidHost as error:
                reason = str(error.kwargs["reason"])
                assert 0 < len(reason.encode()) <= FAULT, mutator.name
                assert OUR_FAULT not in reason, mutator.name
                return "refused"
        assert [host for host in hosts if host in left] == left
        return "judged"

    result = tried(outcome, INPUTS)
    # A twentieth of many inputs. A few inputs, as for a mutant, need only one.
    often = INPUTS // 1_000 * 50
    assert min(result["judged"], result["refused"]) > often, result

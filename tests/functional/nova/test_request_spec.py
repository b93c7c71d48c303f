# SPDX-License-Identifier: Apache-2.0
"""Tests of the scheduler's RequestSpec, without a cloud."""

from dataclasses import replace

import pytest
from nova import context, objects

from nova_vhard.policy.hardware import CDROM, HardwareRequest, Passthrough
from nova_vhard.policy.subject import BOOT, MOVE, REBUILD, Subject
from nova_vhard.request import request_spec
from nova_vhard.request.image import ISO_IMAGE

objects.register_all()

SERVER = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"
IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
PORT = "3f2a6e04-7c5d-4a59-9a75-2c8c1b0f6f11"
ALIASES = {"pci_passthrough:alias": "gpu:2"}


def spec(**fields):
    """Return the RequestSpec of a boot, with other fields."""
    who = context.RequestContext(
        "user",
        "p1",
        roles=["Member"],
        project_domain_id="d1",
        is_admin=False,
    )
    result = {
        "flavor": objects.Flavor(
            name="m1.small", flavorid="1", extra_specs=ALIASES
        ),
        "image": objects.ImageMeta.from_dict({"id": IMAGE}),
        "instance_uuid": SERVER,
        "project_id": "p1",
        **fields,
    }
    return objects.RequestSpec(who, **result)


OWNER = Subject(
    BOOT,
    project="p1",
    domain="d1",
    roles=frozenset(("member",)),
    image=IMAGE,
    flavor="m1.small",
    flavor_id="1",
    server=SERVER,
)


@pytest.mark.parametrize(
    ("request_of", "subject"),
    [
        (spec(), OWNER),
        # Who acts for another project lends no role.
        (
            spec(project_id="p2"),
            replace(OWNER, project="p2", domain=None, roles=frozenset()),
        ),
        # Nova has never set its fields.
        (
            objects.RequestSpec(flavor=objects.Flavor(), image=None),
            Subject(BOOT),
        ),
    ],
    ids=["owner", "other", "bare"],
)
def test_who_asks(request_of, subject):
    assert request_spec.subject(request_of) == subject


def test_what_a_flavor_chooses_is_with_what_the_image_does():
    flavor = objects.Flavor(extra_specs={"hw:tpm_model": "tpm-tis"})
    for read in (request_spec.read, request_spec.without_image):
        (choice,) = read(spec(flavor=flavor)).choices
        assert (choice.kind, choice.value) == ("tpm_model", "tpm-tis")


@pytest.mark.parametrize("fields", [{}, {"image": None}])
def test_nothing_is_asked_for_where_nothing_was_set(fields):
    bare = objects.RequestSpec(flavor=objects.Flavor(), **fields)
    assert request_spec.read(bare) == HardwareRequest(has_flavor=True)
    assert request_spec.subject(bare).image is None


def test_a_request_without_an_image_is_its_flavors():
    flavor = objects.Flavor(extra_specs={"vhard:require": "iommu"})
    request = request_spec.read(objects.RequestSpec(flavor=flavor))
    whole = HardwareRequest(host_checks=frozenset(("iommu",)), has_flavor=True)
    assert request == whole
    rest = request_spec.without_image(objects.RequestSpec(flavor=flavor))
    kinds = frozenset(("pmu", "rng", "rng_model"))
    assert rest == replace(whole, devices=(), only=kinds)


CELL = objects.CellMapping()
HINT = {"scheduler_hints": {"_nova_check_type": ["rebuild"]}}


@pytest.mark.parametrize(
    ("fields", "operation"),
    [
        ({"requested_destination": objects.Destination()}, BOOT),
        ({"requested_destination": objects.Destination(cell=None)}, BOOT),
        ({"requested_destination": objects.Destination(cell=CELL)}, MOVE),
        (
            {
                "requested_destination": objects.Destination(
                    allow_cross_cell_move=True
                )
            },
            MOVE,
        ),
        ({**HINT, "force_hosts": ["host1"]}, REBUILD),
        # what a tenant has said at the boot, and Nova has kept
        (HINT, BOOT),
        ({**HINT, "force_hosts": []}, BOOT),
        (
            {**HINT, "requested_destination": objects.Destination(cell=CELL)},
            MOVE,
        ),
    ],
)
def test_what_it_is_for(fields, operation):
    assert request_spec.operation(spec(**fields)) == operation


def requests():
    """Return Nova's requests for a flavor's alias and for a port."""
    alias = objects.InstancePCIRequest(count=2, alias_name="gpu", spec=[{}])
    port = objects.InstancePCIRequest(count=1, requester_id=PORT, spec=[])
    return objects.InstancePCIRequests(
        requests=[alias, port], instance_uuid=SERVER
    )


def test_a_device_is_asked_for_once_by_flavor_and_request():
    asked = request_spec.read(spec(pci_requests=requests())).passthrough
    assert [(each.kind, each.name, each.count) for each in asked] == [
        ("aliases", "gpu", "2"),
        ("ports", "vf", "1"),
    ]


def test_before_a_move_a_server_has_its_flavors_devices_and_its_ports():
    old = objects.Flavor(extra_specs={"pci_passthrough:alias": "nic:2"})
    had = request_spec.had_already(spec(pci_requests=requests()), old)
    assert [(each.name, each.count) for each in had.passthrough] == [
        ("nic", "1"),
        ("nic", "2"),
        ("vf", "1"),
    ]


@pytest.mark.parametrize(
    ("image", "origin"), [({"id": IMAGE}, "image"), ({}, "volume")]
)
def test_an_image_without_an_id_is_a_volumes(image, origin):
    properties = {"properties": {"hw_disk_bus": "ide"}}
    meta = objects.ImageMeta.from_dict({**image, **properties})
    (choice,) = request_spec.read_image(meta).choices
    assert (choice.origin, choice.value) == (origin, "ide")


@pytest.mark.parametrize(
    ("fields", "devices"),
    [
        ({"disk_format": "iso"}, (ISO_IMAGE,)),
        ({"disk_format": "raw"}, ()),
        ({}, ()),
    ],
)
def test_an_iso_image_is_a_cdrom(fields, devices):
    image = objects.ImageMeta(id=IMAGE, **fields)
    assert request_spec.read_image(image).of_type(CDROM) == devices
    assert request_spec.read(spec(image=image)).of_type(CDROM) == devices


ACCELERATOR = objects.RequestGroup(requester_id=f"device_profile_0{PORT}")
#: Nova leaves fields of it unset, and reads those as None.
BARE = objects.InstancePCIRequest(count=1, spec=[])


@pytest.mark.parametrize(
    ("fields", "device"),
    [
        (
            {"requested_resources": [ACCELERATOR]},
            Passthrough(
                "device_profiles",
                f"port {PORT}",
                f"accelerator of port {PORT}",
            ),
        ),
        (
            {
                "pci_requests": objects.InstancePCIRequests(
                    requests=[BARE], instance_uuid=SERVER
                )
            },
            Passthrough("ports", "vf", "port unknown"),
        ),
    ],
    ids=["accelerator", "neither alias nor port"],
)
def test_a_device_beside_those_of_the_flavor(fields, device):
    asked = request_spec.read(spec(**fields)).passthrough
    assert asked[1:] == (device,)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"requested_destination": objects.Destination()},
        {"image": objects.ImageMeta()},
    ],
)
def test_to_read_it_fills_no_field_in(fields):
    """Nova fills fields in as soon as they are asked for, and sends them."""
    request = spec(**fields)
    before = request.obj_to_primitive()
    for read in (request_spec.read, request_spec.subject):
        read(request)
    assert request.obj_to_primitive() == before

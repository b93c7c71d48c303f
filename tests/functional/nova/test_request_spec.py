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
            name="m1.small",
            flavorid="1",
            extra_specs={"pci_passthrough:alias": "gpu:2"},
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


def requests():
    """Return Nova's requests for a flavor's alias and for a port."""
    alias = objects.InstancePCIRequest(count=2, alias_name="gpu", spec=[{}])
    port = objects.InstancePCIRequest(count=1, requester_id=PORT, spec=[])
    return objects.InstancePCIRequests(
        requests=[alias, port], instance_uuid=SERVER
    )


CELL = objects.CellMapping()
HINT = {"scheduler_hints": {"_nova_check_type": ["rebuild"]}}


def going_to(**fields):
    """Return the fields of a request that goes to a destination."""
    return {"requested_destination": objects.Destination(**fields)}


@pytest.mark.parametrize(
    ("fields", "operation"),
    [
        (going_to(), BOOT),
        (going_to(cell=None), BOOT),
        (going_to(cell=CELL), MOVE),
        (going_to(allow_cross_cell_move=True), MOVE),
        ({**HINT, "force_hosts": ["host1"]}, REBUILD),
        # what a tenant has said at the boot, and Nova has kept
        (HINT, BOOT),
        ({**HINT, "force_hosts": []}, BOOT),
        ({**HINT, **going_to(cell=CELL)}, MOVE),
    ],
)
def test_what_it_is_for(fields, operation):
    assert request_spec.operation(spec(**fields)) == operation


#: Nova has never set its fields.
BARE = objects.RequestSpec(flavor=objects.Flavor(), image=None)
UNSET = objects.RequestSpec(flavor=objects.Flavor())
DEMANDS = objects.RequestSpec(
    flavor=objects.Flavor(extra_specs={"vhard:require": "iommu"})
)
DEMANDED = HardwareRequest(host_checks=frozenset(("iommu",)), has_flavor=True)


@pytest.mark.parametrize(
    ("read", "of", "expected"),
    [
        (request_spec.subject, spec(), OWNER),
        # Who acts for another project lends no role.
        (
            request_spec.subject,
            spec(project_id="p2"),
            replace(OWNER, project="p2", domain=None, roles=frozenset()),
        ),
        (request_spec.subject, BARE, Subject(BOOT)),
        (request_spec.subject, UNSET, Subject(BOOT)),
        # Nothing is asked for where nothing was set.
        (request_spec.read, BARE, HardwareRequest(has_flavor=True)),
        (request_spec.read, UNSET, HardwareRequest(has_flavor=True)),
        # A request without an image is its flavor's.
        (request_spec.read, DEMANDS, DEMANDED),
        (
            request_spec.without_image,
            DEMANDS,
            replace(
                DEMANDED,
                devices=(),
                only=frozenset(("pmu", "rng", "rng_model")),
            ),
        ),
    ],
)
def test_what_it_says(read, of, expected):
    assert read(of) == expected


def of_image(properties=None, **fields):
    """Return the metadata of an image."""
    meta = {**fields, "properties": properties or {}}
    return objects.ImageMeta.from_dict(meta)


IDE = {"hw_disk_bus": "ide"}
TPM = objects.Flavor(extra_specs={"hw:tpm_model": "tpm-tis"})


@pytest.mark.parametrize(
    ("read", "of", "expected"),
    [
        (request_spec.read, spec(flavor=TPM), ("flavor", "tpm-tis")),
        (request_spec.without_image, spec(flavor=TPM), ("flavor", "tpm-tis")),
        (request_spec.read_image, of_image(IDE, id=IMAGE), ("image", "ide")),
        # An image without an id is a volume's.
        (request_spec.read_image, of_image(IDE), ("volume", "ide")),
    ],
)
def test_what_it_chooses(read, of, expected):
    (choice,) = read(of).choices
    assert (choice.origin, choice.value) == expected


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


#: Nova leaves fields of it unset, and reads those as None.
UNNAMED = objects.InstancePCIRequests(
    requests=[objects.InstancePCIRequest(count=1, spec=[])],
    instance_uuid=SERVER,
)


@pytest.mark.parametrize(
    ("fields", "devices"),
    [
        # A device is asked for once, by flavor and request.
        (
            {"pci_requests": requests()},
            [("ports", "vf", f"port {PORT}")],
        ),
        (
            {
                "requested_resources": [
                    objects.RequestGroup(
                        requester_id=f"device_profile_0{PORT}"
                    )
                ]
            },
            [
                (
                    "device_profiles",
                    f"port {PORT}",
                    f"accelerator of port {PORT}",
                )
            ],
        ),
        # Neither an alias nor a port
        ({"pci_requests": UNNAMED}, [("ports", "vf", "port unknown")]),
    ],
    ids=["port", "accelerator", "neither"],
)
def test_devices_beside_those_of_the_flavor(fields, devices):
    asked = request_spec.read(spec(**fields)).passthrough
    flavors = Passthrough("aliases", "gpu", asked[0].source, "2")
    others = [Passthrough(*each) for each in devices]
    assert [*asked] == [flavors, *others]


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

# SPDX-License-Identifier: Apache-2.0
"""Published images, uploaded directly and as their tools upload them."""

import json
import shlex
import struct
from pathlib import Path

import pytest

from tests import logged
from tests.functional import recorded
from tests.functional.glance.wire import (
    OCTETS,
    Wire,
    add,
    create,
    refused,
    remove,
    update,
)

DATA = Path(__file__).parents[2] / "data"


def read(name):
    return json.loads((DATA / name).read_text(encoding="utf-8"))


@pytest.fixture
def of(under, policy_file):
    """Return a function that creates a Glance user under a shipped preset."""

    def user(preset):
        policy_file.write_text(f'version: "1"\nextends: {preset}\n')
        return under(None)

    return user


def answers(user, wires):
    """Send requests about one image until one is refused; return statuses."""
    made, statuses = "", []
    for wire in wires:
        response = user.send(wire.about(made))
        made = made or response.json.get("id", "")
        statuses.append(response.status_int)
        if statuses[-1] == 403:
            break
    return statuses


@pytest.mark.parametrize("preset", ["baseline", "scs"])
def test_an_image_manager_sets_one_property_after_another(of, preset):
    """openstack-image-manager sends a bare POST, then a PATCH per property."""
    user = of(preset)
    images = read("image-manager-sequence.json")["images"]
    assert len(images) == 5
    for image in images:
        keys = ("name", "disk_format")
        bare = {"container_format": "bare", "visibility": "private"}
        wires = [create(bare | {key: image[key] for key in keys})]
        wires += [update(add(f"/{k}", v)) for k, v in image["properties"]]
        expected = [201] + [200] * len(image["properties"])
        assert answers(user, wires) == expected, image["name"]


SCSI = {"hw_disk_bus": "scsi"}
VIRTIO_SCSI = {"hw_scsi_model": "virtio-scsi"}
IDE = {"hw_disk_bus": "ide"}
DEBIAN = {"os_distro": "debian"}
ISO_ON_PC = {"disk_format": "iso", "hw_machine_type": "pc"}


@pytest.mark.parametrize("preset", recorded.PRESETS)
def test_each_image_is_refused_for_these_reasons(of, caplog, preset):
    caplog.set_level("INFO", logged.DECISIONS)
    user = of(preset)
    expected, actual = {}, {}
    verdicts = read("image-verdicts.json")
    for image in read("image-properties.json"):
        name = image["name"]
        caplog.clear()
        response = user.create(
            disk_format=image["disk_format"],
            container_format="bare",
            **image["properties"],
        )
        actual[name] = refused(caplog)
        expected[name] = verdicts[name][preset]
        assert response.status_int == (403 if actual[name] else 201)
    assert actual == expected


# Images that tools publish.
SILENT = {}
SCS_0102 = {**SCSI, **VIRTIO_SCSI, **DEBIAN, "hw_watchdog_action": "reset"}
OLD = {**IDE, "hw_vif_model": "e1000"}
AGENT = {"hw_qemu_guest_agent": "yes"}
VIRT_V2V = {
    "architecture": "x86_64",
    "hypervisor_type": "kvm",
    "vm_mode": "hvm",
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_video_model": "vga",
    "hw_machine_type": "q35",
    "hw_firmware_type": "uefi",
    "hw_rng_model": "virtio",
    "os_distro": "rhel",
}
NO_DRIVERS = {**VIRT_V2V, **IDE, "hw_vif_model": "rtl8139"}
# What Nova has recorded of the server of which Packer takes a snapshot.
SERVER = recorded.GUESTS["public"].recorded(
    recorded.Host(recorded.Q35, recorded.PS2_MOUSE)
)
PC_SERVER = recorded.GUESTS["pc"].recorded(recorded.HOSTS[1])

QCOW2 = struct.pack(">4sIQIIQ", b"QFI\xfb", 2, 0, 0, 16, 1 << 20)
QCOW2 = QCOW2.ljust(512 << 10, b"\0")


def replaced(name, value):
    return {"op": "replace", "path": f"/{name}", "value": value}


def sent(properties, *more):
    """Return the POST of an image, the PUT of its file, and more requests."""
    image = {"name": "n", "disk_format": "qcow2", "container_format": "bare"}
    return [
        create({**image, **properties}),
        Wire("PUT", "/v2/images/{id}/file", QCOW2, OCTETS),
        *more,
    ]


def by_packer(properties):
    """Return the requests of Nova or Cinder, and then of Packer itself."""
    return sent(
        {"image_type": "image", **properties},
        update(replaced("tags", ["packer"])),
        update(replaced("visibility", "shared")),
        Wire("POST", "/v2/images/{id}/members", b'{"member": "p2"}'),
        update(replaced("min_disk", 4)),
    )


#: Fields that the Terraform provider sends for each image.
TERRAFORMED = {
    "visibility": "private",
    "protected": False,
    "tags": ["t"],
    "min_disk": 4,
    "min_ram": 0,
}


def by_terraform(properties, *more):
    return sent({**TERRAFORMED, **properties}, *more)


def changed_by_terraform(properties):
    """Return the requests of a resource whose properties change later."""
    changes = [
        replaced(name, value) if name in IDE else add(f"/{name}", value)
        for name, value in properties.items()
    ]
    changes = [replaced("name", "m"), *changes, remove("/old")]
    before = {"hw_disk_bus": "virtio", "old": "x"}
    return by_terraform(before, update(*changes))


#: Requests of a tool, as read in packer-plugin-openstack 3562619c,
#: terraform-provider-openstack 27f26125, virt-v2v 71376bdb and cinder 29.0.0.
TOOLS = {
    # The import that follows needs the network.
    "packer, external_source_image_url": lambda image: sent(image)[:1],
    "packer, snapshot by Nova": by_packer,
    "packer, use_blockstorage_volume": by_packer,
    "terraform": by_terraform,
    "terraform, change": changed_by_terraform,
    # It sets image metadata of a volume. Cinder uploads the volume with it.
    "virt-v2v -o openstack": sent,
    "virt-v2v -o glance": lambda image: sent({"min_ram": 2048, **image}),
}
URL, SNAPSHOT, VOLUME, TERRAFORM, CHANGE, *V2V = TOOLS
LEGACY = ["disk_bus", "vif_model"]
VGA = ["video_model"]

# Image, and the rules of each preset that refuse it.
REFUSED = [
    (SILENT, [], []),
    (SCS_0102, [], []),
    (OLD, LEGACY, LEGACY),
]


# A refusal is right: these are emulated devices of the 1990s, under scs also
# vga, and a guest agent, whose answers the host would have to parse.
@pytest.mark.parametrize("preset", ["baseline", "scs"])
@pytest.mark.parametrize(
    ("tool", "image", "baseline", "scs"),
    [
        *[
            (tool, *row)
            for tool in (URL, VOLUME, TERRAFORM)
            for row in REFUSED
        ],
        (URL, SCSI, ["scsi_model"], ["scsi_model"]),
        (URL, {**SCSI, **VIRTIO_SCSI}, [], []),
        (URL, ISO_ON_PC, ["cdrom_bus"], ["cdrom_bus", "machine_type"]),
        (URL, IDE, ["disk_bus"], ["disk_bus"]),
        # libosinfo may pick any bus, so the image has to name one.
        (URL, DEBIAN, [], ["disk_bus"]),
        (URL, {**DEBIAN, "hw_disk_bus": "virtio"}, [], []),
        (SNAPSHOT, SERVER, [], []),
        (SNAPSHOT, PC_SERVER, [], ["machine_type"]),
        (TERRAFORM, AGENT, [], ["guest_agent"]),
        (CHANGE, SCS_0102, [], []),
        (CHANGE, OLD, LEGACY, LEGACY),
        *[(tool, VIRT_V2V, [], VGA) for tool in V2V],
        *[(tool, NO_DRIVERS, LEGACY, sorted(LEGACY + VGA)) for tool in V2V],
    ],
)
def test_requests_of_a_publishing_tool(
    of, caplog, preset, tool, image, baseline, scs
):
    caplog.set_level("INFO", logged.DECISIONS)
    wires = TOOLS[tool](image)
    statuses = answers(of(preset), wires)
    rules = {"baseline": baseline, "scs": scs}[preset]
    assert refused(caplog, "rule") == rules
    assert (statuses[-1] == 403) == bool(rules)
    assert rules or len(statuses) == len(wires)
    assert set(statuses) <= {200, 201, 204, 403}


# diskimage-builder ece6a6e9 uploads nothing: its users run this command.
@pytest.mark.parametrize(
    ("preset", "image", "status"),
    [("baseline", SILENT, 0), ("scs", SCS_0102, 0), ("scs", OLD, 1)],
)
def test_image_create_of_a_built_disk_as_explain_prints_it(
    of, openstack, put, tmp_path, preset, image, status
):
    user = of(preset)
    put(user.app)
    path = tmp_path / "disk.qcow2"
    path.write_bytes(QCOW2)
    wish = [f"--property={name}={image[name]}" for name in image]
    explain = ["vhard", "policy", "explain", "-fjson", f"--policy={preset}"]
    explained, output = openstack(*explain, "--file", str(path), *wish)
    assert explained == status
    command = shlex.split(json.JSONDecoder().raw_decode(output)[0]["command"])
    assert openstack(*command[1:])[0] == 0
    assert user.images()[0]["status"] == "active"

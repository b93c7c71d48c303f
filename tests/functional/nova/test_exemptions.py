# SPDX-License-Identifier: Apache-2.0
"""Exemptions, as both of Nova's gates apply them."""

import uuid

from nova.compute import vm_states
from nova.tests.fixtures import PROJECT_ID

from tests.functional.nova.helpers import IDE, MEMBER
from tests.functional.nova.test_verdicts import (
    BOTH,
    OLD,
    ON_VOLUME,
    disks,
)
from tests.functional.nova.verdicts import (
    Row,
    Rows,
    boot,
    image,
    root,
    server,
    snapshot,
    volume,
)

PROJECT = "0123456789abcdef0123456789abcdef"
FORMER = "fedcba9876543210fedcba9876543210"
POLICY = f"""\
exemptions:
  - id: by-project
    reason: vendor image without a virtio driver
    projects: [{PROJECT}]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: 2099-12-31
  - id: by-flavor-id
    reason: appliances
    flavors: ["2"]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: 2099-12-31
  - id: by-flavor-name
    reason: appliances
    flavors: [m1.medium]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: 2099-12-31
  - id: by-role
    reason: the team that tests old images
    roles: [museum]
    rules: {{guest_devices.disk_bus: "*"}}
    until: 2099-12-31
  - id: over
    reason: nobody renewed it
    projects: [{FORMER}]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: 2020-01-01
"""


def ide(*rules, flavor="1", of=IDE, **sent):
    """Return a boot of an image with an IDE disk."""
    more = {"flavorRef": flavor}
    return boot(image(**of), *rules, more=more, policy=POLICY, sent=sent)


LINK = "http://nova.example/flavors/"
BOOTS = {
    "nobody": ide("disk_bus"),
    "project": ide(project=PROJECT),
    "project, another rule": ide("vif_model", of=OLD, project=PROJECT),
    "exemption that is over": ide("disk_bus", project=FORMER),
    "flavor by id": ide(flavor="2"),
    # m1.medium in Nova's fixture
    "flavor by name": ide(flavor="3"),
    # Nova takes the last part of a link as the flavor.
    "link to another flavor": ide("disk_bus", flavor=f"{LINK}1"),
    "link to a flavor": ide(flavor=f"{LINK}2"),
    **{
        role: ide(roles=(*MEMBER, role))
        for role in ("museum", "Museum", "MUSEUM")
    },
}

NAMED, OTHER = (str(uuid.UUID(int=number)) for number in (1, 2))


def by_image(project=PROJECT_ID, of=NAMED):
    """Return a policy with an exemption by image."""
    return f"""\
moves: {{guest_devices: enforce}}
exemptions:
  - id: old
    reason: vendor image without a virtio driver
    projects: [{project}]
    images: [{of}]
    rules: {{guest_devices.disk_bus: [ide], guest_devices.vif_model: [e1000]}}
    until: 2099-12-31
"""


BY_IMAGE = by_image()
#: image_id as stored in Cinder, and whether the exemption applies.
MADE_OF = (
    ({"image_id": NAMED}, True),
    ({"image_id": OTHER}, False),
    ({"image_id": ""}, False),
    ({}, False),
)


def of_volume(made_of, *rules, policy=BY_IMAGE, says=OLD):
    """Return boots from a volume and from a snapshot of it.

    RequestSpec.image has no image_id, so the filter asks Cinder.
    """
    of = volume(**says, **made_of)
    return [
        boot(None, *rules, more=disks(disk), policy=policy)
        for disk in (root(of), root(snapshot(of), "snapshot"))
    ]


VOLUMES = {
    f"{name}, {number}": row
    for name, rows in {
        **{
            f"made of {made_of}": of_volume(made_of, *([] if held else BOTH))
            for made_of, held in MADE_OF
        },
        "another project": of_volume(
            {"image_id": NAMED}, *BOTH, policy=by_image(PROJECT)
        ),
        "value that is not exempt": of_volume(
            {"image_id": NAMED}, "disk_bus", says={"hw_disk_bus": "sata"}
        ),
    }.items()
    for number, row in enumerate(rows)
}


def on_volume(made_of):
    """Return a server that was booted from a volume.

    Nova asks the host of one that runs before it makes a snapshot.
    """
    disk = {**ON_VOLUME, "volume_id": volume(**OLD, **made_of)}
    stopped = {"vm_state": vm_states.STOPPED}
    return server("", disk, fields=stopped, **OLD)


SERVERS = {
    f"{action} of a server made of {made_of}": Row(
        {action: body},
        ("servers", on_volume(made_of), path),
        () if held else rules,
        policy=BY_IMAGE,
        status=status,
    )
    for path, action, body, rules, status in (
        # No compute makes the card that Nova then looks for.
        (
            "os-interface",
            "interfaceAttachment",
            {"net_id": "3cb9bc59-5699-4588-a4b1-b87f96708bc6"},
            ["vif_model"],
            404,
        ),
        (
            "os-volume_attachments",
            "volumeAttachment",
            {"volumeId": volume()},
            ["disk_bus"],
            200,
        ),
        ("action", "resize", {"flavorRef": "2"}, BOTH, 200),
        (
            "action",
            "createImage",
            {"name": "x", "metadata": IDE},
            ["disk_bus"],
            200,
        ),
    )
    for made_of, held in MADE_OF
}


class TestExemptions(Rows):
    def test_boots(self):
        self.each(BOOTS)

    def test_an_image_of_a_volume(self):
        self.each(VOLUMES)
        # An exemption does not name a volume.
        made = self.volume(**OLD)
        of = boot(
            None, *BOTH, more=disks(root(made)), policy=by_image(of=made)
        )
        self.each({"id of a volume": of})

    def test_an_image_of_a_server(self):
        self.each(SERVERS)

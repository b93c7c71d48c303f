# SPDX-License-Identifier: Apache-2.0
"""Images that must be signed, and Nova's later handling of them."""

from unittest import mock

from nova_vhard.gates import nova_images
from tests.functional.nova.helpers import CLEAN, IDE
from tests.functional.nova.test_verdicts import (
    STABLE,
    disks,
    of_image,
    rebuild,
    rescue,
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

SIGNED = {
    "img_signature": "c2lnbmVk",
    "img_signature_certificate_uuid": "725c6a5e-0b3c-4a3a-8f0e-2d4f4c2f0c11",
    "img_signature_hash_method": "SHA-256",
    "img_signature_key_type": "RSA-PSS",
}
CERTIFICATE, HASH, KEY = (
    f"image_signature_{name}" for name in ("certificate", "hash", "key_type")
)
#: The rule about each part of a signature.
RULES = ("image_signature", CERTIFICATE, HASH, KEY)
POLICY = f"""\
guest_devices:
  image_signature: {{allow: ["?*"], explicit: true}}
  {CERTIFICATE}:
    allow: [{SIGNED["img_signature_certificate_uuid"]}]
    explicit: true
  {HASH}: {{allow: [SHA-256], explicit: true}}
  {KEY}: {{allow: [RSA-PSS], explicit: true}}
"""

IMAGES = {
    "signed": boot(image(**CLEAN, **SIGNED)),
    "not signed": boot(image(**CLEAN), *RULES),
    "empty": boot(image(**{**SIGNED, "img_signature": ""}), RULES[0]),
    **{
        f"without {name}": boot(
            image(**{key: SIGNED[key] for key in SIGNED if key != name}), rule
        )
        for name, rule in zip(SIGNED, RULES, strict=True)
    },
    # Nova refuses the flavor; the image is signed.
    **{
        f"no such flavor, {more}": boot(
            image(**SIGNED), more={"flavorRef": "9", **more}, status=400
        )
        for more in ({}, {"config_drive": True})
    },
}


def unshelve(*rules, **properties):
    """Return an unshelving of a server whose snapshot is not signed."""
    of = server(image(**SIGNED), shelved=image(**properties), **SIGNED)
    return Row({"unshelve": None}, of, rules)


#: A server may keep its devices, but another image is always a new file.
SERVERS = {
    **{
        f"{name} of a server {had}": row
        for had in ({}, SIGNED)
        for name, row in (
            ("legacy rescue", rescue(of_image(had), *RULES)),
            ("stable rescue", rescue(of_image(had), *RULES, **STABLE)),
            ("rebuild", rebuild(of_image(had), *RULES, other={})),
            # The server is not stranded.
            ("signed legacy rescue", rescue(of_image(had), **SIGNED)),
            (
                "signed stable rescue",
                rescue(of_image(had), **SIGNED, **STABLE),
            ),
            ("rebuild with its own", rebuild(of_image(had))),
            ("signed rebuild", rebuild(of_image(had), other=SIGNED)),
        )
    },
    "snapshot": Row({"createImage": {"name": "x"}}, of_image(SIGNED)[1]),
    "unshelve": unshelve(),
    # Other properties of the snapshot are judged as usual.
    "unshelve, IDE": unshelve("disk_bus", **IDE),
}


def sources(properties):
    """Return a root disk of each kind."""
    of = volume(**properties)
    return (
        root(image(**properties), "image"),
        root(of),
        root(snapshot(of), "snapshot"),
    )


def beside(of, more, rules=RULES):
    """Return a boot that only the scheduler's gate can refuse."""
    return boot(of, more=more, scheduler=rules)


def named(name, **more):
    """Return a signed image, and a root disk in format 1 next to it."""
    disk = {"volume_id": volume(), "device_name": name}
    return image(**SIGNED, **more), {"block_device_mapping": [disk]}


OWN, SDA = image(**SIGNED), {"root_device_name": "/dev/sda"}
#: The image sets the devices, but the guest boots another file. The API gate
#: looks up no file. The scheduler's gate knows which disks the guest can boot,
#: but not whether their source is signed.
FILES = {
    **{
        f"{disk['source_type']} of {properties}, {index!r}": beside(
            image(**SIGNED), disks({**disk, "boot_index": index})
        )
        for properties in ({}, SIGNED)
        for disk in sources(properties)
        for index in (0, "0")
    },
    "image": boot(OWN),
    "volume of the image": boot(OWN, more=disks(root(OWN, "image"))),
    "nothing but it": boot(None, more=disks(root(OWN, "image"))),
    # The metadata of a root volume count.
    **{
        f"{disk['source_type']} alone, {properties}": boot(
            None, *rules, more=disks(disk)
        )
        for properties, rules in (({}, RULES), (SIGNED, ()))
        for disk in sources(properties)[1:]
    },
    "format 1": beside(*named("vda")),
    "format 1, not the root": beside(*named("sda"), ()),
    "format 1, root named by the image": beside(*named("sda", **SDA)),
    "format 1, not that root": beside(*named("vda", **SDA), ()),
    # Disks in the image's own properties
    "listed in format 1": beside(
        image(
            **SIGNED,
            block_device_mapping=[
                {"snapshot_id": snapshot(volume()), "device_name": "vda"}
            ],
        ),
        {},
    ),
    **{
        f"listed {kind}": beside(
            image(
                **SIGNED,
                bdm_v2="true",
                block_device_mapping=[
                    {
                        "source_type": kind,
                        "destination_type": "volume",
                        "volume_size": 1,
                        "boot_index": 0,
                        f"{kind}_id": of,
                    }
                ],
            ),
            {},
        )
        for kind, of in (
            ("image", image()),
            ("volume", volume()),
            ("snapshot", snapshot(volume())),
        )
    },
}


class TestSigned(Rows):
    POLICY = POLICY

    def test_rows(self):
        self.each({**IMAGES, **SERVERS, **FILES})

    def test_an_image_that_the_gate_cannot_read(self):
        with mock.patch.object(nova_images, "get", side_effect=OSError("no")):
            self.each(
                {
                    "not signed": beside(image(), {}),
                    "signed": boot(image(**SIGNED)),
                }
            )

# SPDX-License-Identifier: Apache-2.0
"""Requests to Nova's API, and the verdicts of both gates.

The rows run on Nova's own API and database. Requests without a database are in
test_api_alone, RequestSpecs in test_filter_alone, and devices that a server
already has in test_devices_one_by_one.
"""

import json

from tests import services
from tests.functional.nova.helpers import ADMIN, CLEAN, IDE
from tests.functional.nova.verdicts import (
    LOCAL,
    Row,
    Rows,
    boot,
    image,
    port,
    root,
    server,
    snapshot,
    volume,
)

OLD_API = {"version": "2.38"}
#: No object has this id.
MISSING = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"
CARD = {"hw_vif_model": "e1000"}
OLD = {**IDE, **CARD}
BOTH = ("disk_bus", "vif_model")
CONTROLLER = {"hw_scsi_model": "virtio-scsi"}
ON_SCSI = {"hw_disk_bus": "scsi"}
SCSI = {**ON_SCSI, **CONTROLLER}
STABLE = {"hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}
PC, Q35 = {"hw_machine_type": "pc"}, {"hw_machine_type": "q35"}
#: A disk in the body of a boot, beside the root.
BLANK = {
    "boot_index": -1,
    "source_type": "blank",
    "destination_type": "volume",
    "volume_size": 1,
}
ON_VOLUME = {
    "source_type": "volume",
    "destination_type": "volume",
    "boot_index": 0,
}


def disks(*disks):
    """Return the part of a body that names disks."""
    return {"block_device_mapping_v2": [*disks]}


def roots(properties):
    """Return root disks of each kind, and the source of their violations."""
    of, made = volume(**properties), image(**properties)
    old = {"device_name": "vda", "snapshot_id": snapshot(of)}
    return {
        "volume": (disks(root(of)), "volume"),
        "snapshot": (disks(root(snapshot(of), "snapshot")), "volume"),
        "format 1": ({"block_device_mapping": [old]}, "volume"),
        "copied image": (disks(root(made, "image")), "image"),
    }


BOOTS = {
    "silent image": boot(image()),
    # A server that boots from a volume may have an empty imageRef.
    "empty imageRef": boot("", "disk_bus", more=disks(root(volume(**IDE)))),
    # What Nova writes into the snapshot of a server on a volume
    "empty reference": boot(image(base_image_ref="")),
    **{
        f"{kind} of {properties}": boot(None, *rules, more=more, source=source)
        for properties, rules in (
            (CLEAN, ()),
            (IDE, ("disk_bus",)),
            (OLD, BOTH),
            ({"vmware_adaptertype": "ide"}, ("disk_bus",)),
        )
        for kind, (more, source) in roots(properties).items()
    },
    "port of the host": boot(
        image(),
        "passthrough.allow",
        more={"networks": [{"port": port("direct")}]},
    ),
    "port": boot(image(), more={"networks": [{"port": port("normal")}]}),
}


def with_root(properties, *rules, rest=(), more=None, **local):
    """Return the boot of an image with a local root disk of its own."""
    of = image(**properties)
    first = {**LOCAL, "boot_index": 0, "uuid": of, **local}
    return boot(of, *rules, more={**disks(first, *rest), **(more or {})})


#: Violations that the scheduler's gate finds in Nova's record of a new server.
STORED = {
    "nothing more": with_root(Q35),
    "no block device": boot(image(**PC)),
    "CD-ROM": with_root(PC, "cdrom_bus", device_type="cdrom"),
    "CD-ROM on SATA": with_root(Q35, device_type="cdrom"),
    "root on IDE": with_root(Q35, "disk_bus", disk_bus="ide"),
    "second disk on IDE": with_root(
        Q35, "disk_bus", rest=[{**BLANK, "disk_bus": "ide"}]
    ),
    "floppy": with_root(
        Q35,
        *("device_type", "floppy_bus"),
        rest=[{**BLANK, "device_type": "floppy"}],
    ),
    "second CD-ROM": with_root(
        PC, "cdrom_bus", rest=[{**BLANK, "device_type": "cdrom"}]
    ),
    **{
        f"config drive {drive} on {machine}": boot(
            image(**machine), *rules, more={"config_drive": drive}
        )
        for drive, machine, rules in (
            (True, PC, ("cdrom_bus",)),
            (True, Q35, ()),
            (False, PC, ()),
        )
    },
    # A RequestSpec does not contain it, and a rescue would boot it.
    "reference": boot(
        image(**Q35, base_image_ref="http://203.0.113.1/image"),
        "guest_devices",
    ),
}


def of_image(had, now=None):
    """Return an image and a server that was made from it.

    :param had: properties of the image then
    :param now: its properties today, if they have changed
    """
    own = image(**(had if now is None else now))
    return own, server(own, **had)


def on_volume(had):
    """Return an image and a server on a volume that was made from it."""
    own = image(**had)
    disk = {
        **ON_VOLUME,
        "volume_id": volume(**had, image_id=own),
        "device_name": "/dev/hda",
        "connection_info": json.dumps({"serial": "a volume"}),
    }
    return own, server("", disk, **had)


def on_scsi(had):
    """Return an image and a server from it, with its root disk on SCSI."""
    own = image(**had)
    disk = {
        **LOCAL,
        "image_id": own,
        "boot_index": 0,
        "disk_bus": "scsi",
        "device_name": "/dev/sda",
    }
    return own, server(own, disk, **had)


def rebuild(made, *rules, other=None):
    """Return a rebuild of a server with its own or another image."""
    own, of = made
    reference = own if other is None else image(**other)
    return Row({"rebuild": {"imageRef": reference}}, of, rules)


def rescue(made, *rules, **properties):
    """Return a rescue of a server with a new image."""
    reference = image(**properties)
    return Row({"rescue": {"rescue_image_ref": reference}}, made[1], rules)


#: Only the API's gate can refuse these without harm.
REBUILDS = {
    "another clean image": rebuild(of_image(CLEAN), other=CLEAN),
    "another old image": rebuild(of_image(CLEAN), *BOTH, other=OLD),
    # Nova reads the image again and calls no scheduler.
    "changed image": rebuild(of_image(CLEAN, OLD), *BOTH),
    # The server does not get anything new.
    "same image": rebuild(of_image(CARD)),
    # The scheduler's gate would refuse it: it does not know the old image.
    "another like it": rebuild(
        of_image(CARD),
        *("vif_model", "video_model"),
        other={**CARD, "hw_video_model": "cirrus"},
    ),
    **{
        f"older than the policy, {made.__name__} {other}": rebuild(
            made(OLD), *rules, other=other
        )
        for made in (of_image, on_volume)
        for other, rules in ((None, ()), (OLD, BOTH))
    },
    # The new image does not name the bus of the disk.
    "with a controller": rebuild(on_scsi(SCSI), other=CONTROLLER),
    # A server older than the policy, with libvirt's default controller
    "old controller": rebuild(on_scsi(ON_SCSI)),
    "new controller": rebuild(on_scsi(ON_SCSI), other=CONTROLLER),
}


def of_reference(own, reference, *rules):
    """Return a rescue of a server with a base image.

    Nova prefers the base image to the server's own image. The gate refuses the
    rescue if the base image is missing, because a user could create an image
    with its id before Nova looks it up.
    """
    of = server(image(**own), base_image_ref=reference)
    return Row({"rescue": None}, of, rules)


RESCUES = {
    "old reference": of_reference(CLEAN, image(**IDE), "disk_bus"),
    "clean reference": of_reference(IDE, image(**CLEAN)),
    "lost reference": of_reference(CLEAN, MISSING, "guest_devices"),
    # Nova says that such a server has no image to rescue it with.
    "no reference": Row(
        {"rescue": None},
        server("", {**ON_VOLUME, "volume_id": volume()}),
        status=400,
    ),
    # In a legacy rescue both disks are on the rescue image's bus.
    "legacy": rescue(on_scsi(SCSI), hw_disk_bus="virtio"),
    "stable": rescue(on_scsi(SCSI), **STABLE),
    # The rescue image need not name a controller: Nova would not read it.
    "stable, from SCSI": rescue(
        on_scsi(SCSI), **{**STABLE, "hw_rescue_bus": "scsi"}
    ),
    # A snapshot that cannot be read
    "unshelve": Row(
        {"unshelve": None},
        server(image(), shelved=MISSING),
        ("guest_devices",),
    ),
    "stable, old controller": rescue(on_scsi(ON_SCSI), **STABLE, **CLEAN),
}


LEGACY = {"vmware_adaptertype": "ide"}
WHOLE = {**LEGACY, "hw_disk_bus": "virtio"}


def metadata(body, *rules, of=WHOLE, method="PUT", key=()):
    """Return a write of image metadata through Nova's proxy."""
    path = ("images", image(**of), "metadata", *key)
    return Row(body, path, rules, sent={**OLD_API, "method": method})


#: A PUT of all metadata removes the properties that it does not name.
METADATA = {
    "a property that was hidden": metadata({"metadata": LEGACY}, "disk_bus"),
    "POST": metadata({"metadata": {"x": "1"}}, method="POST"),
    "PUT of one": metadata({"meta": {"x": "1"}}, key=("x",)),
    "PUT of all": metadata({"metadata": {"x": "1", **WHOLE}}),
    "PUT of none": metadata({"metadata": {}}),
    # The scheduler's gate refuses a boot of it, see test_create.
    "a default": metadata({"metadata": {"x": "1"}}, of=SCSI),
}


def share(refused, body, *rules, **more):
    """Return the attachment of a share, which needs a stopped server."""
    to = ("servers", server(image()), "shares")
    allow = "guest_devices: {file_system: {allow: []}}\n" if refused else ""
    return Row(body, to, rules, policy=allow, sent={"version": "2.97"}, **more)


SHARE = {"share": {"share_id": MISSING}}
ATTACHED = {
    # The baseline leaves the answer to Nova.
    "share": share(False, SHARE, status=409),
    # Nova 31 does not expose its schemas: the gate answers before Nova does.
    "no share": (
        share(True, {"share": "all"}, "file_system")
        if services.NOVA == 31
        else share(True, {"share": "all"}, status=400)
    ),
    "refused share": share(True, SHARE, "file_system"),
    "port of the host": Row(
        {"interfaceAttachment": {"port_id": port("direct")}},
        ("servers", server(image()), "os-interface"),
        ("passthrough.allow",),
    ),
}


class TestVerdicts(Rows):
    def test_boots(self):
        self.each({**BOOTS, **STORED})

    def test_servers(self):
        self.each({**REBUILDS, **RESCUES, **ATTACHED, **METADATA})

    def test_a_refusal_in_novas_own_shape(self):
        response = self.boot(self.image(**OLD))
        self.assertEqual("application/json", response.content_type)
        ((name, fault),) = response.json.items()
        self.assertEqual(
            ("forbidden", 403, {"code", "message"}),
            (name, fault["code"], {*fault}),
        )
        for rule in BOTH:
            self.assertIn(f"[rule guest_devices.{rule}]", fault["message"])
        self.assertIn("x-openstack-request-id", response.headers)
        self.assertEqual([], self.servers())

    def test_the_extra_spec_that_names_checks(self):
        """Nova finds its validator by an entry point."""
        for name, value, status in (
            ("require", "iommu,attested", 200),
            ("require", "iommu,novel", 400),
            ("requires", "iommu", 400),
        ):
            spec = f"vhard:{name}"
            path = f"/v2.1/flavors/1/os-extra_specs/{spec}"
            response = self.call("PUT", path, {spec: value}, roles=ADMIN)
            self.assertEqual(status, response.status_int, value)

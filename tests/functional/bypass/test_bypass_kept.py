# SPDX-License-Identifier: Apache-2.0
"""Row 31: the image that comes speaks for devices that stay.

Nova keeps the bus of each disk in its database, and takes the controller and
the machine type from the image of the moment.
"""

from tests.functional.bypass import ways
from tests.functional.bypass.ways import (
    IDE,
    OWN,
    PC,
    Q35,
    STABLE,
    Attempt,
    New,
    data,
    rebuild,
    rescue,
    with_disks,
)
from tests.functional.nova import helpers

LSI = (ways.lsi_controller,)
CONTROLLER = {"hw_scsi_model": "virtio-scsi"}
SCSI = {"hw_disk_bus": "scsi", **CONTROLLER}
ON_SCSI = {"imageRef": New("image", SCSI)}
ON_VIRTIO = {"imageRef": New("image", {"hw_disk_bus": "virtio"})}
#: What a refusal names: the bus is kept, and the controller is not.
MODEL = ("scsi", "hw_scsi_model")
CDROM = ("hw_cdrom_bus",)
TO_VIRTIO = rebuild(hw_disk_bus="virtio")

KEPT = {
    # innocent users do that
    "test_bypass_31_rebuild_keeps_the_bus_of_the_root": Attempt(
        ON_SCSI, LSI, MODEL, TO_VIRTIO
    ),
    "test_bypass_31_rebuild_without_any_property": Attempt(
        ON_SCSI, LSI, MODEL, rebuild()
    ),
    # no scheduler sees it
    "test_bypass_31_rebuild_with_the_own_image_changed": Attempt(
        ON_SCSI,
        LSI,
        MODEL,
        {"rebuild": {"imageRef": OWN}},
        changed=("image", {}),
    ),
    "test_bypass_31_rebuild_keeps_the_bus_of_a_data_disk": Attempt(
        with_disks(CONTROLLER, data(disk_bus="scsi")), LSI, MODEL, TO_VIRTIO
    ),
    "test_bypass_31_rebuild_keeps_the_bus_of_a_cdrom": Attempt(
        with_disks(CONTROLLER, data(disk_bus="scsi", device_type="cdrom")),
        LSI,
        MODEL,
        TO_VIRTIO,
    ),
    "test_bypass_31_unshelve_keeps_the_bus": Attempt(
        ON_SCSI, LSI, MODEL, {"unshelve": None}, changed=("shelved", {})
    ),
    # the server's own image speaks for its disks, as it is now
    "test_bypass_31_stable_rescue_keeps_the_bus": Attempt(
        ON_SCSI,
        LSI,
        MODEL,
        rescue(**STABLE, **CONTROLLER),
        changed=("image", {}),
    ),
    # the rescue image names a controller; Nova reads the server's
    "test_bypass_31_stable_rescue_from_scsi": Attempt(
        ON_VIRTIO,
        LSI,
        MODEL,
        rescue(hw_rescue_bus="scsi", hw_rescue_device="disk", **CONTROLLER),
    ),
    "test_bypass_31_stable_rescue_from_a_scsi_cdrom": Attempt(
        ON_VIRTIO,
        LSI,
        MODEL,
        rescue(hw_rescue_device="cdrom", hw_cdrom_bus="scsi", **CONTROLLER),
    ),
    # a CD-ROM without a kept bus has the one of the machine type
    "test_bypass_31_stable_rescue_under_a_config_drive": Attempt(
        {"imageRef": New("image", Q35), "config_drive": True},
        (IDE,),
        (*CDROM, "config drive"),
        rescue(**STABLE, **Q35),
        changed=("image", PC),
    ),
    "test_bypass_31_stable_rescue_of_a_server_from_an_iso": Attempt(
        {"imageRef": New("image", Q35, "iso")},
        (IDE,),
        CDROM,
        rescue(**STABLE, **Q35),
        changed=("image", PC),
    ),
    # its bus is by the rescue image's machine type
    "test_bypass_31_stable_rescue_cdrom_by_the_rescue_image": Attempt(
        {"imageRef": New("image", Q35)},
        (IDE,),
        CDROM,
        rescue(hw_rescue_device="cdrom", **PC),
    ),
}


@ways.rows(KEPT)
class Kept(ways.Ways):
    """Servers that are rebuilt, unshelved or rescued."""


TestGuarded, TestAsked = ways.asked(Kept, ways.Asked)


def had(bus, rule="disk_bus", **more):
    """Return a rebuild of a server with a disk from before the policy."""
    return Attempt(
        with_disks(Q35, data(disk_bus=bus, **more)),
        (f'bus="{bus}"',),
        (bus, f"guest_devices.{rule}"),
        rebuild(**helpers.CLEAN, **Q35),
        old=True,
    )


@ways.rows(
    {
        "test_bypass_31_kept_usb_of_a_data_disk": had("usb"),
        "test_bypass_31_kept_sata_of_a_data_disk": had("sata"),
        "test_bypass_31_kept_ide_of_a_data_disk": had("ide"),
        "test_bypass_31_kept_floppy": had(
            "fdc", "floppy_bus", device_type="floppy"
        ),
    }
)
class Moves(ways.Ways):
    """Devices older than the policy are judged under ``moves``."""

    POLICY = "moves: {guest_devices: enforce}\n"


TestGuardedMoves, TestAskedMoves = ways.asked(Moves, ways.Asked)

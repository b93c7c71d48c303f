# SPDX-License-Identifier: Apache-2.0
"""Operations on a server, by its present, past and new devices.

When a server gets a refused device, there are three cases: it never had such
a device, it had this very device, or it had another one in its place. Only in
the second case does the mode of ``moves`` apply. A cell is true for Nova 31 to
34. The deciding functions are ``get_disk_mapping`` and ``get_info_from_bdm``
in nova/virt/libvirt/blockinfo.py, and ``_get_guest_config`` and
``_get_scsi_controller`` in nova/virt/libvirt/driver.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PC, Q35 = "pc", "q35"
#: What Nova picks for a CD-ROM by the machine type.
CDROM_BUS = {PC: "ide", Q35: "sata"}

#: scs extends strict, and decides each cell in the same way.
PRESETS = ("baseline", "strict")

LEGACY_RESCUE = "legacy rescue"
STABLE_RESCUE = "stable rescue"
REBUILD = "rebuild with its own image"
REBUILD_OTHER = "rebuild with another image"
ATTACH_VOLUME = "attach a volume"
ATTACH_INTERFACE = "attach an interface"
UNSHELVE = "unshelve"
RESIZE = "resize"
CREATE_IMAGE = "createImage"
CREATE_BACKUP = "createBackup"
SHELVE = "shelve"

#: Rules about USB: which of them names a USB tablet is the policy's choice.
USB = frozenset(("input_bus", "pointer_model", "usb_model"))


def disk(bus: str, name: str, **more: Any) -> dict[str, Any]:
    """Return the fields of a local disk, as Nova keeps it after a boot."""
    return {
        "source_type": "blank",
        "destination_type": "local",
        "device_type": "disk",
        "disk_bus": bus,
        "device_name": f"/dev/{name}",
        "boot_index": -1,
        "volume_size": 1,
        **more,
    }


def root(bus: str, name: str) -> dict[str, Any]:
    """Return the fields of a root disk that is made from an image."""
    return disk(bus, name, source_type="image", boot_index=0)


def clean(machine: str) -> dict[str, str]:
    """Return the properties of an image that every preset accepts.

    Machine type pc is an exception: scs and strict refuse it.
    """
    return {
        "hw_machine_type": machine,
        "hw_disk_bus": "virtio",
        "hw_vif_model": "virtio",
        "hw_video_model": "virtio",
        "hw_input_bus": "virtio",
        "hw_firmware_type": "uefi",
    }


def recorded(machine: str) -> dict[str, str]:
    """Return the properties that Nova records for a server of a clean image.

    Nova records a CD-ROM bus even without a CD-ROM, and ``usbtablet`` for any
    tablet, including a virtio tablet (``_find_default_for_image_property``).
    """
    return {
        "hw_cdrom_bus": CDROM_BUS[machine],
        "hw_pointer_model": "usbtablet",
    }


Properties = Mapping[str, str | None]


@dataclass(frozen=True)
class Cell:
    """One operation on one server.

    :ivar brings: properties, added to those of a clean image, of the image
        that the operation uses: to rescue with, to rebuild with, or the
        snapshot; extra specs of the new flavor; metadata of a new snapshot.
        None means that the image does not have the property
    :ivar had: properties, added to those of a clean image, that the server
        was made with: they are in its image and in Nova's record
    :ivar now: properties that its image has gained since
    :ivar root: the root disk, as Nova keeps it
    :ivar volume: whether the root disk is a volume, made from the image
    :ivar disks: the other disks
    :ivar config_drive: whether the server has a config drive
    :ivar nic: whether it has a network card
    :ivar on: machine types of the server, and of the image that is used
    :ivar refused: rules that refuse under every preset
    :ivar stricter: rules that also refuse under strict
    :ivar warned: rules that the server's own devices violate
    :ivar warned_stricter: rules that they also violate under strict
    :ivar also: rules that can refuse in addition
    :ivar policy: keys that override those of the preset
    """

    operation: str
    name: str
    brings: Properties = field(default_factory=dict)
    had: Properties = field(default_factory=dict)
    now: Properties = field(default_factory=dict)
    root: Mapping[str, Any] = field(
        default_factory=lambda: root("virtio", "vda")
    )
    volume: bool = False
    disks: tuple[Mapping[str, Any], ...] = ()
    config_drive: bool = False
    nic: bool = True
    on: tuple[str, ...] = (Q35,)
    refused: frozenset[str] = frozenset()
    stricter: frozenset[str] = frozenset()
    warned: frozenset[str] = frozenset()
    warned_stricter: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    policy: str = ""

    @property
    def had_by_flavor(self) -> dict[str, str | None]:
        """Return the extra specs among ``had``."""
        return {name: self.had[name] for name in self.had if ":" in name}

    @property
    def had_by_image(self) -> dict[str, str | None]:
        """Return the image properties among ``had``."""
        return {name: self.had[name] for name in self.had if ":" not in name}

    def expected(self, preset: str, machine: str) -> frozenset[str]:
        """Return the rules that refuse under a preset."""
        if preset == "baseline":
            return self.refused
        result = self.refused | self.stricter
        if self.operation == REBUILD_OTHER and machine == PC:
            # The scheduler judges another image as that of a new server.
            result |= {"machine_type"}
        return result

    def softened(self, preset: str) -> frozenset[str]:
        """Return rules that must be softened under a preset."""
        more = frozenset() if preset == "baseline" else self.warned_stricter
        return self.warned | more


def _rules(*names: str) -> frozenset[str]:
    return frozenset(names)


E1000 = {"hw_vif_model": "e1000"}
AC97 = {"hw_sound_model": "ac97"}
IDE = {"hw_disk_bus": "ide"}
SATA = {"hw_disk_bus": "sata"}
SCSI = {"hw_disk_bus": "scsi"}
LSI = {"hw_scsi_model": "lsilogic"}
PARAVIRTUAL = {"hw_scsi_model": "virtio-scsi"}
IDE_CDROM = {"hw_cdrom_bus": "ide"}
TABLET = {"hw_input_bus": "usb"}
#: The older name of a USB tablet, which counts where there is no input bus.
OLD_TABLET = {"hw_input_bus": None, "hw_pointer_model": "usbtablet"}
#: Nova's own default: the host's [DEFAULT] pointer_model, usbtablet.
DEFAULT_TABLET = {"hw_input_bus": None, "hw_pointer_model": None}

ROOT_ON_IDE = root("ide", "hda")
ROOT_ON_SCSI = root("scsi", "sda")
DATA_ON_IDE = disk("ide", "hdb")
CDROM_ON_IDE = disk("ide", "hdb", device_type="cdrom")


def _images(operation: str) -> list[Cell]:
    """Return cells of every operation that changes a server's image.

    The properties of another image are judged as for a new server,
    independent of the server's own devices.
    """
    key = "now" if operation == REBUILD else "brings"
    other = operation == REBUILD_OTHER

    def had(
        name: str,
        properties: Properties,
        rule: str = "",
        stricter: str = "",
    ) -> Cell:
        """Return a cell for a device that the server already had."""
        always, strictly = (
            ("refused", "stricter") if other else ("warned", "warned_stricter")
        )
        result: dict[str, Any] = {
            key: properties,
            always: _rules(*filter(None, [rule])),
            strictly: _rules(*filter(None, [stricter])),
        }
        return Cell(operation, name, had=properties, **result)

    def new(
        name: str, properties: Properties, *rules: str, **more: Any
    ) -> Cell:
        """Return a cell for a device that the server did not have."""
        result = {key: properties, "refused": _rules(*rules), **more}
        return Cell(operation, name, **result)

    return [
        new("a sound card, never", AC97, "sound_model"),
        had("a sound card, the same", AC97, "sound_model"),
        new(
            "a sound card, another",
            AC97,
            "sound_model",
            had={"hw_sound_model": "sb16"},
        ),
        had("a network card, the same", E1000, "vif_model"),
        new("a network card, another", E1000, "vif_model"),
        new(
            "a network card, another that is refused",
            E1000,
            "vif_model",
            had={"hw_vif_model": "rtl8139"},
        ),
        had("a USB tablet, the same", TABLET, stricter="usb"),
        new("a USB tablet, another", TABLET, stricter=_rules("usb")),
        # Nova's default is judged like a value of the image.
        new(
            "a USB tablet by default, another",
            DEFAULT_TABLET,
            stricter=_rules("usb"),
            policy="assume: {pointer_model: usbtablet}\n",
        ),
        new(
            "no tablet by default",
            DEFAULT_TABLET,
            policy="assume: {pointer_model: none}\n",
        ),
        # Nova has recorded usbtablet for the virtio tablet.
        new(
            "a USB tablet by its older name, another",
            OLD_TABLET,
            stricter=_rules("usb"),
        ),
        # With machine type pc Nova has recorded it, and every snapshot has it.
        new("no CD-ROM, and a bus for it", IDE_CDROM, on=(PC, Q35)),
        new("no floppy, and a bus for it", {"hw_floppy_bus": "fdc"}),
        new(
            "a config drive, on another bus",
            IDE_CDROM,
            "cdrom_bus",
            config_drive=True,
            on=(Q35,),
        ),
        new(
            "a config drive, by another machine type",
            # A snapshot has the record; an image that was uploaded has not.
            {"hw_machine_type": PC, "hw_cdrom_bus": None},
            "cdrom_bus",
            config_drive=True,
            on=(Q35,),
            stricter=_rules("machine_type"),
        ),
        new(
            "a config drive, on the same allowed bus",
            {},
            config_drive=True,
            on=(Q35,),
        ),
    ]


def _kept(operation: str) -> list[Cell]:
    """Return cells for disks that stay with the server."""

    def cell(name: str, *warned: str, **more: Any) -> Cell:
        return Cell(operation, name, warned=_rules(*warned), **more)

    return [
        # Nova chooses the bus of a config drive again, by the image: pc.
        cell(
            "a config drive, on the same bus",
            "cdrom_bus",
            config_drive=True,
            on=(PC,),
        ),
        cell("a kept root disk", "disk_bus", root=ROOT_ON_IDE),
        cell("a kept disk", "disk_bus", disks=(DATA_ON_IDE,)),
        cell("a kept CD-ROM", "cdrom_bus", disks=(CDROM_ON_IDE,)),
        cell(
            "a kept disk and its USB controller",
            "disk_bus",
            disks=(disk("usb", "sdb"),),
            warned_stricter=_rules("usb"),
        ),
    ]


def _controllers(operation: str, **more: Any) -> list[Cell]:
    """Return cells for a kept disk whose controller no image sets any more.

    libvirt then chooses lsilogic.

    :param more: how the relevant image loses its hw_scsi_model, and other
        fields of the cells
    """
    return [
        Cell(
            operation,
            f"a kept disk's controller, {name} by default",
            root=ROOT_ON_SCSI,
            had={**SCSI, **model},
            **{answer: _rules("scsi_model")},
            **more,
        )
        for name, model, answer in (
            ("the same", LSI, "warned"),
            ("another", PARAVIRTUAL, "refused"),
        )
    ]


def _legacy_rescue() -> list[Cell]:
    """Return cells for a guest that is built from the rescue image.

    The guest has two disks on that image's bus and the server's network cards
    and config drive. It has none of the server's other disks.
    """

    def cell(name: str, brings: Properties, **more: Any) -> Cell:
        return Cell(LEGACY_RESCUE, name, brings, **more)

    disk_bus, scsi_model = _rules("disk_bus"), _rules("scsi_model")
    return [
        *_images(LEGACY_RESCUE),
        cell(
            "a config drive, on the same bus",
            {},
            config_drive=True,
            on=(PC,),
            warned=_rules("cdrom_bus"),
        ),
        cell(
            "a root disk, the same",
            IDE,
            had=IDE,
            root=ROOT_ON_IDE,
            warned=disk_bus,
        ),
        cell("a root disk, another", IDE, refused=disk_bus),
        cell(
            "a root disk, another that is refused",
            SATA,
            had=IDE,
            root=ROOT_ON_IDE,
            refused=disk_bus,
        ),
        cell(
            "a root disk, where Nova recorded another bus",
            SATA,
            had=SATA,
            refused=disk_bus,
        ),
        cell(
            "a root disk, on the bus of another disk",
            IDE,
            disks=(DATA_ON_IDE,),
            refused=disk_bus,
        ),
        cell(
            "no CD-ROM, where the server has one",
            IDE_CDROM,
            disks=(CDROM_ON_IDE,),
        ),
        cell("a controller, never", SCSI, refused=scsi_model),
        cell(
            "a controller, the same",
            SCSI,
            had=SCSI,
            root=ROOT_ON_SCSI,
            warned=scsi_model,
        ),
        cell(
            "a controller, where no disk was on the recorded bus",
            SCSI,
            had=SCSI,
            refused=scsi_model,
        ),
        # Nova adds the controller that an image names to any guest.
        cell(
            "a controller, the same, without a disk on it",
            {**SCSI, **LSI},
            had=LSI,
            warned=scsi_model,
        ),
        cell(
            "a controller, another",
            {**SCSI, **LSI},
            had={"hw_scsi_model": "lsisas1068"},
            refused=scsi_model,
        ),
    ]


def _stable_rescue() -> list[Cell]:
    """Return cells for a rescue disk, and for devices that the server keeps.

    The rescue disk is always a new device. The rest of the guest is built
    from the server's own image as it is now.
    """
    cdrom = {"hw_rescue_device": "cdrom", "hw_rescue_bus": None}
    plain = {"hw_rescue_device": "disk", "hw_rescue_bus": None}

    def cell(
        name: str, brings: Properties, *refused: str, **more: Any
    ) -> Cell:
        return Cell(
            STABLE_RESCUE, name, brings, refused=_rules(*refused), **more
        )

    scsi = {"hw_rescue_bus": "scsi"}
    return [
        # Nova has recorded hw_cdrom_bus=ide with each server of type pc.
        cell("a rescue CD-ROM, never", cdrom, "cdrom_bus", on=(PC,)),
        cell("a rescue CD-ROM, on an allowed bus", cdrom, on=(Q35,)),
        cell(
            "a rescue CD-ROM, by its image's bus",
            {**cdrom, **IDE_CDROM},
            "cdrom_bus",
        ),
        # The rescue image's machine type chooses the bus (get_rescue_bus).
        cell(
            "a rescue CD-ROM, by its image's machine type",
            {**cdrom, "hw_machine_type": PC},
            "cdrom_bus",
            on=(Q35,),
        ),
        cell(
            "a rescue CD-ROM, like the config drive",
            cdrom,
            "cdrom_bus",
            on=(PC,),
            config_drive=True,
        ),
        cell(
            "a rescue CD-ROM, like another CD-ROM",
            cdrom,
            "cdrom_bus",
            on=(PC,),
            disks=(CDROM_ON_IDE,),
        ),
        cell("a rescue disk, never", {**plain, **IDE}, "disk_bus"),
        cell(
            "a rescue disk, like the root disk",
            {**plain, **IDE},
            "disk_bus",
            had=IDE,
            root=ROOT_ON_IDE,
        ),
        cell(
            "a rescue disk, on the recorded bus",
            {**plain, **SATA},
            "disk_bus",
            had=SATA,
        ),
        # Of a server on a volume: its image metadata count.
        cell(
            "a rescue CD-ROM, never, on a volume",
            cdrom,
            "cdrom_bus",
            on=(PC,),
            volume=True,
        ),
        cell(
            "a rescue disk, like the root volume",
            {**plain, **IDE},
            "disk_bus",
            had=IDE,
            root=ROOT_ON_IDE,
            volume=True,
        ),
        cell(
            "a network card, another, on a volume",
            {},
            "vif_model",
            now=E1000,
            volume=True,
        ),
        cell("a rescue bus, never", {"hw_rescue_bus": "ide"}, "rescue_bus"),
        cell(
            "a rescue bus, that of the root disk",
            {"hw_rescue_bus": "ide"},
            "rescue_bus",
            had=IDE,
            root=ROOT_ON_IDE,
        ),
        cell(
            "a rescue floppy",
            {"hw_rescue_device": "floppy", "hw_rescue_bus": None},
            "rescue_device",
            "floppy_bus",
            had={"hw_floppy_bus": "fdc"},
        ),
        cell(
            "a rescue device that is refused",
            {"hw_rescue_device": "lun"},
            "rescue_device",
        ),
        cell("a controller, never", scsi, "scsi_model"),
        cell(
            "a controller, the same",
            scsi,
            had=SCSI,
            root=ROOT_ON_SCSI,
            warned=_rules("scsi_model"),
        ),
        cell(
            "a controller, where no disk was on the recorded bus",
            scsi,
            "scsi_model",
            had=SCSI,
        ),
        cell(
            "a controller, the same, without a disk on it",
            scsi,
            had=LSI,
            warned=_rules("scsi_model"),
        ),
        # Of the server's own devices
        cell(
            "a network card, the same",
            {},
            had=E1000,
            warned=_rules("vif_model"),
        ),
        cell("a network card, another", {}, "vif_model", now=E1000),
        cell(
            "a network card, another that is refused",
            {},
            "vif_model",
            had={"hw_vif_model": "rtl8139"},
            now=E1000,
        ),
        cell("a sound card, never", {}, "sound_model", now=AC97),
        # The guest gets only the disk of the rescue image.
        cell("a sound card, of the rescue image", AC97),
        cell(
            "a config drive, by another machine type",
            {},
            "cdrom_bus",
            now={"hw_machine_type": PC},
            config_drive=True,
            on=(Q35,),
            stricter=_rules("machine_type"),
        ),
        *_kept(STABLE_RESCUE),
        *_controllers(STABLE_RESCUE, now={"hw_scsi_model": None}),
    ]


def _rebuilds(operation: str, key: str) -> list[Cell]:
    """Return cells for a rebuild.

    :param key: what of a cell the image of the rebuild has
    """
    return [
        *_images(operation),
        *_kept(operation),
        # Nova asks the image of the server for it, which a rebuild changes.
        *(
            Cell(
                operation,
                "a config drive, never",
                on=(machine,),
                refused=refused,
                **{key: {"img_config_drive": "mandatory"}},
            )
            for machine, refused in (
                (PC, _rules("cdrom_bus")),
                (Q35, _rules()),
            )
        ),
    ]


def _attachments() -> list[Cell]:
    """Return cells for a volume or network card that is attached.

    Its bus or model comes from the record. It is always a new device.
    """

    def volume(name: str, *refused: str, **more: Any) -> Cell:
        return Cell(ATTACH_VOLUME, name, refused=_rules(*refused), **more)

    def card(name: str, *refused: str, **more: Any) -> Cell:
        return Cell(ATTACH_INTERFACE, name, refused=_rules(*refused), **more)

    scsi_model = _rules("scsi_model")
    return [
        volume("a disk, on an allowed bus"),
        volume(
            "a disk, like the root disk", "disk_bus", had=IDE, root=ROOT_ON_IDE
        ),
        volume("a disk, on the recorded bus", "disk_bus", had=IDE),
        volume("a disk, not on the bus of another disk", disks=(DATA_ON_IDE,)),
        # It is named sdb, and plugged in on scsi for its name.
        *(
            volume(
                f"a disk, named for the {name} bus",
                "scsi_model",
                had=SATA,
                also=_rules("disk_bus"),
                **more,
            )
            for name, more in (
                ("root disk's", {"root": root("sata", "sda")}),
                ("recorded", {}),
            )
        ),
        volume(
            "a disk, named for the USB bus",
            "scsi_model",
            had={"hw_disk_bus": "usb"},
            root=root("usb", "sda"),
            also=_rules("disk_bus", "usb"),
        ),
        volume(
            "a controller, the same",
            had=SCSI,
            root=ROOT_ON_SCSI,
            warned=scsi_model,
        ),
        volume(
            "a controller, where no disk was on the recorded bus",
            "scsi_model",
            had=SCSI,
        ),
        volume(
            "a controller, the same, without a disk on it",
            had={**SCSI, **LSI},
            warned=scsi_model,
        ),
        volume(
            "an allowed controller",
            had={**SCSI, **PARAVIRTUAL},
            root=ROOT_ON_SCSI,
        ),
        volume("a disk, with a network card that is refused", had=E1000),
        card("a card, of an allowed model"),
        card("a card, never", "vif_model", had=E1000, nic=False),
        card("a card, like another", "vif_model", had=E1000),
        card("a card, with a disk that is refused", had=IDE, root=ROOT_ON_IDE),
    ]


def _unshelve() -> list[Cell]:
    return [
        *_images(UNSHELVE),
        *_kept(UNSHELVE),
        *_controllers(UNSHELVE, brings={"hw_scsi_model": None}),
    ]


def _resize() -> list[Cell]:
    """Return cells for a new flavor, and for devices that the server keeps.

    Extra specs in ``had`` belong to the server's old flavor.
    """
    sound = {"hw:sound_model": "ac97"}

    def cell(
        name: str, brings: Properties, *refused: str, **more: Any
    ) -> Cell:
        return Cell(RESIZE, name, brings, refused=_rules(*refused), **more)

    return [
        cell("a sound card, never", sound, "sound_model"),
        cell(
            "a sound card, the same",
            sound,
            had=sound,
            warned=_rules("sound_model"),
        ),
        cell(
            "a sound card, another",
            sound,
            "sound_model",
            had={"hw:sound_model": "sb16"},
        ),
        cell(
            "a sound card, of its image",
            sound,
            had=AC97,
            warned=_rules("sound_model"),
        ),
        cell(
            "a network card, the same",
            {},
            had=E1000,
            warned=_rules("vif_model"),
        ),
        cell(
            "a USB controller, never",
            {"hw:usb_model": "qemu-xhci"},
            stricter=_rules("usb"),
        ),
        cell("no CD-ROM, and the recorded bus", {}, on=(PC,)),
        *_kept(RESIZE),
    ]


def _snapshots() -> list[Cell]:
    """Return cells for images that Nova creates from a server.

    A device is judged when a guest gets it. Metadata in the request is judged
    like the metadata of any other image.
    """
    vif_model = _rules("vif_model")
    old: dict[str, Any] = {
        "had": {**IDE, **E1000, **AC97, **LSI},
        "root": ROOT_ON_IDE,
        "disks": (CDROM_ON_IDE,),
        "config_drive": True,
    }
    return [
        *(
            Cell(operation, "devices of the server's own", **old)
            for operation in (CREATE_IMAGE, CREATE_BACKUP, SHELVE)
        ),
        *(
            Cell(operation, name, properties, **more)
            for operation in (CREATE_IMAGE, CREATE_BACKUP)
            for name, properties, more in (
                ("metadata, a bus of no CD-ROM", IDE_CDROM, {}),
                ("metadata of no device", {"x": "1"}, old),
                ("metadata, never", AC97, {"refused": _rules("sound_model")}),
                (
                    "metadata, the same",
                    E1000,
                    {"had": E1000, "refused": vif_model},
                ),
                ("metadata, another", E1000, {"refused": vif_model}),
            )
        ),
    ]


CELLS = (
    *_legacy_rescue(),
    *_stable_rescue(),
    *_rebuilds(REBUILD, "now"),
    *_rebuilds(REBUILD_OTHER, "brings"),
    *_controllers(REBUILD, now={"hw_scsi_model": None}),
    *_controllers(REBUILD_OTHER, on=(PC, Q35)),
    *_attachments(),
    *_unshelve(),
    *_resize(),
    *_snapshots(),
)

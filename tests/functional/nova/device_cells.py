# SPDX-License-Identifier: Apache-2.0
"""Operations on a server, by its present, past and new devices.

When a server gets a refused device, there are three cases: it never had such
a device, it had this very device, or it had another one in its place. Only in
the second case does the mode of ``moves`` apply. A cell is true for Nova 31 to
34. The deciding functions are ``get_disk_mapping`` and ``get_info_from_bdm``
in nova/virt/libvirt/blockinfo.py, and ``_get_guest_config`` and
``_get_scsi_controller`` in nova/virt/libvirt/driver.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PC, Q35 = "pc", "q35"
#: What Nova picks for a CD-ROM by the machine type.
CDROM_BUS = {PC: "ide", Q35: "sata"}

PRESETS = ("baseline", "scs", "strict")

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
    :ivar stricter: rules that also refuse under scs and strict
    :ivar warned: rules that the server's own devices violate
    :ivar warned_stricter: rules that they also violate under scs and strict
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
    on: tuple[str, ...] = (PC, Q35)
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


def _images(operation: str) -> Iterator[Cell]:
    """Yield cells that apply to every operation that changes a server's image.

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
        **more: Any,
    ) -> Cell:
        """Return a cell for a device that the server already had."""
        rules = [frozenset(filter(None, [each])) for each in (rule, stricter)]
        names = (
            ("refused", "stricter") if other else ("warned", "warned_stricter")
        )
        return Cell(
            operation,
            name,
            had=properties,
            **{
                key: properties,
                **dict(zip(names, rules, strict=True)),
                **more,
            },
        )

    def new(
        name: str, properties: Properties, *rules: str, **more: Any
    ) -> Cell:
        """Return a cell for a device that the server did not have."""
        result = {key: properties, "refused": _rules(*rules), **more}
        return Cell(operation, name, **result)

    yield new("a sound card, never", AC97, "sound_model")
    yield had("a sound card, the same", AC97, "sound_model")
    yield new(
        "a sound card, another",
        AC97,
        "sound_model",
        had={"hw_sound_model": "sb16"},
    )
    yield had("a network card, the same", E1000, "vif_model")
    yield new("a network card, another", E1000, "vif_model")
    yield new(
        "a network card, another that is refused",
        E1000,
        "vif_model",
        had={"hw_vif_model": "rtl8139"},
    )
    yield had("a USB tablet, the same", TABLET, stricter="usb")
    yield new("a USB tablet, another", TABLET, stricter=_rules("usb"))
    # What Nova picks is judged like what the image says.
    yield new(
        "a USB tablet by default, another",
        DEFAULT_TABLET,
        stricter=_rules("usb"),
        policy="assume: {pointer_model: usbtablet}\n",
    )
    yield new(
        "no tablet by default",
        DEFAULT_TABLET,
        policy="assume: {pointer_model: none}\n",
    )
    # Nova has recorded usbtablet for the virtio tablet.
    yield new(
        "a USB tablet by its older name, another",
        OLD_TABLET,
        stricter=_rules("usb"),
    )
    # With machine type pc Nova has recorded it, and every snapshot has it.
    yield new("no CD-ROM, and a bus for it", IDE_CDROM)
    yield new("no floppy, and a bus for it", {"hw_floppy_bus": "fdc"})
    yield new(
        "a config drive, on another bus",
        IDE_CDROM,
        "cdrom_bus",
        config_drive=True,
        on=(Q35,),
    )
    yield new(
        "a config drive, by another machine type",
        # A snapshot has the record; an image that was uploaded has not.
        {"hw_machine_type": PC, "hw_cdrom_bus": None},
        "cdrom_bus",
        config_drive=True,
        on=(Q35,),
        stricter=_rules("machine_type"),
    )
    yield new(
        "a config drive, on the same allowed bus",
        {},
        config_drive=True,
        on=(Q35,),
    )


def _kept(operation: str) -> Iterator[Cell]:
    """Yield cells for disks that stay with the server."""

    def cell(name: str, *warned: str, **more: Any) -> Cell:
        return Cell(operation, name, warned=_rules(*warned), **more)

    # Nova chooses the bus of a config drive again, by the image: pc, again.
    yield cell(
        "a config drive, on the same bus",
        "cdrom_bus",
        config_drive=True,
        on=(PC,),
    )
    yield cell("a kept root disk", "disk_bus", root=ROOT_ON_IDE)
    yield cell("a kept disk", "disk_bus", disks=(DATA_ON_IDE,))
    yield cell("a kept CD-ROM", "cdrom_bus", disks=(CDROM_ON_IDE,))
    yield cell(
        "a kept disk and its USB controller",
        "disk_bus",
        disks=(disk("usb", "sdb"),),
        warned_stricter=_rules("usb"),
    )


def _controllers(operation: str, **gone: Properties) -> Iterator[Cell]:
    """Yield cells for a kept disk whose controller no image sets any more.

    libvirt then chooses lsilogic.

    :param gone: how the relevant image loses its hw_scsi_model
    """
    scsi_model = _rules("scsi_model")
    for name, model, more in (
        ("the same", LSI, {"warned": scsi_model}),
        ("another", PARAVIRTUAL, {"refused": scsi_model}),
    ):
        yield Cell(
            operation,
            f"a kept disk's controller, {name} by default",
            root=ROOT_ON_SCSI,
            had={**SCSI, **model},
            **more,
            **gone,
        )


def _legacy_rescue() -> Iterator[Cell]:
    """Yield cells for a guest that is built from the rescue image.

    The guest has two disks on that image's bus and the server's network cards
    and config drive. It has none of the server's other disks.
    """
    yield from _images(LEGACY_RESCUE)

    def cell(name: str, brings: Properties, **more: Any) -> Cell:
        return Cell(LEGACY_RESCUE, name, brings, **more)

    disk_bus, scsi_model = _rules("disk_bus"), _rules("scsi_model")
    yield cell(
        "a config drive, on the same bus",
        {},
        config_drive=True,
        on=(PC,),
        warned=_rules("cdrom_bus"),
    )
    yield cell(
        "a root disk, the same",
        IDE,
        had=IDE,
        root=ROOT_ON_IDE,
        warned=disk_bus,
    )
    yield cell("a root disk, another", IDE, refused=disk_bus)
    yield cell(
        "a root disk, another that is refused",
        SATA,
        had=IDE,
        root=ROOT_ON_IDE,
        refused=disk_bus,
    )
    yield cell(
        "a root disk, where Nova recorded another bus",
        SATA,
        had=SATA,
        refused=disk_bus,
    )
    yield cell(
        "a root disk, on the bus of another disk",
        IDE,
        disks=(DATA_ON_IDE,),
        refused=disk_bus,
    )
    yield cell(
        "no CD-ROM, where the server has one", IDE_CDROM, disks=(CDROM_ON_IDE,)
    )
    yield cell("a controller, never", SCSI, refused=scsi_model)
    yield cell(
        "a controller, the same",
        SCSI,
        had=SCSI,
        root=ROOT_ON_SCSI,
        warned=scsi_model,
    )
    yield cell(
        "a controller, where no disk was on the recorded bus",
        SCSI,
        had=SCSI,
        refused=scsi_model,
    )
    # Nova adds the controller that an image names to any guest.
    yield cell(
        "a controller, the same, without a disk on it",
        {**SCSI, **LSI},
        had=LSI,
        warned=scsi_model,
    )
    yield cell(
        "a controller, another",
        {**SCSI, **LSI},
        had={"hw_scsi_model": "lsisas1068"},
        refused=scsi_model,
    )


def _stable_rescue() -> Iterator[Cell]:
    """Yield cells for a rescue disk, and for devices that the server keeps.

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

    # Nova has recorded hw_cdrom_bus=ide with each server of machine type pc.
    yield cell("a rescue CD-ROM, never", cdrom, "cdrom_bus", on=(PC,))
    yield cell("a rescue CD-ROM, on an allowed bus", cdrom, on=(Q35,))
    yield cell(
        "a rescue CD-ROM, by its image's bus",
        {**cdrom, **IDE_CDROM},
        "cdrom_bus",
    )
    # The machine type of the rescue image chooses the bus (get_rescue_bus).
    yield cell(
        "a rescue CD-ROM, by its image's machine type",
        {**cdrom, "hw_machine_type": PC},
        "cdrom_bus",
        on=(Q35,),
    )
    yield cell(
        "a rescue CD-ROM, like the config drive",
        cdrom,
        "cdrom_bus",
        on=(PC,),
        config_drive=True,
    )
    yield cell(
        "a rescue CD-ROM, like another CD-ROM",
        cdrom,
        "cdrom_bus",
        on=(PC,),
        disks=(CDROM_ON_IDE,),
    )
    yield cell("a rescue disk, never", {**plain, **IDE}, "disk_bus")
    yield cell(
        "a rescue disk, like the root disk",
        {**plain, **IDE},
        "disk_bus",
        had=IDE,
        root=ROOT_ON_IDE,
    )
    yield cell(
        "a rescue disk, on the recorded bus",
        {**plain, **SATA},
        "disk_bus",
        had=SATA,
    )
    # Of a server on a volume: its image metadata count.
    yield cell(
        "a rescue CD-ROM, never, on a volume",
        cdrom,
        "cdrom_bus",
        on=(PC,),
        volume=True,
    )
    yield cell(
        "a rescue disk, like the root volume",
        {**plain, **IDE},
        "disk_bus",
        had=IDE,
        root=ROOT_ON_IDE,
        volume=True,
    )
    yield cell(
        "a network card, another, on a volume",
        {},
        "vif_model",
        now=E1000,
        volume=True,
    )
    yield cell("a rescue bus, never", {"hw_rescue_bus": "ide"}, "rescue_bus")
    yield cell(
        "a rescue bus, that of the root disk",
        {"hw_rescue_bus": "ide"},
        "rescue_bus",
        had=IDE,
        root=ROOT_ON_IDE,
    )
    yield cell(
        "a rescue floppy",
        {"hw_rescue_device": "floppy", "hw_rescue_bus": None},
        "rescue_device",
        "floppy_bus",
        had={"hw_floppy_bus": "fdc"},
    )
    yield cell(
        "a rescue device that is refused",
        {"hw_rescue_device": "lun"},
        "rescue_device",
    )
    scsi = {"hw_rescue_bus": "scsi"}
    yield cell("a controller, never", scsi, "scsi_model")
    yield cell(
        "a controller, the same",
        scsi,
        had=SCSI,
        root=ROOT_ON_SCSI,
        warned=_rules("scsi_model"),
    )
    yield cell(
        "a controller, where no disk was on the recorded bus",
        scsi,
        "scsi_model",
        had=SCSI,
    )
    yield cell(
        "a controller, the same, without a disk on it",
        scsi,
        had=LSI,
        warned=_rules("scsi_model"),
    )
    # Of the server's own devices
    yield cell(
        "a network card, the same", {}, had=E1000, warned=_rules("vif_model")
    )
    yield cell("a network card, another", {}, "vif_model", now=E1000)
    yield cell(
        "a network card, another that is refused",
        {},
        "vif_model",
        had={"hw_vif_model": "rtl8139"},
        now=E1000,
    )
    yield cell("a sound card, never", {}, "sound_model", now=AC97)
    # Nothing of the rescue image but its disk comes to the guest.
    yield cell("a sound card, of the rescue image", AC97)
    yield cell(
        "a config drive, by another machine type",
        {},
        "cdrom_bus",
        now={"hw_machine_type": PC},
        config_drive=True,
        on=(Q35,),
        stricter=_rules("machine_type"),
    )
    yield from _kept(STABLE_RESCUE)
    yield from _controllers(STABLE_RESCUE, now={"hw_scsi_model": None})


def _rebuilds() -> Iterator[Cell]:
    for operation, key in ((REBUILD, "now"), (REBUILD_OTHER, "brings")):
        yield from _images(operation)
        yield from _kept(operation)
        # Nova asks the image of the server for it, which a rebuild changes.
        for machine, refused in ((PC, _rules("cdrom_bus")), (Q35, _rules())):
            yield Cell(
                operation,
                "a config drive, never",
                on=(machine,),
                refused=refused,
                **{key: {"img_config_drive": "mandatory"}},
            )
    yield from _controllers(REBUILD, now={"hw_scsi_model": None})
    yield from _controllers(REBUILD_OTHER)


def _attachments() -> Iterator[Cell]:
    """Yield cells for a volume or network card that is attached.

    Its bus or model comes from the record. It is always a new device.
    """

    def volume(name: str, *refused: str, **more: Any) -> Cell:
        return Cell(ATTACH_VOLUME, name, refused=_rules(*refused), **more)

    def card(name: str, *refused: str, **more: Any) -> Cell:
        return Cell(ATTACH_INTERFACE, name, refused=_rules(*refused), **more)

    scsi_model = _rules("scsi_model")
    yield volume("a disk, on an allowed bus")
    yield volume(
        "a disk, like the root disk", "disk_bus", had=IDE, root=ROOT_ON_IDE
    )
    yield volume("a disk, on the recorded bus", "disk_bus", had=IDE)
    yield volume(
        "a disk, not on the bus of another disk", disks=(DATA_ON_IDE,)
    )
    # It is named sdb, and plugged in on scsi for its name.
    for name, more in (
        ("root disk's", {"root": root("sata", "sda")}),
        ("recorded", {}),
    ):
        yield volume(
            f"a disk, named for the {name} bus",
            "scsi_model",
            had=SATA,
            also=_rules("disk_bus"),
            **more,
        )
    yield volume(
        "a disk, named for the USB bus",
        "scsi_model",
        had={"hw_disk_bus": "usb"},
        root=root("usb", "sda"),
        also=_rules("disk_bus", "usb"),
    )
    yield volume(
        "a controller, the same",
        had=SCSI,
        root=ROOT_ON_SCSI,
        warned=scsi_model,
    )
    yield volume(
        "a controller, where no disk was on the recorded bus",
        "scsi_model",
        had=SCSI,
    )
    yield volume(
        "a controller, the same, without a disk on it",
        had={**SCSI, **LSI},
        warned=scsi_model,
    )
    yield volume(
        "an allowed controller", had={**SCSI, **PARAVIRTUAL}, root=ROOT_ON_SCSI
    )
    yield volume("a disk, with a network card that is refused", had=E1000)
    yield card("a card, of an allowed model")
    yield card("a card, never", "vif_model", had=E1000, nic=False)
    yield card("a card, like another", "vif_model", had=E1000)
    yield card(
        "a card, with a disk that is refused", had=IDE, root=ROOT_ON_IDE
    )


def _unshelve() -> Iterator[Cell]:
    yield from _images(UNSHELVE)
    yield from _kept(UNSHELVE)
    yield from _controllers(UNSHELVE, brings={"hw_scsi_model": None})


def _resize() -> Iterator[Cell]:
    """Yield cells for a new flavor, and for the devices that the server keeps.

    Extra specs in ``had`` belong to the server's old flavor.
    """
    sound = {"hw:sound_model": "ac97"}

    def cell(
        name: str, brings: Properties, *refused: str, **more: Any
    ) -> Cell:
        return Cell(RESIZE, name, brings, refused=_rules(*refused), **more)

    yield cell("a sound card, never", sound, "sound_model")
    yield cell(
        "a sound card, the same",
        sound,
        had=sound,
        warned=_rules("sound_model"),
    )
    yield cell(
        "a sound card, another",
        sound,
        "sound_model",
        had={"hw:sound_model": "sb16"},
    )
    yield cell(
        "a sound card, of its image",
        sound,
        had=AC97,
        warned=_rules("sound_model"),
    )
    yield cell(
        "a network card, the same", {}, had=E1000, warned=_rules("vif_model")
    )
    yield cell(
        "a USB controller, never",
        {"hw:usb_model": "qemu-xhci"},
        stricter=_rules("usb"),
    )
    yield cell("no CD-ROM, and the recorded bus", {})
    yield from _kept(RESIZE)


def _snapshots() -> Iterator[Cell]:
    """Yield cells for images that Nova creates from a server.

    A device is judged when a guest gets it. Metadata in the request is judged
    like the metadata of any other image.
    """
    old: dict[str, Any] = {
        "had": {**IDE, **E1000, **AC97, **LSI},
        "root": ROOT_ON_IDE,
        "disks": (CDROM_ON_IDE,),
        "config_drive": True,
    }
    for operation in (CREATE_IMAGE, CREATE_BACKUP, SHELVE):
        yield Cell(operation, "devices of the server's own", **old)
    for operation in (CREATE_IMAGE, CREATE_BACKUP):
        vif_model = _rules("vif_model")
        yield Cell(operation, "metadata, a bus of no CD-ROM", IDE_CDROM)
        yield Cell(operation, "metadata of no device", {"x": "1"}, **old)
        yield Cell(
            operation, "metadata, never", AC97, refused=_rules("sound_model")
        )
        yield Cell(
            operation,
            "metadata, the same",
            E1000,
            had=E1000,
            refused=vif_model,
        )
        yield Cell(operation, "metadata, another", E1000, refused=vif_model)


CELLS = (
    *_legacy_rescue(),
    *_stable_rescue(),
    *_rebuilds(),
    *_attachments(),
    *_unshelve(),
    *_resize(),
    *_snapshots(),
)

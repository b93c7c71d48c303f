# SPDX-License-Identifier: Apache-2.0
"""Location of each device kind in the XML of a libvirt domain.

Data only. Sources: https://libvirt.org/formatdomain.html, and the devices
that ``qemuDomainDefAddDefaultDevices`` of libvirt and
nova/virt/libvirt/driver.py add on their own. A test checks that every device
kind is in ``PLACES`` or ``UNTOLD``. The gates in OpenStack's services do not
need this, so it is not in the catalogue that they load.
"""

from collections.abc import Mapping

from nova_vhard.catalogue.devices import OF_FILE
from nova_vhard.catalogue.guests import SCSI_CONTROLLERS
from nova_vhard.catalogue.xml_location import ByArchitecture, Words, XmlPlace

#: How nova/virt/libvirt/driver.py names the disk of a rescue.
RESCUE_DISK = "disk.rescue"

_DISK = "devices/disk"
_BUS = "target/@bus"
_YES: Words = {"yes": ("true",), "no": ("false",)}
_ON: Words = {"on": ("true",), "off": ("false",)}
_X86 = ("i686", "x86_64")

#: Architecture of a host to those that it runs without emulation.
RUN_NATIVELY: ByArchitecture = {
    "aarch64": ("aarch64", "armv7l"),
    "i686": ("i686",),
    "ppc64le": ("ppc64", "ppc64le"),
    "s390x": ("s390", "s390x"),
    "x86_64": ("i686", "x86_64"),
}


def _by_architecture(x86: str, other: str) -> ByArchitecture:
    on_x86 = dict.fromkeys(_X86, tuple(x86.split()))
    return {**on_x86, "": tuple(other.split())}


#: Name of a device kind to where it stands.
PLACES: Mapping[str, tuple[XmlPlace, ...]] = {
    "disk_bus": (
        XmlPlace(
            path=_DISK,
            value=_BUS,
            but={"device": ("cdrom", "floppy")},
            but_source=RESCUE_DISK,
        ),
    ),
    "cdrom_bus": (
        XmlPlace(
            path=_DISK,
            value=_BUS,
            only={"device": ("cdrom",)},
            but_source=RESCUE_DISK,
        ),
    ),
    "floppy_bus": (
        XmlPlace(
            path=_DISK,
            value=_BUS,
            only={"device": ("floppy",)},
            but_source=RESCUE_DISK,
        ),
    ),
    "rescue_bus": (XmlPlace(path=_DISK, value=_BUS, source=RESCUE_DISK),),
    "rescue_device": (
        XmlPlace(
            path=_DISK,
            value="@device",
            source=RESCUE_DISK,
            missing={"": "disk"},
            # the disk of a rescue whose image says nothing
            added={"": ("disk",)},
        ),
    ),
    "device_type": (
        XmlPlace(
            path=_DISK,
            value="@device",
            but_source=RESCUE_DISK,
            missing={"": "disk"},
            # a CD-ROM may be a config drive or an ISO image
            added={"": ("disk", "cdrom")},
        ),
    ),
    "scsi_model": (
        XmlPlace(
            path="devices/controller[@type='scsi']",
            value="@model",
            missing=SCSI_CONTROLLERS,
        ),
    ),
    "file_system": (
        XmlPlace(
            path="devices/filesystem",
            value="driver/@type",
            missing={"": "path"},
        ),
    ),
    "pmem": (
        XmlPlace(
            path="devices/memory",
            only={"model": ("nvdimm", "virtio-pmem")},
            spec="hw:pmem",
        ),
    ),
    "vif_model": (
        XmlPlace(
            path="devices/interface",
            value="model/@type",
            but={"type": ("hostdev", "vdpa")},
            missing={"": "rtl8139"},
        ),
    ),
    "video_model": (XmlPlace(path="devices/video", value="model/@type"),),
    "input_bus": (
        # pointer_model of nova.conf puts a tablet on USB into every guest
        XmlPlace(
            path="devices/input[@type='tablet']",
            value="@bus",
            added={"": ("ps2", "usb")},
        ),
        XmlPlace(
            path="devices/input[@type='keyboard']",
            value="@bus",
            added=_by_architecture("ps2", "ps2 usb"),
        ),
        XmlPlace(
            path="devices/input",
            value="@bus",
            but={"type": ("evdev", "keyboard", "passthrough", "tablet")},
            added=_by_architecture("ps2", "ps2 usb"),
        ),
    ),
    "usb_model": (
        XmlPlace(
            path="devices/controller[@type='usb']",
            value="@model",
            missing={**dict.fromkeys(_X86, "piix3-uhci"), "": "qemu-xhci"},
            added=_by_architecture(
                "none piix3-uhci", "none piix3-uhci pci-ohci qemu-xhci"
            ),
        ),
    ),
    "redirected_usb_ports": (XmlPlace(path="devices/redirdev", count=True),),
    "sound_model": (XmlPlace(path="devices/sound", value="@model"),),
    "serial_port_count": (
        XmlPlace(path="devices/serial", count=True, added={"": ("1",)}),
    ),
    "guest_agent": (
        XmlPlace(
            path="devices/channel/target[@name='org.qemu.guest_agent.0']",
            value=None,
        ),
    ),
    "machine_type": (
        XmlPlace(
            path="os/type",
            value="@machine",
            # libvirt writes the newest version in place of such a name
            families={
                "pc-q35-": "q35",
                "pc-i440fx-": "pc",
                "pseries-": "pseries",
                "s390-ccw-virtio-": "s390-ccw-virtio",
                "virt-": "virt",
            },
        ),
    ),
    "emulation_architecture": (
        XmlPlace(
            path="os/type", value="@arch", added=RUN_NATIVELY, of_host=True
        ),
    ),
    "vm_mode": (
        XmlPlace(
            path="os/type",
            # Nova's own choice
            added={"": ("hvm",)},
            words={"linux": ("xen",), "xenpvh": ("xen",)},
        ),
    ),
    "firmware_type": (
        XmlPlace(
            path="os",
            value="@firmware|loader/@type",
            missing={"": "bios"},
            words={"efi": ("uefi",), "pflash": ("uefi",), "rom": ("bios",)},
        ),
    ),
    "firmware_stateless": (
        XmlPlace(path="os/loader[@stateless]", value="@stateless", words=_YES),
    ),
    "secure_boot": (
        XmlPlace(
            path="os/loader[@secure]",
            value="@secure",
            added={"": ("no",)},
            words={"yes": ("required", "optional")},
        ),
        XmlPlace(
            path="os/firmware/feature[@name='secure-boot']",
            value="@enabled",
            added={"": ("no",)},
            words={"yes": ("required", "optional")},
        ),
    ),
    "boot_menu": (XmlPlace(path="os/bootmenu", value="@enable", words=_YES),),
    "hpet": (
        XmlPlace(
            path="clock/timer[@name='hpet']",
            value="@present",
            # QEMU's own: microvm and isapc have none
            absent=("os/type/@machine", "(pc|q35)(-.*)?", "yes"),
            missing={"": "yes"},
            added={"": ("no",)},
            words=_YES,
        ),
    ),
    "pmu": (
        XmlPlace(
            path="features/pmu",
            value="@state",
            # these have what the host has, other models have none
            absent=("cpu/@mode", "host-passthrough|maximum", "on"),
            missing={"": "on"},
            words=_ON,
        ),
    ),
    "rng_model": (
        # Nova's, unless the flavor forbids it
        XmlPlace(path="devices/rng", value="@model", added={"": ("virtio",)}),
    ),
    "watchdog_action": (
        XmlPlace(
            path="devices/watchdog",
            value="@action",
            but={"model": ("itco",)},
            missing={"": "reset"},
        ),
        # itco is a part of q35; libvirt has it do what another one does
        XmlPlace(
            path="devices/watchdog[@model='itco']",
            value="@action",
            missing={"": "reset"},
            added={"": ("reset",)},
        ),
    ),
    "tpm_model": (
        XmlPlace(path="devices/tpm", value="@model", missing={"": "tpm-tis"}),
    ),
    "tpm_version": (XmlPlace(path="devices/tpm", value="backend/@version"),),
    "viommu_model": (
        XmlPlace(
            path="devices/iommu",
            value="@model",
            words={
                model: (model, "auto")
                for model in ("intel", "smmuv3", "virtio")
            },
        ),
    ),
    "mem_encryption": (XmlPlace(path="launchSecurity", value=None),),
    "mem_encryption_model": (
        XmlPlace(
            path="launchSecurity[@type='sev']",
            value="policy",
            words={"0x0033": ("amd-sev",), "0x0037": ("amd-sev-es",)},
        ),
        XmlPlace(
            path="launchSecurity",
            value="@type",
            but={"type": ("sev",)},
            words={"sev-snp": ("amd-sev-snp",), "tdx": ("intel-tdx",)},
        ),
    ),
}

#: Name of a device kind to why no domain tells what was asked for.
UNTOLD: Mapping[str, str] = {
    "config_drive": "a config drive may be the user's own; its bus is judged",
    "pointer_model": "the hosts' [DEFAULT] pointer_model puts the same "
    "tablet into every guest",
    "architecture": "every domain says one; what its host does not run "
    "itself is judged as emulation_architecture",
    "ipxe_boot": "Nova's libvirt driver ignores it",
    "tpm_secret_security": "a domain has the secret's uuid, and not who "
    "may read it",
    **dict.fromkeys(OF_FILE, "Nova verifies the file before libvirt has it"),
    "rng": "Nova adds one unless the flavor forbids it",
}

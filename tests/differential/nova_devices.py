# SPDX-License-Identifier: Apache-2.0
"""The devices that Nova gives to a guest, by Nova's own code.

No service runs: the API's way from a body and an image to block devices, and
the libvirt driver's way from there to devices, are called as they are.
"""

from typing import Any

from nova import block_device, context, exception, objects, utils
from nova.compute import api
from nova.image import glance
from nova.objects import fields
from nova.virt import driver as virt_driver
from nova.virt import hardware
from nova.virt.libvirt import blockinfo, config, vif

from tests.differential import nova_host
from tests.differential.wishes import IMAGE, Guest

#: What Nova raises for a guest that it does not make.
REFUSED = (ValueError, TypeError, AttributeError, exception.NovaException)

Given = dict[str, set[str]]


class Guests:
    """Makes guests as nova-api and nova-compute would."""

    def __init__(self, asked: Guest) -> None:
        self.asked = asked
        stored = {
            "id": IMAGE,
            "name": "image",
            "disk_format": asked.disk_format,
            "properties": dict(asked.properties),
        }
        self.image = glance._convert_from_string(stored)
        self.meta = objects.ImageMeta.from_dict(
            {**self.image, "properties": dict(self.image["properties"])}
        )
        self.flavor = objects.Flavor(
            name="flavor",
            flavorid="1",
            extra_specs=dict(asked.specs),
            swap=0,
            ephemeral_gb=0,
            root_gb=1,
            vcpus=1,
            memory_mb=512,
        )
        self.instance = self._instance()
        self.driver = nova_host.driver_on(asked.host)

    def _instance(self) -> objects.Instance:
        return objects.Instance(
            uuid=IMAGE,
            image_ref=IMAGE,
            system_metadata=utils.get_system_metadata_from_image(
                self.image, {"root_gb": 1}
            ),
            flavor=self.flavor,
            config_drive="True" if self.asked.config_drive else "",
            ephemeral_gb=0,
            launched_at=None,
            root_device_name=None,
            os_type=None,
            vm_mode=None,
        )

    def _block_devices(self) -> Any:
        """Merge the devices of body, image and flavor, as the API does."""
        listed = [
            block_device.BlockDeviceDict.from_api(dict(one), True)
            for one in self.asked.devices
        ]
        merged = object.__new__(api.API)._check_and_transform_bdm(
            context.RequestContext("user", "project", is_admin=False),
            {"image_ref": IMAGE},
            self.flavor,
            self.image,
            1,
            1,
            listed,
            False,
        )
        for one in merged:
            # as default_device_names_for_instance does
            one.device_name = None
        return virt_driver.get_block_device_info(self.instance, merged)

    def storage(self) -> Given:
        """Return the buses of what the guest gets, by kind of device.

        A local CD-ROM without a bus of its own goes onto the disks' bus, and
        is judged with the disks.
        """
        virt_type = self.asked.host.virt_type
        info = blockinfo.get_disk_info(
            virt_type, self.instance, self.meta, self._block_devices()
        )
        found: Given = {
            # what is plugged in later
            "disk_bus": {info["disk_bus"]},
            "cdrom_bus": set(),
            "floppy_bus": set(),
        }
        kinds = {"cdrom": "cdrom_bus", "floppy": "floppy_bus"}
        for name, one in info["mapping"].items():
            local = name.startswith("disk.") and name != "disk.config"
            disk = local and one["bus"] == info["disk_bus"]
            kind = "disk_bus" if disk else kinds.get(one["type"], "disk_bus")
            found[kind].add(one["bus"])
        found["device_type"] = {
            one["type"] for one in info["mapping"].values()
        } - {"disk", "cdrom"}
        if any("scsi" in buses for buses in found.values()):
            controller = self.driver._get_scsi_controller(self.meta)
            if controller is not None:
                found["scsi_model"] = {controller.model}
        return found

    def defaults(self) -> Given:
        """Return the buses that Nova picks by itself."""
        return {
            f"{kind}_bus": {
                blockinfo.get_disk_bus_for_device_type(
                    self.instance, self.asked.host.virt_type, self.meta, kind
                )
            }
            for kind in ("disk", "cdrom", "floppy")
        }

    def machine(self) -> Given:
        """Return the machine, its firmware and its card."""
        guest = config.LibvirtConfigGuest()
        guest.os_type = fields.VMMode.HVM
        self.driver._configure_guest_by_virt_type(
            guest, self.instance, self.meta, self.flavor
        )
        card = vif.LibvirtGenericVIFDriver().get_base_config(
            self.instance,
            "ca:fe:de:ad:be:ef",
            self.meta,
            self.flavor,
            self.asked.host.virt_type,
            "normal",
        )
        video = self.driver._get_video_type(self.meta)
        found: Given = {
            "machine_type": {guest.os_mach_type},
            "firmware_type": {"uefi" if guest.os_firmware else "bios"},
            # libvirt's own choice
            "vif_model": {card.model or "rtl8139"},
            "video_model": {video or config.LibvirtConfigGuestVideo().type},
        }
        if guest.os_bootmenu:
            found["boot_menu"] = {"true"}
        if self.driver._get_iommu_model(guest, self.meta, self.flavor):
            found["viommu_model"] = {_said(self, "viommu_model")}
        self.driver._guest_add_watchdog_action(guest, self.flavor, self.meta)
        found["watchdog_action"] = {
            one.action
            for one in guest.devices
            if isinstance(one, config.LibvirtConfigGuestWatchdog)
        }
        return found

    def more(self) -> Given:
        """Return what the flavor and the image choose together."""
        both = (self.flavor, self.meta)
        found: dict[str, Any] = {
            "sound_model": hardware.get_sound_model(*both),
            "usb_model": hardware.get_usb_model(*both),
            "redirected_usb_ports": hardware.get_redirected_usb_ports(*both),
            "secure_boot": hardware.get_secure_boot_constraint(*both),
        }
        ports = hardware.get_number_of_serial_ports(*both)
        if ports > 1:
            found["serial_port_count"] = ports
        tpm = hardware.get_vtpm_constraint(*both)
        if tpm:
            found |= {"tpm_version": tpm.version, "tpm_model": tpm.model}
        encryption = self.driver._get_mem_encryption_config(*both)
        if encryption:
            found["mem_encryption"] = "true"
            found["mem_encryption_model"] = encryption.model
        guest = config.LibvirtConfigGuest()
        guest.os_type = fields.VMMode.HVM
        pointer = self.driver._guest_add_pointer_device(guest, self.meta)
        if pointer is not None:
            usb = self.meta.properties.get("hw_input_bus") is None
            name = "pointer_model" if usb else "input_bus"
            found[name] = "usbtablet" if usb else pointer.bus
        return {kind: {str(one)} for kind, one in found.items() if one}


def _said(guest: Guests, name: str) -> str:
    specs = guest.flavor.extra_specs
    image = guest.meta.properties.get(f"hw_{name}")
    return str(specs.get(f"hw:{name}") or image)


def given(asked: Guest) -> tuple[Given, Given] | None:
    """Return the devices of a guest by kind, and those that Nova picked.

    :returns: None if Nova makes no such guest
    """
    with nova_host.on(asked.host):
        try:
            made = Guests(asked)
            devices = made.storage() | made.machine() | made.more()
            return devices, devices | made.defaults()
        except REFUSED:
            return None

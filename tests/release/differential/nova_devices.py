# SPDX-License-Identifier: Apache-2.0
"""The devices that Nova gives to a guest, by Nova's own code.

No service runs: the API's way from a body and an image to block devices, and
the libvirt driver's way from there to devices, are called as they are.
"""

from typing import Any

from nova import block_device, context, exception, objects, utils
from nova.compute import api, vm_states
from nova.image import glance
from nova.objects import fields
from nova.virt import driver as virt_driver
from nova.virt import hardware
from nova.virt.libvirt import blockinfo, config, vif

from tests.release.differential import nova_host
from tests.release.differential.choices import Guest
from tests.release.differential.values import IMAGE

#: What Nova raises for a guest that it does not make.
REFUSED = (ValueError, TypeError, AttributeError, exception.NovaException)

Given = dict[str, set[str]]


class Guests:
    """Makes guests as nova-api and nova-compute would."""

    def __init__(self, asked: Guest, volume_backed: bool = False) -> None:
        self.asked = asked
        self.host = asked.host
        self.image_ref = "" if volume_backed else IMAGE
        self.image = self._metadata(dict(asked.properties))
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

    def _metadata(self, properties: dict[str, str]) -> Any:
        """Return the image or the root volume's metadata, as the API does."""
        if not self.image_ref:
            return block_device.get_image_metadata_from_volume(
                {"volume_image_metadata": properties, "size": 1}
            )
        stored = {
            "id": IMAGE,
            "name": "image",
            "disk_format": self.asked.disk_format,
            "properties": properties,
        }
        return glance._convert_from_string(stored)

    def _instance(self) -> objects.Instance:
        return objects.Instance(
            uuid=IMAGE,
            project_id="project",
            vm_state=vm_states.ACTIVE,
            image_ref=self.image_ref,
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

    def rows(self) -> Any:
        """Merge the devices of body, image and flavor, as the API does."""
        listed = [
            block_device.BlockDeviceDict.from_api(dict(each), True)
            for each in self.asked.devices
        ]
        merged = object.__new__(api.API)._check_and_transform_bdm(
            context.RequestContext("user", "project", is_admin=False),
            {"image_ref": self.image_ref},
            self.flavor,
            self.image,
            1,
            1,
            listed,
            False,
        )
        for each in merged:
            # as default_device_names_for_instance does
            each.device_name = None
        return merged

    def storage(self) -> Given:
        """Return the buses of what the guest gets, by kind of device."""
        devices = virt_driver.get_block_device_info(self.instance, self.rows())
        info = blockinfo.get_disk_info(
            self.host.virt_type, self.instance, self.meta, devices
        )
        # with that of what is plugged in later
        return self.buses(info, info["disk_bus"])

    def buses(self, info: Any, *more: str) -> Given:
        """Return the same of what blockinfo.get_disk_info returned.

        A root or a local CD-ROM without a bus of its own goes onto the
        disks' bus, and is judged with the disks.
        """
        result: Given = {
            "disk_bus": set(more),
            "cdrom_bus": set(),
            "floppy_bus": set(),
        }
        kinds = {"cdrom": "cdrom_bus", "floppy": "floppy_bus"}
        for name, each in info["mapping"].items():
            local = name.startswith("disk.") and "config" not in name
            local = local or each["dev"] == info["mapping"]["root"]["dev"]
            disk = local and each["bus"] == info["disk_bus"]
            kind = "disk_bus" if disk else kinds.get(each["type"], "disk_bus")
            result[kind].add(each["bus"])
        result["device_type"] = {
            each["type"] for each in info["mapping"].values()
        } - {"disk", "cdrom"}
        if any("scsi" in buses for buses in result.values()):
            controller = self.driver._get_scsi_controller(self.meta)
            if controller is not None:
                result["scsi_model"] = {controller.model}
        return result

    def defaults(self) -> Given:
        """Return the buses that Nova picks by itself."""
        return {
            f"{kind}_bus": {
                blockinfo.get_disk_bus_for_device_type(
                    self.instance, self.host.virt_type, self.meta, kind
                )
            }
            for kind in ("disk", "cdrom", "floppy")
        }


def machine(guest: Any) -> Given:
    """Return the machine, its firmware and its card."""
    domain = config.LibvirtConfigGuest()
    domain.os_type = fields.VMMode.HVM
    guest.driver._configure_guest_by_virt_type(
        domain, guest.instance, guest.meta, guest.flavor
    )
    card = vif.LibvirtGenericVIFDriver().get_base_config(
        guest.instance,
        "ca:fe:de:ad:be:ef",
        guest.meta,
        guest.flavor,
        guest.host.virt_type,
        "normal",
    )
    result: Given = {
        "machine_type": {domain.os_mach_type},
        "firmware_type": {"uefi" if domain.os_firmware else "bios"},
        # libvirt's own choice
        "vif_model": {card.model or "rtl8139"},
        "video_model": {
            guest.driver._get_video_type(guest.meta)
            or config.LibvirtConfigGuestVideo().type
        },
    }
    if domain.os_bootmenu:
        result["boot_menu"] = {"true"}
    if guest.driver._get_iommu_model(domain, guest.meta, guest.flavor):
        by_flavor = guest.flavor.extra_specs.get("hw:viommu_model")
        by_image = guest.meta.properties.get("hw_viommu_model")
        result["viommu_model"] = {str(by_flavor or by_image)}
    guest.driver._guest_add_watchdog_action(domain, guest.flavor, guest.meta)
    result["watchdog_action"] = {
        each.action
        for each in domain.devices
        if isinstance(each, config.LibvirtConfigGuestWatchdog)
    }
    return result


def more(guest: Any) -> Given:
    """Return the devices that the flavor and the image choose together."""
    both = (guest.flavor, guest.meta)
    result: dict[str, Any] = {
        kind: getattr(hardware, f"get_{kind}")(*both)
        for kind in ("sound_model", "usb_model", "redirected_usb_ports")
    }
    result["secure_boot"] = hardware.get_secure_boot_constraint(*both)
    ports = hardware.get_number_of_serial_ports(*both)
    if ports > 1:
        result["serial_port_count"] = ports
    tpm = hardware.get_vtpm_constraint(*both)
    if tpm:
        result |= {"tpm_version": tpm.version, "tpm_model": tpm.model}
    encryption = guest.driver._get_mem_encryption_config(*both)
    if encryption:
        result["mem_encryption"] = "true"
        result["mem_encryption_model"] = encryption.model
    domain = config.LibvirtConfigGuest()
    domain.os_type = fields.VMMode.HVM
    pointer = guest.driver._guest_add_pointer_device(domain, guest.meta)
    if pointer is not None:
        result["input_bus"] = pointer.bus
        if guest.meta.properties.get("hw_input_bus") is None:
            result["pointer_model"] = "usbtablet"
    guest.driver._add_rng_device(domain, *both)
    if any(
        isinstance(each, config.LibvirtConfigGuestRng)
        for each in domain.devices
    ):
        result |= {"rng": "true", "rng_model": "virtio"}
    given = {kind: {str(each)} for kind, each in result.items() if each}
    keyboard = guest.driver._guest_add_keyboard_device(domain, guest.meta)
    if keyboard is not None:
        given.setdefault("input_bus", set()).add(keyboard.bus)
    return given


def given(asked: Guest) -> tuple[Given, Given] | None:
    """Return the devices of a guest by kind, and those that Nova picked.

    :returns: None if Nova makes no such guest
    """
    with nova_host.on(asked.host):
        try:
            made = Guests(asked)
            devices = made.storage() | machine(made) | more(made)
            return devices, devices | made.defaults()
        except REFUSED:
            return None

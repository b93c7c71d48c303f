# SPDX-License-Identifier: Apache-2.0
"""The devices that Nova gives to a server that exists, by Nova's own code.

It is started as it is, rebuilt, unshelved or rescued.
"""

from dataclasses import dataclass
from typing import Any

from nova import objects
from nova.virt import driver as virt_driver
from nova.virt import hardware
from nova.virt.libvirt import blockinfo

from tests.release.differential import (
    nova_booted,
    nova_devices,
    nova_host,
    nova_machines,
    servers,
)
from tests.release.differential.nova_devices import Given
from tests.release.differential.values import OTHER_IMAGE, SNAPSHOT_IMAGE


@dataclass(frozen=True)
class Made:
    """Devices that Nova gives to a server.

    :ivar given: devices by kind, without a stable rescue's own disk
    :ivar picked: ``given`` plus the devices that Nova adds on its own
    :ivar buses: buses of the same devices, by type of device
    :ivar rescue_disk: type and bus of the stable rescue's own disk
    """

    given: Given
    picked: Given
    buses: Given
    rescue_disk: tuple[str, str] | None


class _Reached(Exception):
    """Raised in place of making the guest: the driver has chosen."""


class ExistingServer(nova_booted.BootedServer):
    """An existing server to which Nova assigns its devices again.

    :ivar stable: whether the operation is a stable rescue
    """

    stable = False

    def _chosen(self) -> tuple[Any, Any]:
        """Return the disk info and the image of the guest that is made."""
        cloud, operation = self.server.cloud, self.server.operation
        meta = self.instance.image_meta
        if operation == servers.RESCUE:
            return self._rescued()
        if operation == servers.REBUILD:
            meta = self._replaced_image(OTHER_IMAGE)
        elif operation == servers.UNSHELVE:
            self.add_names()
        if operation == servers.UNSHELVE and not self.server.volume_backed:
            meta = objects.ImageMeta.from_image_ref(
                self.context, cloud.glance, SNAPSHOT_IMAGE
            )
        devices = virt_driver.get_block_device_info(self.instance, self.bdms)
        info = blockinfo.get_disk_info(
            self.host.virt_type, self.instance, meta, devices
        )
        return info, meta

    def _replaced_image(self, name: str) -> Any:
        """Return an image that also becomes the server's own."""
        self.image = self.server.cloud.glance.get(self.context, name)
        self.instance.system_metadata = self._instance().system_metadata
        return objects.ImageMeta.from_image_ref(
            self.context, self.server.cloud.glance, name
        )

    def _rescued(self) -> tuple[Any, Any]:
        """Return what ``LibvirtDriver.rescue`` makes the guest of."""
        chosen: list[Any] = []

        def guest(_c: Any, _i: Any, _n: Any, info: Any, meta: Any, **_: Any):
            chosen.extend((info, meta))
            raise _Reached

        driver = self.driver
        nova_host.let_rescue(driver, guest)
        driver._image_api = self.server.cloud.glance
        driver._volume_api = self.server.cloud.cinder
        meta = self.manager._get_rescue_image(
            self.context, self.instance, self.server.rescue_image
        )
        self.stable = hardware.check_hw_rescue_props(meta)
        devices = self.manager._get_instance_block_device_info(
            self.context, self.instance, bdms=self.bdms
        )
        try:
            driver.rescue(
                self.context, self.instance, [], meta, "", devices, []
            )
        except _Reached:
            return chosen[0], chosen[1]
        raise AssertionError("the driver has not made the guest")

    def made(self) -> Made:
        """Return what it gets."""
        info, self.meta = self._chosen()
        rescue_disk = None
        if self.stable:
            disk = info["mapping"].pop("disk.rescue")
            rescue_disk = disk["type"], disk["bus"]
        given = self.buses(info) | nova_machines.machine(self)
        given |= nova_machines.more(self)
        by_type: Given = {}
        for device in info["mapping"].values():
            by_type.setdefault(device["type"], set()).add(device["bus"])
        return Made(given, given | self.defaults(), by_type, rescue_disk)


def existing(server: servers.Server) -> ExistingServer | None:
    """Return a server as it is before the operation.

    :returns: None if Nova makes no such server
    """
    try:
        with nova_host.on(server.guest.host):
            result = ExistingServer(server)
        with nova_host.on(server.host):
            result.on(server.host)
            result.age()
    except nova_devices.REFUSED:
        return None
    return result


def made(server: ExistingServer) -> Made | None:
    """Return the devices after an operation; None if Nova rejects it."""
    with nova_host.on(server.host):
        try:
            return server.made()
        except nova_devices.REFUSED:
            return None

# SPDX-License-Identifier: Apache-2.0
"""Generated servers that exist, and the devices that Nova gives them.

Each is started as it is, rebuilt, unshelved or rescued, by Nova's own code.
"""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as some
from nova import context, objects
from nova.block_device import BlockDeviceDict
from nova.compute import manager
from nova.objects import block_device as rows_of
from nova.virt import configdrive, hardware
from nova.virt import driver as virt_driver
from nova.virt.libvirt import blockinfo
from nova.virt.libvirt import utils as libvirt_utils

from nova_vhard.policy.model import Assume
from tests.release.differential import choices, nova_devices, nova_host
from tests.release.differential.cloud import Cloud
from tests.release.differential.nova_devices import Given
from tests.release.differential.values import (
    BUSES,
    IMAGE,
    OTHER_IMAGE,
    RESCUE_IMAGE,
    ROOT_IMAGE,
    ROOT_VOLUME,
    SNAPSHOT,
    SNAPSHOT_IMAGE,
    SNAPSHOT_VOLUME,
    VOLUME,
)

REBOOT, REBUILD, UNSHELVE, RESCUE = "reboot", "rebuild", "unshelve", "rescue"

#: Missing and odd values in a row of the database.
EDITS: tuple[dict[str, str | None], ...] = (
    *({},) * 9,
    {"disk_bus": None},
    {"device_type": None},
    {"disk_bus": None, "device_type": None},
    {"device_name": None},
    {"disk_bus": None, "device_name": None},
    {"disk_bus": "xen"},
    {"disk_bus": ""},
    {"device_type": "fs"},
)
_ROOTS = (
    *(choices.ROOT,) * 4,
    *(
        {
            "source_type": kind,
            "destination_type": "volume",
            "uuid": name,
            "volume_size": 1,
            "boot_index": 0,
        }
        for kind, name in (
            ("volume", ROOT_VOLUME),
            ("snapshot", SNAPSHOT),
            ("image", ROOT_IMAGE),
        )
    ),
)


@dataclass(frozen=True)
class Server:
    """A server, and an operation on it.

    :ivar guest: how it was booted
    :ivar volume_backed: whether its root is a volume
    :ivar edits: changes to its rows, in their order
    :ivar attached: how many volumes were attached since
    :ivar connected: whether its volumes have connection information
    :ivar host: the settings of its host now
    :ivar cloud: contents of Glance and Cinder now
    :ivar operation: REBOOT, REBUILD, UNSHELVE or RESCUE
    :ivar rescue_image: id of the image to rescue with, None for none
    """

    guest: choices.Guest
    volume_backed: bool
    edits: tuple[dict[str, str | None], ...]
    attached: int
    connected: bool
    host: Assume
    cloud: Cloud
    operation: str
    rescue_image: str | None


#: Images, as they are now.
_IMAGES = some.fixed_dictionaries(
    {
        "properties": choices.properties(),
        "disk_format": choices.DISK_FORMATS,
    }
)
_RESCUE = some.fixed_dictionaries(
    {},
    optional={
        "hw_rescue_bus": some.sampled_from(BUSES),
        "hw_rescue_device": some.sampled_from(
            ("disk", "cdrom", "cdrom", "floppy", "lun")
        ),
    },
)


@some.composite
def _clouds(draw: Any, booted: dict[str, Any]) -> Cloud:
    """Give the objects of a cloud; the first image may have been changed."""
    images = {
        name: draw(_IMAGES)
        for name in (OTHER_IMAGE, SNAPSHOT_IMAGE, ROOT_IMAGE, RESCUE_IMAGE)
    }
    images[RESCUE_IMAGE]["properties"] |= draw(_RESCUE)
    own = draw(some.sampled_from(("as booted", "changed", "changed", "gone")))
    if own != "gone":
        images[IMAGE] = booted if own == "as booted" else draw(_IMAGES)
    volumes = {
        name: {"volume_image_metadata": draw(choices.properties()), "size": 1}
        for name in (ROOT_VOLUME, SNAPSHOT_VOLUME, VOLUME)
    }
    return Cloud(images, volumes, {SNAPSHOT: {"volume_id": SNAPSHOT_VOLUME}})


@some.composite
def servers(draw: Any) -> Server:
    """Give a server."""
    root = draw(some.sampled_from(_ROOTS))
    guest = replace(
        draw(choices.guests()), devices=draw(choices.devices(root)), specs={}
    )
    if root is not choices.ROOT:
        # Cinder keeps text, which Nova does not read as block devices
        guest = replace(guest, properties=draw(choices.properties()))
    booted = {
        "properties": guest.properties,
        "disk_format": guest.disk_format,
    }
    return Server(
        guest=guest,
        volume_backed=root is not choices.ROOT,
        edits=tuple(draw(some.sampled_from(EDITS)) for _ in range(3)),
        attached=draw(some.sampled_from((0, 0, 1, 2))),
        connected=draw(some.integers(0, 9)) > 0,
        host=draw(some.one_of(some.just(guest.host), choices.hosts())),
        cloud=draw(_clouds(booted)),
        operation=draw(
            some.sampled_from((REBOOT, REBUILD, UNSHELVE, *(RESCUE,) * 3))
        ),
        rescue_image=draw(some.sampled_from((*(RESCUE_IMAGE,) * 4, None))),
    )


_LAUNCHED = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_CONNECTED = '{"driver_volume_type": "fake"}'
_ATTACHED = {
    "source_type": "volume",
    "destination_type": "volume",
    "volume_id": VOLUME,
}


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


class _Chosen(Exception):
    """Raised in place of making the guest, with its disk info and image."""


@contextmanager
def nova_at_rest(directory: Path) -> Iterator[None]:
    """Keep Nova's code from the database and from the host's disk."""

    def save(*_: Any) -> None:
        """Leave a row as it is."""

    with (
        nova_host.nova_at_rest(),
        mock.patch.object(objects.BlockDeviceMapping, "save", save),
        mock.patch.object(
            libvirt_utils, "get_instance_path", lambda *_: str(directory)
        ),
    ):
        yield


class ExistingServer(nova_devices.Guests):
    """An existing server to which Nova assigns its devices again.

    :ivar bdms: its rows
    :ivar stable: whether the operation is a stable rescue
    """

    stable = False

    def __init__(self, server: Server) -> None:
        super().__init__(server.guest, server.volume_backed)
        self.server = server
        self.context = context.RequestContext("user", "project")
        self.manager: Any = object.__new__(manager.ComputeManager)
        self.manager.driver = self.driver
        self.manager.image_api = server.cloud.glance
        self.bdms = self._booted()

    def _booted(self) -> Any:
        """Return its rows as nova-compute leaves them."""
        configdrive.update_instance(self.instance)
        self.instance.kernel_id = self.instance.ramdisk_id = ""
        bdms = self.rows()
        for row in bdms:
            row.attachment_id = None
        self.manager._default_block_device_names(
            self.instance, self.meta, bdms
        )
        self.instance.launched_at = _LAUNCHED
        return bdms

    def age(self) -> None:
        """Move it, change its rows, and attach volumes to it."""
        self.host = self.server.host
        self.driver = self.manager.driver = nova_host.driver_on(self.host)
        for row, edit in zip(self.bdms, self.server.edits, strict=False):
            # Only disks are attached later. The boot has named the others.
            row.update(
                edit
                if row.device_type in (None, "disk", "lun")
                else {**edit, "device_name": row.device_name}
            )
        more = [
            BlockDeviceDict(_ATTACHED) for _ in range(self.server.attached)
        ]
        for row in rows_of.block_device_make_list_from_dicts(
            self.context, more
        ):
            row.device_name = self.driver.get_device_name_for_instance(
                self.instance, self.bdms, row
            )
            self.bdms.objects.append(row)
        if self.server.operation != UNSHELVE:
            # Only volumes of an offloaded server have no name yet.
            self.add_names()
        else:
            # as _register_undefined_instance_details does with a guest
            bus = blockinfo.get_disk_bus_for_device_type(
                self.instance, self.host.virt_type, self.meta
            )
            self.instance.system_metadata.setdefault("image_hw_disk_bus", bus)
        for row in self.bdms:
            if row.is_volume:
                row.volume_id = row.volume_id or VOLUME
                row.connection_info = (
                    _CONNECTED if self.server.connected else None
                )

    def add_names(self) -> None:
        """Name devices as ``_add_missing_dev_names`` does."""
        for row in self.bdms:
            if not row.device_name:
                row.device_name = self.driver.get_device_name_for_instance(
                    self.instance, self.bdms, row
                )

    def _chosen(self) -> tuple[Any, Any]:
        """Return the disk info and the image of the guest that is made."""
        cloud, operation = self.server.cloud, self.server.operation
        meta = self.instance.image_meta
        if operation == RESCUE:
            return self._rescued()
        if operation == REBUILD:
            # It becomes the server's own image.
            self.image = cloud.glance.get(self.context, OTHER_IMAGE)
            self.instance.system_metadata = self._instance().system_metadata
            meta = objects.ImageMeta.from_image_ref(
                self.context, cloud.glance, OTHER_IMAGE
            )
        elif operation == UNSHELVE:
            self.add_names()
        if operation == UNSHELVE and not self.server.volume_backed:
            meta = objects.ImageMeta.from_image_ref(
                self.context, cloud.glance, SNAPSHOT_IMAGE
            )
        info = blockinfo.get_disk_info(
            self.host.virt_type,
            self.instance,
            meta,
            virt_driver.get_block_device_info(self.instance, self.bdms),
        )
        return info, meta

    def _rescued(self) -> tuple[Any, Any]:
        """Return what ``LibvirtDriver.rescue`` makes the guest of."""

        def guest(_c: Any, _i: Any, _n: Any, info: Any, meta: Any, **_: Any):
            raise _Chosen(info, meta)

        driver = self.driver
        # as far as the guest's XML, without libvirt
        driver._get_existing_domain_xml = lambda *_, **__: ""
        driver._get_all_assigned_mediated_devices = lambda *_: {}
        driver._get_existing_guest_config = lambda *_: None
        driver._create_image = lambda *_, **__: None
        driver._get_guest_xml = guest
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
        except _Chosen as chosen:
            info, meta = chosen.args
            return info, meta
        raise AssertionError("the driver has not made the guest")

    def made(self) -> Made:
        """Return what it gets."""
        info, self.meta = self._chosen()
        rescue_disk = None
        if self.stable:
            disk = info["mapping"].pop("disk.rescue")
            rescue_disk = disk["type"], disk["bus"]
        given = self.buses(info) | nova_devices.machine(self)
        given |= nova_devices.more(self)
        by_type: Given = {}
        for device in info["mapping"].values():
            by_type.setdefault(device["type"], set()).add(device["bus"])
        return Made(given, given | self.defaults(), by_type, rescue_disk)


def existing(server: Server) -> ExistingServer | None:
    """Return a server as it is before the operation.

    :returns: None if Nova makes no such server
    """
    try:
        with nova_host.on(server.guest.host):
            result = ExistingServer(server)
        with nova_host.on(server.host):
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

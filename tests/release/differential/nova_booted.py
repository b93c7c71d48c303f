# SPDX-License-Identifier: Apache-2.0
"""Servers as Nova's own code boots them, and as time leaves them.

What nova-compute writes into the rows of the database is there, and what may
have become of it.
"""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from nova import context, objects
from nova.block_device import BlockDeviceDict
from nova.compute import manager
from nova.objects import block_device as rows_of
from nova.virt import configdrive
from nova.virt.libvirt import blockinfo
from nova.virt.libvirt import utils as libvirt_utils

from tests.release.differential import nova_devices, nova_host, servers
from tests.release.differential.values import VOLUME

_LAUNCHED = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_CONNECTED = '{"driver_volume_type": "fake"}'
_ATTACHED = {
    "source_type": "volume",
    "destination_type": "volume",
    "volume_id": VOLUME,
}


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


class BootedServer(nova_devices.Guests):
    """A server that was booted.

    :ivar bdms: its rows
    """

    def __init__(self, server: servers.Server) -> None:
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
        """Change its rows, and attach volumes to it."""
        for row, edit in zip(self.bdms, self.server.edits, strict=False):
            row.update(edit)
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
        if self.server.operation != servers.UNSHELVE:
            # Only what is attached to an offloaded server has no name yet.
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
            row.device_name = (
                row.device_name
                or self.driver.get_device_name_for_instance(
                    self.instance, self.bdms, row
                )
            )

    def on(self, host: Any) -> None:
        """Let it run on a host with these settings."""
        self.host = host
        self.driver = self.manager.driver = nova_host.driver_on(host)

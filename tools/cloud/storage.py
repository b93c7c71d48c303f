# SPDX-License-Identifier: Apache-2.0
"""Cinder's NFS driver over a folder of this machine.

Nothing is mounted and no command needs sudo. Each host has the same files, as
of GPFS, whose driver Nova's libvirt driver takes.
"""

import os

from cinder import privsep, utils
from cinder.volume.drivers import nfs, remotefs

# The user who started the cloud does what Cinder would do as root.
privsep.sys_admin_pctxt.set_client_mode(False)
utils.get_root_helper = lambda: "env"


class Driver(nfs.NfsDriver):
    """Volumes that are files; a snapshot is a copy of one.

    NFS has chains of qcow2, and a call of Nova where a guest has the volume:
    its fake driver does nothing then.
    """

    driver_volume_type = "gpfs"
    copy_volume_to_image = remotefs.RemoteFSDriver.copy_volume_to_image

    def do_setup(self, context):
        """Do what NfsDriver does, but look for no mount.nfs."""
        super(nfs.NfsDriver, self).do_setup(context)
        self.set_nas_security_options(self._is_voldb_empty_at_startup)

    def _ensure_share_mounted(self, share):
        os.makedirs(self._get_mount_point_for_share(share), exist_ok=True)

    def initialize_connection(self, volume, connector):
        data = {"name": volume.name, "device_path": self.local_path(volume)}
        return {"driver_volume_type": self.driver_volume_type, "data": data}

    def _check_snapshot_support(self, setup_checking=False):
        """Take them, whatever those of NFS would need."""

    def _create_snapshot(self, snapshot):
        self._copy(self.local_path(snapshot.volume), self._path(snapshot))

    def _delete_snapshot(self, snapshot):
        self._delete(self._path(snapshot))

    def _copy_volume_from_snapshot(self, snapshot, volume, size, *_, **_keys):
        path = self.local_path(volume)
        self._copy(self._path(snapshot), path)
        os.truncate(path, size << 30)

    def _copy(self, source, target):
        self._execute("cp", "--sparse=always", source, target)
        self._set_rw_permissions(target)

    def _path(self, snapshot):
        return f"{self.local_path(snapshot.volume)}.{snapshot.id}"

# SPDX-License-Identifier: Apache-2.0
"""Domain XML that Nova's libvirt driver generates for a guest.

The driver is Nova's own, on the fake libvirt of Nova's tests. Nothing is
started, and files are written only to a temporary folder.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import fixtures as fixtures_of
import nova.conf
import os_vif
from nova import context, objects, test
from nova.tests import fixtures
from nova.tests.fixtures import libvirt as fake_libvirt
from nova.tests.unit import fake_network
from nova.virt import driver as virt_driver
from nova.virt import fake
from nova.virt.libvirt import blockinfo, driver

from tests.release.differential import nova_devices, nova_host
from tests.release.differential.choices import Guest
from tests.release.differential.values import VOLUME

CONF = nova.conf.CONF

#: What nova-api and nova-compute keep with a server beside its image.
_METADATA = {
    "owner_user_name": "user",
    "owner_project_name": "project",
    "vtpm_secret_uuid": VOLUME,
}
_CONNECTED = (
    '{"driver_volume_type": "rbd", "serial": "1", "data": {"name": "p/v", '
    '"hosts": ["192.0.2.1"], "ports": ["6789"]}}'
)
_VPMEMS = [
    objects.LibvirtVPMEMDevice(
        label="4GB",
        name="ns",
        devpath="/dev/pmem0",
        size=4 << 30,
        align=2 << 20,
    )
]
#: Columns of a server that ``Guests`` does not need.
_COLUMNS = {
    "id": 42,
    "user_id": "user",
    "display_name": "server",
    "hostname": "server",
    "kernel_id": "",
    "ramdisk_id": "",
    "new_flavor": None,
    "metadata": {},
    "numa_topology": None,
    "pci_devices": objects.PciDeviceList(),
    "pci_requests": objects.InstancePCIRequests(requests=[]),
    "trusted_certs": None,
    "vcpu_model": None,
    "resources": None,
    "node": "host",
    "host": "host",
}
#: The nodes of a guest, which Nova makes for persistent memory.
_NODES = objects.InstanceNUMATopology(
    cells=[
        objects.InstanceNUMACell(id=0, cpuset={0}, pcpuset=set(), memory=512)
    ]
)


class _Case(test.NoDBTestCase):
    """Nova's own test case, for its fixtures."""

    REQUIRES_LOCKING = True

    def runTest(self) -> None:
        """Do nothing."""


class Host:
    """A compute host on which Nova's driver makes domains.

    :ivar libvirt: Nova's fixture of a libvirt
    """

    def __init__(self, case: Any) -> None:
        os_vif.initialize()
        case.flags(instances_path=case.useFixture(fixtures_of.TempDir()).path)
        self.libvirt = case.useFixture(fixtures.LibvirtFixture())
        for path, stub in {
            "objects.InstanceList.get_by_host": mock.Mock(
                return_value=objects.InstanceList(objects=[])
            ),
            "virt.libvirt.imagebackend.Image.resolve_driver_format": mock.Mock(
                return_value="qcow2"
            ),
            # libvirt decides which machine types it can run
            "virt.libvirt.host.Host._check_machine_type": mock.Mock(),
            "virt.libvirt.host.Host.supports_secure_boot": True,
            "virt.libvirt.host.Host.supports_mem_encryption": True,
        }.items():
            case.stub_out(f"nova.{path}", stub)
        case.stub_out(
            "nova.virt.libvirt.driver.LibvirtDriver._get_ordered_vpmems",
            lambda _, __, flavor: _VPMEMS * ("hw:pmem" in flavor.extra_specs),
        )
        self.networks = fake_network.fake_get_instance_nw_info(case)
        # Each has the capabilities of libvirt on a host.
        self._drivers: dict[str, Any] = defaultdict(
            lambda: driver.LibvirtDriver(fake.FakeVirtAPI(), True)
        )

    def domain(self, guest: Guest) -> str | None:
        """Return the XML that Nova hands to libvirt.

        :returns: None if Nova makes no such guest
        """
        self.libvirt.mock_uname.return_value = fake_libvirt.os_uname(
            "Linux", "", "6.12.0", "", guest.host.architecture
        )
        with nova_host.on(guest.host):
            try:
                return self._xml(guest)
            except nova_devices.REFUSED:
                return None
            except Exception as error:
                # the fake libvirt cannot do what is asked of it
                if type(error) is not Exception:
                    raise
                return None

    def _xml(self, guest: Guest) -> str:
        made = nova_devices.Guests(guest)
        made.driver = self._drivers[repr(guest.host)]
        instance = made.instance
        instance.system_metadata |= _METADATA
        for name, value in _COLUMNS.items():
            setattr(instance, name, value)
        if "hw:pmem" in guest.specs:
            instance.numa_topology = _NODES
        rows = made.rows()
        for row in rows:
            if row.is_volume:
                row.volume_id = row.volume_id or VOLUME
                row.connection_info = _CONNECTED
        devices = virt_driver.get_block_device_info(instance, rows)
        info = blockinfo.get_disk_info(
            guest.host.virt_type, instance, made.meta, devices
        )
        return made.driver._get_guest_config(
            instance,
            self.networks,
            made.meta,
            info,
            block_device_info=devices,
            context=context.RequestContext("user", "project"),
        ).to_xml()


@contextmanager
def host() -> Iterator[Host]:
    """Give a host whose libvirt is the fake one of Nova's tests."""
    case = _Case()
    case.setUp()
    # Nova writes out every object that it has to do with.
    logging.disable(logging.INFO)
    try:
        with nova_host.libosinfo():
            yield Host(case)
    finally:
        logging.disable(logging.NOTSET)
        case.tearDown()
        case.doCleanups()

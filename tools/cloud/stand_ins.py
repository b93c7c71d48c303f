# SPDX-License-Identifier: Apache-2.0
"""Fakes of a small cloud: libvirt, disks, Neutron and Cinder.

All of them are from Nova's own tests, so that nova-compute's libvirt driver
is the real one down to the domain XML.
"""

import contextlib
import copy
import io
from unittest import mock

import fixtures
from nova.compute import task_states
from nova.tests import fixtures as nova_fixtures
from nova.tests.fixtures import libvirt as fake_libvirt
from oslo_config import cfg

from cloud import keystone, machines, users

CONF = cfg.CONF

_DRIVER = "nova.virt.libvirt.driver"
_CONNECTION = "nova.virt.libvirt.host.Host.get_connection"
_NODE_UUID = "nova.virt.node.get_local_node_uuid"
# Versions that Nova does not call old: 11.3.0 and 10.0.0, as in Debian 13.
_LIBVIRT = 11_003_000
_QEMU = 10_000_000
#: Functions to their return values.
_ANSWERS = {
    f"{_DRIVER}.LibvirtDriver._create_image": (False, False),
    f"{_DRIVER}.LibvirtDriver._get_local_gb_info": {
        "total": 128,
        "used": 44,
        "free": 84,
    },
    f"{_DRIVER}.LibvirtDriver.migrate_disk_and_power_off": "{}",
    f"{_DRIVER}.libvirt_utils.is_valid_hostname": True,
    "nova.privsep.utils.supports_direct_io": True,
    "nova.virt.libvirt.host.Host.get_online_cpus": set(range(16)),
}

#: Cinder keeps an image's properties with the volume, where tenants can also
#: change them.
_VOLUME = {
    "id": machines.IDE_VOLUME,
    "size": 1,
    "multiattach": False,
    "bootable": True,
    "availability_zone": "nova",
    "volume_image_metadata": {
        "image_id": "1de00000-0000-4000-8000-0000000000ff",
        "hw_disk_bus": "ide",
        "min_ram": "0",
        "min_disk": "0",
        "size": "1",
    },
}


class StandIns(fixtures.Fixture):
    """Everything that nova-compute would find outside of Nova."""

    def setUp(self):
        super().setUp()
        cinder = nova_fixtures.CinderFixture(self)
        for fixture in (
            nova_fixtures.DatabaseWriteLock(),
            _Neutron(self),
            cinder,
            nova_fixtures.LibvirtImageBackendFixture(),
            nova_fixtures.CGroupsFixture(),
            nova_fixtures.LibvirtFixture(),
            nova_fixtures.OSBrickFixture(),
            *(
                fixtures.MockPatch(name, return_value=answer)
                for name, answer in _ANSWERS.items()
            ),
        ):
            self.useFixture(fixture)
        cinder.volumes[machines.IDE_VOLUME] = copy.deepcopy(_VOLUME)
        self.stub_out(f"{_DRIVER}.LibvirtDriver.snapshot", _snapshot)
        self.stub_out(f"{_DRIVER}.libvirt_utils.file_open", _open)

    @contextlib.contextmanager
    def host(self, machine):
        """Be a machine with its libvirt while its nova-compute starts."""
        connection = fake_libvirt.Connection(
            "qemu:///system",
            version=_LIBVIRT,
            hv_version=_QEMU,
            host_info=fake_libvirt.HostInfo(
                cpu_nodes=2, cpu_sockets=1, cpu_cores=2, cpu_threads=2
            ),
            hostname=machine.name,
            pci_info=_devices(machine),
        )
        with (
            mock.patch(_CONNECTION, return_value=connection),
            mock.patch(_NODE_UUID, return_value=machine.node),
        ):
            yield connection

    def flags(self, group=None, **options):
        for name, value in options.items():
            CONF.set_override(name, value, group)

    def stub_out(self, old, new):
        self.useFixture(fixtures.MonkeyPatch(old, new))


def _open(*_arguments, **_options):
    return io.BytesIO(b"")


def _snapshot(driver, context, instance, image_id, update_task_state):
    """Upload a disk; what is said about it is the driver's own."""
    name = driver._image_api.get(context, image_id)["name"]
    metadata = driver._create_snapshot_metadata(
        instance.image_meta, instance, "raw", name
    )
    pending = task_states.IMAGE_PENDING_UPLOAD
    update_task_state(task_state=pending)
    update_task_state(
        task_state=task_states.IMAGE_UPLOADING, expected_state=pending
    )
    disk = io.BytesIO(b"a disk of a few bytes")
    driver._image_api.update(context, image_id, metadata, disk)


def _devices(machine):
    made = fake_libvirt.HostPCIDevicesInfo(num_pci=0, num_pfs=0, num_vfs=0)
    for bus, (card, count) in enumerate(machine.cards, 0x81):
        for slot in range(count):
            made.add_device(
                dev_type="PCI",
                bus=bus,
                slot=slot,
                function=0,
                iommu_group=bus * 32 + slot,
                numa_node=slot % 2,
                vend_id=card.vendor_id,
                prod_id=card.product_id,
            )
    return made


class _Neutron(nova_fixtures.NeutronFixture):
    """One network that every project may use, with one port on it."""

    network_1 = {**nova_fixtures.NeutronFixture.network_1, "shared": True}

    def setUp(self):
        super().setUp()
        subnet = self.subnet_1["id"]
        address = {"ip_address": "192.168.1.99", "subnet_id": subnet}
        project = keystone.identifier("project", users.MEMBER.project)
        self._ports[machines.SRIOV_PORT] = {
            **self.sriov_port,
            "id": machines.SRIOV_PORT,
            "tenant_id": project,
            "project_id": project,
            "network_id": self.network_1["id"],
            "fixed_ips": [address],
        }

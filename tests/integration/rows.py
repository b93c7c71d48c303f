# SPDX-License-Identifier: Apache-2.0
"""Rows 28 to 35 of the table of bypasses, walked by a tenant.

Each is a generator. What it yields first is the server that it starts with,
None where it needs none; what it yields after that is one try a time.
"""

import contextlib
import io
import signal
import uuid

import psutil
import requests

from cloud import clients, machines, neighbours, users
from tests.integration import people

_STABLE = {"hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}
_CIRRUS = {"hw_video_model": "cirrus"}
_SCSI = {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}
#: Binding profile that Nova writes for a port that was direct at first. No
#: machine has a device at that address.
_PROFILE = {
    "pci_slot": "0000:ff:1f.7",
    "pci_vendor_info": "8086:10ed",
    "physical_network": neighbours.PHYSICAL,
}


class Tenant(people.Person):
    """A tenant, who also sends requests that no client of OpenStack sends."""

    def __init__(self, cloud):
        super().__init__(cloud.facts, users.MEMBER)
        self.cloud = cloud

    def of(self, **properties):
        """Upload an image; return its id."""
        return self.upload(str(uuid.uuid4()), **properties).id

    def boot(self, **source):
        """Request a server of an image or of disks."""
        return self.ask("of a row", **source)

    def act(self, server, **action):
        """Send an action to a server and return the server."""
        self.post("nova", f"/v2.1/servers/{server.id}/action", action)
        return server

    def post(self, service, path, body):
        """Send a request as it is; return the answer."""
        answer = requests.post(
            self.cloud.facts.url(service) + path,
            json=body,
            headers={
                "X-Auth-Token": self.token,
                "OpenStack-API-Version": "compute 2.90",
            },
            timeout=120,
        )
        assert answer.ok, answer.text
        return answer

    @staticmethod
    def power_off(server):
        """Power off a guest as its owner can from inside."""
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "-uuid" in words and server.id in words:
                process.terminate()

    @contextlib.contextmanager
    def computes_wait(self):
        """Suspend the nova-computes; requests to them are queued."""
        daemons, machines = self.cloud.daemons, self.cloud.facts.machines
        names = [f"nova-compute-{machine.name}" for machine in machines]
        for name in names:
            daemons.send(name, signal.SIGSTOP)
        try:
            yield
        finally:
            for name in names:
                daemons.send(name, signal.SIGCONT)


def root(source, key, **more):
    """Return the root disk of a request, on a volume."""
    disk = {"boot_index": 0, "destination_type": "volume", **more}
    return [disk | {"source_type": source, "uuid": key, "volume_size": 1}]


def row_28(tenant):
    """Nova opens the URL that it keeps as the reference to an image."""
    worse = tenant.of(hw_disk_bus="ide", hw_machine_type="pc")
    url = f"{tenant.cloud.facts.url('glance')}/v2/images/{worse}"
    server = tenant.boot(image_id=tenant.of(base_image_ref=url))
    yield server
    while True:
        yield tenant.act(server, rescue=None)


def row_29(tenant):
    """A rescue reads the volume of which the root's snapshot was taken."""
    volume = tenant.volume()
    disks = root("snapshot", tenant.snapshot(volume).id)
    server = tenant.boot(block_device_mapping=disks)
    rescue = {"rescue_image_ref": tenant.of(**_STABLE)}
    yield server
    tenant.storage.set_volume_image_metadata(volume, **_CIRRUS)
    while True:
        yield tenant.act(server, rescue=rescue)


def row_30(tenant):
    """A root that names a snapshot, too: Nova reads that."""
    other = tenant.volume()
    tenant.storage.set_volume_image_metadata(other, **_CIRRUS)
    beside = tenant.snapshot(other).id
    yield None
    while True:
        disks = root("volume", tenant.volume().id, snapshot_id=beside)
        yield tenant.boot(block_device_mapping=disks)


def row_31(tenant):
    """The disk keeps its bus, and the new image speaks for no controller."""
    server = tenant.boot(image_id=tenant.of(**_SCSI))
    plain = tenant.of()
    yield server
    while True:
        yield tenant.act(server, rebuild={"imageRef": plain})


def row_32(tenant):
    """A path with a newline creates an image, too."""
    body = {"name": "of a row", "hw_disk_bus": "sata"}
    body |= {"disk_format": "raw", "container_format": "bare"}
    answer = tenant.post("glance", "/v2/images%0a", body)
    image = answer.json()["id"]
    tenant.glance.images.upload(image, io.BytesIO(b"of a row"))
    yield None
    while True:
        yield tenant.boot(image_id=image)


def row_33(tenant):
    """A flavor by the number 0."""
    image = tenant.of()
    servers = [tenant.boot(image_id=image) for _ in range(2)]
    yield servers[0]
    for server in servers:
        yield tenant.act(tenant.settle(server), resize={"flavorRef": 0})


def row_34(tenant):
    """The image changes while a rescue waits for the guest to shut down."""
    image = tenant.of(os_shutdown_timeout="60")
    server = tenant.boot(image_id=image)
    rescue = {"rescue_image_ref": tenant.of(**_STABLE)}
    yield server
    tenant.act(server, rescue=rescue)
    tenant.glance.images.update(image, **_CIRRUS)
    tenant.power_off(server)
    yield server
    while True:
        yield tenant.act(server, rescue=rescue)


def row_35(tenant):
    """A port turns direct before nova-compute looks at it."""
    nova = clients.Client(tenant.cloud.facts, users.SERVICE).sdk().network
    yield None
    while True:
        port = tenant.port()
        with tenant.computes_wait():
            server = tenant.boot(image_id=tenant.of(), port=port.id)
            direct = {"binding_vnic_type": "direct-physical"}
            tenant.network.update_port(port, **direct)
            nova.update_port(port, binding_profile=_PROFILE)
        yield server


#: Row number to: the function that performs it; the QEMU device that a guest
#: gets if unchecked, or None if this machine cannot provide it; and the rule
#: and value that the guard names.
ROWS = {
    28: (row_28, "ide-hd", "guest_devices.disk_bus", "ide"),
    29: (row_29, "cirrus-vga", "guest_devices.video_model", "cirrus"),
    30: (row_30, "cirrus-vga", "guest_devices.video_model", "cirrus"),
    31: (row_31, "lsi", "guest_devices.scsi_model", "lsilogic"),
    32: (row_32, "ide-hd", "guest_devices.disk_bus", "sata"),
    33: (row_33, "intel-hda", "guest_devices.sound_model", "ich6"),
    34: (row_34, "cirrus-vga", "guest_devices.video_model", "cirrus"),
    35: (row_35, None, "passthrough.allow", "pf"),
}
SOUND = machines.Flavor("0", "s1.tiny", extra_specs={"hw:sound_model": "ich6"})

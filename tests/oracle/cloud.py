# SPDX-License-Identifier: Apache-2.0
"""The cloud that cells run in: Nova with every gate, and two computes."""

import copy
import uuid
from pathlib import Path
from typing import Any

import fixtures
from lxml import etree
from nova import context, objects
from nova.image import glance
from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional.nova import base
from tests.oracle.block_storage import BlockStorage
from tests.oracle.spies import Spies
from tests.oracle.waiting import Waiting

HOSTS = ("compute1", "compute2")
DRIVER = "nova.virt.libvirt.driver.LibvirtDriver"


class Cloud(Waiting, base.LibvirtCase):
    """Runs as long as its user wants: ``setUp`` starts, ``close`` ends it."""

    def setUp(self) -> None:
        # What the shipped policy assumes.
        self.flags(hw_machine_type=["x86_64=q35"], group="libvirt")
        super().setUp()
        for host in HOSTS[1:]:
            self.start_compute(host)
        self._failed_hosts: list[str] = []
        self.useFixture(
            BlockStorage(
                self.cinder,
                self.metadata_of,
                lambda event: self.admin_api.create_server_external_events(
                    [event]
                ),
            )
        )
        self._outside()
        self.record = self.useFixture(Spies()).record

    def runTest(self) -> None:
        """Be a test case, as Nova's fixtures want one."""

    def close(self) -> None:
        """Stop every service."""
        self.doCleanups()

    def _outside(self) -> None:
        """Do what hosts and other services do for Nova.

        Nova's own tests of the libvirt driver move no disk, either.
        """
        self.useFixture(
            fixtures.MockPatch(
                f"{DRIVER}.migrate_disk_and_power_off", return_value="{}"
            )
        )
        self.stub_out(
            "nova.tests.fixtures.libvirt.Domain.migrateToURI3",
            lambda domain, target, params, flags: self._migrate(
                domain, target, params["destination_xml"]
            ),
        )
        self._describe = fakelibvirt.Domain.XMLDesc
        self.stub_out(
            "nova.tests.fixtures.libvirt.Domain.XMLDesc",
            lambda domain, flags: self._described(domain, flags),
        )
        self.stub_out(
            "nova.image.glance.get_remote_image_service", self._by_url
        )

    def _described(self, domain: Any, flags: int) -> str:
        """Return all of a domain that is to be migrated.

        The fake libvirt forgets what Nova's own tests do not need, and the
        addresses that libvirt gives.
        """
        if not flags & fakelibvirt.VIR_DOMAIN_XML_MIGRATABLE:
            return str(self._describe(domain, flags))
        root = etree.fromstring(self.record.domain(domain.UUIDString()))
        for card in root.iterfind("devices/interface"):
            etree.SubElement(card, "address", type="pci")
        return etree.tostring(root, encoding="unicode")

    def _migrate(self, domain: Any, target: str, xml: str) -> None:
        """Migrate a domain, as libvirt does."""
        host = next(host for host in HOSTS if host in target)
        self.record.xml.append((domain.UUIDString(), xml))
        connection = self.computes[host].driver._host.get_connection()
        connection.createXML(xml, 0)
        domain.complete_job()

    def _by_url(self, _context: Any, image: str) -> tuple[Any, str]:
        """Let every Glance be this one, which Nova's fixture does not."""
        if "/" in str(image):
            image, _endpoint = glance._endpoint_from_image_ref(image)
        return self.glance, image

    def call(self, *args: Any, **more: Any) -> Any:
        """Send a request, and keep the id that its context has.

        The answer's header has another one: Nova's stand-in for keystone's
        middleware makes a new context.
        """
        application = self.api_fixture.app()

        def app(environ: dict[str, Any], start: Any) -> Any:
            answer = application(environ, start)
            self.request_id = str(environ["nova.context"].request_id)
            return answer

        return super().call(*args, app=app, **more)

    def metadata_of(self, image: str) -> dict[str, str]:
        """Return the image metadata of a volume made of an image."""
        properties = self.glance.images[image]["properties"]
        return {"image_id": image, **properties}

    def volume(self, **metadata: str) -> str:
        """Put a bootable volume into Cinder; return its id."""
        name = super().volume(**metadata)
        self.cinder.volumes[name]["display_description"] = ""
        return name

    def snapshot(self, volume: str) -> str:
        """Take a snapshot of a volume; return its id."""
        name = str(uuid.uuid4())
        self.cinder.volume_snapshots[name] = {
            "id": name,
            "volume_id": volume,
            "size": 1,
            "status": "available",
        }
        return name

    def port(self) -> str:
        """Return the id of a new port of the only network."""
        port = copy.deepcopy(self.neutron.port_1)
        name = uuid.uuid4()
        port["id"] = str(name)
        last = ":".join(f"{byte:02x}" for byte in name.bytes[:3])
        port["mac_address"] = f"fa:16:3e:{last}"
        self.neutron._ports[port["id"]] = port
        return str(name)

    def root_volume(self, server: str) -> str:
        """Return the volume that is the root disk of a server."""
        admin = context.get_admin_context()
        found = objects.InstanceMapping.get_by_instance_uuid(admin, server)
        with context.target_cell(admin, found.cell_mapping) as cell:
            devices = objects.BlockDeviceMappingList.get_by_instance_uuid(
                cell, server
            )
        return str(devices.root_bdm().volume_id)

    def home(self, server: str) -> None:
        """Make the files of a server, which Nova's fixture does not."""
        home = Path(base.CONF.instances_path) / server
        home.mkdir(exist_ok=True)
        (home / "disk.config").touch()

    def host_fails(self, server: str) -> None:
        """Let Nova take the host of a server for dead."""
        host = self.instance(server).host
        self._force_down(host, True)
        self._failed_hosts.append(host)

    def _force_down(self, host: str, down: bool) -> None:
        found = self.admin_api.get_services(host=host, binary="nova-compute")
        self.admin_api.put_service_force_down(found[0]["id"], down)

    def tidy(self) -> None:
        """Leave no server behind, and every host up."""
        self.remove_servers()
        while self._failed_hosts:
            host = self._failed_hosts.pop()
            # Nova closes the records of the evacuation when it starts again.
            self.restart_compute_service(host)
            self._force_down(host, False)

# SPDX-License-Identifier: Apache-2.0
"""The cloud that cells run in: Nova with every gate, and two computes."""

import copy
import uuid
from pathlib import Path
from typing import Any

from nova import context, objects

from tests.functional.nova import base
from tests.release.oracle.block_storage import BlockStorage
from tests.release.oracle.outside import Outside
from tests.release.oracle.spies import Spies
from tests.release.oracle.waiting import Waiting

HOSTS = ("compute1", "compute2")


class Cloud(Waiting, base.LibvirtCase):
    """Runs as long as its user wants: ``setUp`` starts, ``close`` ends it."""

    ONE_CLOUD = False

    def setUp(self) -> None:
        # What the shipped policy assumes.
        self.flags(hw_machine_type=["x86_64=q35"], group="libvirt")
        # Never consider a slow host down; the tests force hosts down.
        self.flags(service_down_time=24 * 3600)
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
        self.record = self.useFixture(Spies()).record
        self.useFixture(Outside(self, self.record))

    def runTest(self) -> None:
        """Be a test case, as Nova's fixtures want one."""

    def close(self) -> None:
        """Stop every service."""
        self.doCleanups()

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
        result = objects.InstanceMapping.get_by_instance_uuid(admin, server)
        with context.target_cell(admin, result.cell_mapping) as cell:
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
        result = self.admin_api.get_services(host=host, binary="nova-compute")
        self.admin_api.put_service_force_down(result[0]["id"], down)

    def tidy(self) -> None:
        """Leave no server behind, and every host up."""
        self.remove_servers()
        while self._failed_hosts:
            host = self._failed_hosts.pop()
            # Nova closes the records of the evacuation when it starts again.
            self.restart_compute_service(host)
            self._force_down(host, False)

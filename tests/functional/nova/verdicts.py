# SPDX-License-Identifier: Apache-2.0
"""Nova's API alone: what a gate says, where nothing has to happen after it.

Servers are rows of Nova's database, on a host that is not there. A request
that passes the gate is answered by Nova's API as ever, and what the API sends
to its conductor and computes goes nowhere.
"""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from unittest import mock

from nova import context, exception, objects
from nova.compute import power_state, vm_states
from nova.network import model as network_model
from nova.tests import fixtures as nova_fixtures
from nova.tests.fixtures import PROJECT_ID
from nova.tests.functional import integrated_helpers
from oslo_utils import timeutils

from tests.functional.nova import service
from tests.functional.nova.base import Gates
from tests.functional.nova.helpers import MEMBER

HOST = "a-host"


class VerdictCase(Gates, integrated_helpers._IntegratedTestBase):
    """A cloud of which only the API answers."""

    CLOUD = "API"

    def setUp(self) -> None:
        self.share(super().setUp)

    def _databases(self) -> list[Any]:
        """Return all: no service is at work in the cells."""
        return self._all_databases()

    def _delete_servers(self) -> None:
        """Leave their rows, until the databases are restored."""

    def _setup_services(self) -> None:
        api = nova_fixtures.OSAPIFixture(api_version=self.api_major_version)
        self.api_fixture = self.useFixture(api)
        self.admin_api = self.api_fixture.admin_api
        self.api = self.api_fixture.api
        # Nova's API asks which version the oldest compute has.
        admin = context.get_admin_context()
        cell = self.cell_mappings["cell1"]
        with context.target_cell(admin, cell) as targeted:
            objects.Service(
                targeted, host=HOST, binary="nova-compute", topic="compute"
            ).create()

    def settle(self) -> None:
        """Return at once: nothing is at work."""

    def scheduled(self, body: object, **who: Any) -> str:
        """Return the scheduler's verdict where the API has no gate.

        :param who: roles and project, if it is not a usual member
        """
        with mock.patch.object(service.Switch, "on", False):
            response = self.call("POST", "/v2.1/servers", body, **who)
        return self.filtered(response, **who)

    def filtered(
        self,
        response: Any,
        roles: Iterable[str] = MEMBER,
        project: str = PROJECT_ID,
    ) -> str:
        """Return the verdict of the scheduler's gate on a new server.

        It reads the data that Nova's API has stored, as for a normal boot.

        :param response: the API's answer to the boot, which must be accepted
        :returns: why no host is left, or "" if a host is left
        """
        from nova_vhard.gates.scheduler import VirtHardeningFilter

        assert response.status_int == 202, response.text
        who = context.RequestContext("fake", project, roles=[*roles])
        spec = objects.RequestSpec.get_by_instance_uuid(
            who, response.json["server"]["id"]
        )
        host = SimpleNamespace(host=HOST, uuid="", hypervisor_type="QEMU")
        try:
            left = VirtHardeningFilter().filter_all([host], spec)
        except exception.NoValidHost as error:
            return str(error.kwargs["reason"])
        assert left == [host]
        return ""

    def server(
        self,
        image: str = "",
        *disks: dict[str, Any],
        fields: dict[str, Any] | None = None,
        **metadata: str,
    ) -> str:
        """Store a running server in Nova's database; return its id.

        :param image: the image that it was made from; "" for a volume
        :param disks: fields of its block device mappings, the root first;
            without a root, Nova has not yet named it or its bus
        :param fields: other fields of the server
        :param metadata: image properties that Nova keeps with it
        """
        admin = context.get_admin_context()
        cell = self.cell_mappings["cell1"]
        with context.target_cell(admin, cell) as targeted:
            kept = {**_fields(image, metadata), **(fields or {})}
            instance = objects.Instance(targeted, **kept)
            instance.create()
            root = {"source_type": "image", "destination_type": "local"}
            if image and not any(
                disk.get("boot_index") == 0 for disk in disks
            ):
                disks = ({**root, "image_id": image, "boot_index": 0}, *disks)
            for disk in disks:
                objects.BlockDeviceMapping(
                    targeted, instance_uuid=instance.uuid, **disk
                ).create()
        objects.InstanceMapping(
            admin,
            instance_uuid=instance.uuid,
            cell_mapping=cell,
            project_id=PROJECT_ID,
            user_id="fake",
        ).create()
        _spec(admin, instance).create()
        return str(instance.uuid)


def _spec(admin: Any, instance: Any) -> objects.RequestSpec:
    """Return what Nova keeps of the request that a server was made by."""
    return objects.RequestSpec.from_components(
        admin,
        instance.uuid,
        image=objects.ImageMeta.from_instance(instance),
        flavor=instance.flavor,
        numa_topology=None,
        pci_requests=None,
        filter_properties={},
        instance_group=None,
        availability_zone=None,
    )


def _fields(image: str, metadata: dict[str, str]) -> dict[str, Any]:
    """Return what Nova keeps of a server that runs."""
    kept = {f"image_{name}": value for name, value in metadata.items()}
    kept.setdefault("image_base_image_ref", image)
    flavor = objects.Flavor.get_by_flavor_id(context.get_admin_context(), "1")
    return {
        "user_id": "fake",
        "project_id": PROJECT_ID,
        "display_name": "a server",
        "hostname": "a-server",
        "image_ref": image,
        "host": HOST,
        "node": HOST,
        "compute_id": 1,
        "info_cache": objects.InstanceInfoCache(
            network_info=network_model.NetworkInfo()
        ),
        "vm_state": vm_states.ACTIVE,
        "power_state": power_state.RUNNING,
        "launched_at": timeutils.utcnow(),
        "root_device_name": "/dev/vda",
        "flavor": flavor,
        "old_flavor": None,
        "new_flavor": None,
        "system_metadata": kept,
    }

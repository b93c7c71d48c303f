# SPDX-License-Identifier: Apache-2.0
"""Nova's API alone: what a gate says, where nothing has to happen after it.

Servers are rows of Nova's database, on a host that is not there. A request
that passes the gate is answered by Nova's API as ever, and what the API sends
to its conductor and computes goes nowhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
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
#: A local root disk, as Nova stores it.
LOCAL = {"source_type": "image", "destination_type": "local"}
#: Either status of success.
ACCEPTED = 200
SHELVED = {
    "vm_state": vm_states.SHELVED_OFFLOADED,
    "power_state": power_state.SHUTDOWN,
}
#: Fields of a server that runs.
RUNNING = {
    "host": HOST,
    "node": HOST,
    "compute_id": 1,
    "vm_state": vm_states.ACTIVE,
    "task_state": None,
    "power_state": power_state.RUNNING,
    "launched_at": timeutils.utcnow(),
}


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
        self.api_fixture = self.useFixture(
            nova_fixtures.OSAPIFixture(api_version=self.api_major_version)
        )
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

    def without_computes(self) -> list[str]:
        """Stub the methods of Nova's compute API that call a compute.

        :returns: list to which each call adds the name of its method
        """
        called: list[str] = []

        def stub(name: str, answer: Any) -> None:
            def call(*_: Any, **__: Any) -> Any:
                called.append(name)
                return answer

            self.stub_out(f"nova.compute.api.API.{name}", call)

        stub("attach_volume", "/dev/vdz")
        stub("attach_interface", {"id": self.neutron.port_1["id"]})
        stub("resize", None)
        return called

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
        shelved: str = "",
        **metadata: str,
    ) -> str:
        """Store a running server in Nova's database; return its id.

        :param image: the image that it was made from; "" for a volume
        :param disks: fields of its block device mappings, the root first;
            without a root, Nova has not yet named it or its bus
        :param fields: other fields of the server
        :param shelved: its snapshot, if it is shelved
        :param metadata: image properties that Nova keeps with it
        """
        admin = context.get_admin_context()
        cell = self.cell_mappings["cell1"]
        kept = {f"image_{name}": value for name, value in metadata.items()}
        kept.setdefault("image_base_image_ref", image)
        state = {}
        if shelved:
            kept["shelved_image_id"] = shelved
            state = SHELVED
        roots = [disk for disk in disks if disk.get("boot_index") == 0]
        if image and not roots:
            disks = ({**LOCAL, "image_id": image, "boot_index": 0}, *disks)
        with context.target_cell(admin, cell) as targeted:
            instance = objects.Instance(
                targeted,
                **{
                    "user_id": "fake",
                    "project_id": PROJECT_ID,
                    "display_name": "a server",
                    "hostname": "a-server",
                    "image_ref": image,
                    **RUNNING,
                    "info_cache": objects.InstanceInfoCache(
                        network_info=network_model.NetworkInfo()
                    ),
                    "root_device_name": "/dev/vda",
                    "flavor": objects.Flavor.get_by_flavor_id(admin, "1"),
                    "old_flavor": None,
                    "new_flavor": None,
                    "system_metadata": kept,
                    **state,
                    **(fields or {}),
                },
            )
            instance.create()
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
        # Nova's record of the request that created the server.
        objects.RequestSpec.from_components(
            admin,
            instance.uuid,
            image=objects.ImageMeta.from_instance(instance),
            flavor=instance.flavor,
            numa_topology=None,
            pci_requests=None,
            filter_properties={},
            instance_group=None,
            availability_zone=None,
        ).create()
        return str(instance.uuid)


@dataclass(frozen=True, eq=False)
class New:
    """An object that is created when a row names it.

    Its id replaces it, the same id in all places of a row.

    :ivar kind: method of VerdictCase that makes it
    """

    kind: str
    given: tuple[Any, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)


def image(**properties: Any) -> New:
    """Return a new image."""
    return New("image", more=properties)


def volume(**metadata: str) -> New:
    """Return a new volume with image metadata."""
    return New("volume", more=metadata)


def snapshot(of: New) -> New:
    """Return a new snapshot of a volume."""
    return New("snapshot", (of,))


def port(kind: str) -> New:
    """Return a new port of a vnic type."""
    return New("port", (kind,))


def server(*given: Any, **more: Any) -> New:
    """Return a new server, see VerdictCase.server."""
    return New("server", given, more)


def root(of: Any, kind: str = "volume", **more: Any) -> dict[str, Any]:
    """Return a root volume made of something, as a user asks for it."""
    return {
        "boot_index": 0,
        "uuid": of,
        "source_type": kind,
        "destination_type": "volume",
        "volume_size": 1,
        **more,
    }


@dataclass(frozen=True)
class Row:
    """A request to Nova's API, and the rules that it violates.

    :ivar body: the body; by default of a boot
    :ivar to: server of the action, or parts of the path below /v2.1
    :ivar refused: rules by which the API's gate refuses the request
    :ivar scheduler: rules by which the scheduler's gate refuses a boot; None
        for the same
    :ivar source: first word of the source of each violation
    :ivar status: status of Nova's own response, if Nova refuses the request
    :ivar policy: replaces the policy of the test case
    :ivar sent: more arguments of Helpers.call
    """

    body: dict[str, Any]
    to: New | tuple[Any, ...] | None = None
    refused: tuple[str, ...] = ()
    scheduler: tuple[str, ...] | None = None
    source: str = ""
    status: int = ACCEPTED
    policy: str | None = None
    sent: dict[str, Any] = field(default_factory=dict)


def boot(image: Any, *refused: str, more: Any = None, **fields: Any) -> Row:
    """Return the row of a boot.

    :param more: more of the body
    """
    wish = {"name": "a server", "flavorRef": "1", "networks": "none"}
    if image is not None:
        wish["imageRef"] = image
    return Row({"server": {**wish, **(more or {})}}, refused=refused, **fields)


class Rows(VerdictCase):
    """Sends the requests of a table."""

    def setUp(self) -> None:
        super().setUp()
        self.without_computes()
        self.events = self.decisions()
        # Servers of earlier rows count.
        self.flags(instances=-1, cores=-1, ram=-1, group="quota")

    def each(self, rows: dict[str, Row]) -> None:
        """Send each request and check the verdicts of the gates."""
        wrong = {}
        for name, row in rows.items():
            self.made: dict[New, str] = {}
            expected, actual = self.ask(row)
            if expected != actual:
                wrong[name] = expected, actual
        self.assertEqual({}, wrong)

    def ask(self, row: Row) -> tuple[Any, Any]:
        """Return the expected and the actual verdicts on a request."""
        self.write_policy(self.POLICY if row.policy is None else row.policy)
        to = row.to
        if isinstance(to, New):
            to = ("servers", to, "action")
        path = "/".join(self.known(to or ("servers",)))
        body = self.known(row.body)
        sent = {"method": "POST", **row.sent}
        self.events.clear()
        response = self.call(path=f"/v2.1/{path}", body=body, **sent)
        status, refused = response.status_int, self.broken("nova-api")
        expected: list[Any] = [403 if row.refused else row.status]
        actual = [ACCEPTED if status in (200, 202) else status]
        expected.append(dict.fromkeys(row.refused, row.source))
        actual.append({rule: row.source and refused[rule] for rule in refused})
        if to is None and actual[0] in (ACCEPTED, 403):
            who = {key: sent[key] for key in sent if key != "method"}
            if refused:
                reason = self.scheduled(body, **who)
            else:
                reason = self.filtered(response, **who)
            rules = row.refused if row.scheduler is None else row.scheduler
            expected += [{*rules}, bool(rules)]
            actual += [{*self.broken("scheduler")}, bool(reason)]
        return expected, actual

    def broken(self, gate: str) -> dict[str, str]:
        """Return the rules by which a gate refuses, each with its source.

        Only the first word of the source: image, volume, flavor ...
        """
        return {
            violation["rule"].removeprefix("guest_devices."): violation[
                "source"
            ].partition(" ")[0]
            for event in self.events
            for violation in event["violations"]
            if (event["gate"], violation["mode"]) == (gate, "enforce")
        }

    def known(self, tree: Any) -> Any:
        """Return a part of a request with the ids of its new objects."""
        if isinstance(tree, dict):
            return {name: self.known(value) for name, value in tree.items()}
        if isinstance(tree, list | tuple):
            return [self.known(each) for each in tree]
        if not isinstance(tree, New):
            return tree
        if tree not in self.made:
            make = getattr(self, tree.kind)
            given, more = self.known((tree.given, tree.more))
            self.made[tree] = make(*given, **more)
        return self.made[tree]

# SPDX-License-Identifier: Apache-2.0
"""A nova-scheduler in this process, whose fleet is canned.

It is Nova's own SchedulerManager and HostManager.  The records of compute
nodes, services and servers, which the cells would return, are canned.  The
code that uses them is Nova's for every request: prefilters, HostStates,
filters, weights, alternates.  The API and cell databases are SQLite.

Up to 1,000 hosts are in a real Placement, in this process.  More than that
Nova does not ask Placement for; there, a stand-in for Nova's report client
returns canned answers.
"""

import datetime
import uuid
from pathlib import Path
from typing import Any

import nova.conf.scheduler
from keystoneauth1 import adapter
from nova import config, context, objects
from nova.db import migration
from nova.scheduler import manager
from nova.scheduler.client import report
from oslo_log import log
from placement.tests.functional.fixtures import placement

from tests.benchmarks import filter_fleet
from tests.functional.nova import stored
from tests.functional.placement import direct

CONF = nova.conf.CONF

#: The most hosts that are in a real Placement, which Nova asks for as many.
REAL = 1000
#: Traits that Nova's own prefilters ask for.
_TRAITS = ("COMPUTE_IMAGE_TYPE_QCOW2",)
_OURS = "nova_vhard.gates.scheduler.VirtHardeningFilter"


_CELL = "sqlite:///{directory}/cell1.sqlite"
# The services do not report again while this runs.
_CONFIGURATION = f"""\
[DEFAULT]
log_file = {{directory}}/nova-scheduler.log
use_stderr = false
transport_url = fake:/
state_path = {{directory}}
service_down_time = 86400
[api_database]
connection = sqlite:///{{directory}}/api.sqlite
[database]
connection = {_CELL}
[oslo_concurrency]
lock_path = {{directory}}/locks
[oslo_messaging_notifications]
driver = noop
[placement]
auth_type = none
"""


class PlacementStandIn(filter_fleet.Fleet):
    """Answers what a scheduler asks of Nova's report client.

    Every host is a candidate, and has proven its IOMMU.
    """

    def __init__(self, nodes: list[Any]) -> None:
        super().__init__([_provider(each) for each in nodes])
        request = {"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 40}
        self._requests = [
            {
                "allocations": {each.uuid: {"resources": request}},
                "mappings": {"": [each.uuid]},
            }
            for each in nodes
        ]
        self._summaries = {each.uuid: {} for each in nodes}

    def get_allocation_candidates(self, *unused: Any) -> Any:
        """Return all hosts."""
        return self._requests, self._summaries, "1.36"

    def claim_resources(self, *unused: Any, **named: Any) -> bool:
        """Let the first one be taken."""
        return True


def _provider(node: Any) -> dict[str, Any]:
    """Return what Placement says of a resource provider."""
    kinds = ("inventories", "usages", "aggregates", "traits", "allocations")
    return {
        "uuid": node.uuid,
        "name": node.hypervisor_hostname,
        "generation": 7,
        "root_provider_uuid": node.uuid,
        "parent_provider_uuid": None,
        "links": [
            {"rel": rel, "href": f"/resource_providers/{node.uuid}/{rel}"}
            for rel in ("self", *kinds)
        ],
    }


def _placement(nodes: list[Any]) -> Any:
    """Return Nova's report client on a real Placement that has the hosts.

    The Placement is in this process, and stays as long as the process.
    """
    fixture = placement.PlacementFixture()
    fixture.setUp()
    session = direct.to(fixture.endpoint)
    session.additional_headers["x-auth-token"] = "admin"
    client = report.SchedulerReportClient(
        adapter=adapter.Adapter(
            session,
            service_type="placement",
            endpoint_override=fixture.endpoint,
            raise_exc=False,
        )
    )
    admin = context.get_admin_context()
    much = {"total": 10**8, "max_unit": 10**6}
    kinds = ("VCPU", "MEMORY_MB", "DISK_GB")
    proven = filter_fleet.proven(datetime.datetime.now(datetime.UTC))
    for node in nodes:
        tree = client.get_provider_tree_and_ensure_root(
            admin, node.uuid, name=node.hypervisor_hostname
        )
        tree.update_inventory(node.uuid, dict.fromkeys(kinds, much))
        tree.update_traits(node.uuid, [*_TRAITS, *proven])
        client.update_from_provider_tree(admin, tree)
    return client


class Fleet:
    """Compute nodes with their services, and schedulers over them."""

    def __init__(self, number: int) -> None:
        self.nodes = filter_fleet.nodes(number)
        now = datetime.datetime.now(datetime.UTC)
        # Each nova-compute has just reported.
        self._services = {
            each.host: objects.Service(
                id=each.id + 1,
                host=each.host,
                binary="nova-compute",
                topic="compute",
                report_count=1,
                disabled=False,
                forced_down=False,
                disabled_reason=None,
                uuid=str(uuid.uuid4()),
                last_seen_up=now,
                created_at=now,
                updated_at=now,
            )
            for each in self.nodes
        }
        kind = _placement if number <= REAL else PlacementStandIn
        client = kind(self.nodes)
        # The scheduler's own client, and the one that our filter makes.
        report.report_client_singleton = lambda: client
        report.SchedulerReportClient = lambda **unused: client

    def scheduler(self, *filters: str) -> Any:
        """Return a SchedulerManager; filters come before the default ones."""
        options = {
            each.name: each.default
            for each in nova.conf.scheduler.filter_scheduler_opts
        }
        for name, more in {
            "enabled_filters": filters,
            "available_filters": [_OURS] if filters else [],
        }.items():
            value = [*more, *options[name]]
            CONF.set_override(name, value, "filter_scheduler")
        made = manager.SchedulerManager()
        hosts = made.host_manager
        (cell,) = hosts.cells
        hosts._get_computes_for_cells = lambda *unused, **named: (
            {cell: self.nodes},
            self._services,
        )
        # What nova-compute tells of its servers: kept in memory there, too.
        instances: dict[str, Any] = {each.host: {} for each in self.nodes}
        hosts._get_instance_info = lambda _, node: instances[node.host]
        return made


def boot(properties: dict[str, str]) -> Any:
    """Return the RequestSpec of a boot, as nova-conductor sends it.

    The new server is stored, as it is in Nova at that time.

    :param properties: image properties
    """
    made = filter_fleet.spec(properties)
    root = {"source_type": "image", "destination_type": "local"}
    row = {**root, "boot_index": 0, "image_id": made.image.id}
    stored.create(stored.build_request(made.instance_uuid, row))
    made.is_bfv = False
    made.limits = objects.SchedulerLimits()
    made.request_level_params = objects.RequestLevelParams()
    made.requested_networks = objects.NetworkRequestList()
    made.security_groups = objects.SecurityGroupList()
    for name, field in made.fields.items():
        if name not in made and field.nullable:
            setattr(made, name, None)
    return made


def prepare(directory: Path) -> None:
    """Configure Nova in this process: databases, a log file, no queue."""
    file = directory / "nova.conf"
    file.write_text(_CONFIGURATION.format(directory=directory))
    config.parse_args(["nova", f"--config-file={file}"])
    log.setup(CONF, "nova")
    objects.register_all()
    migration.db_sync(database="api")
    migration.db_sync(database="main")
    objects.CellMapping(
        context.get_admin_context(),
        uuid=str(uuid.uuid4()),
        name="cell1",
        transport_url="fake:/",
        database_connection=_CELL.format(directory=directory),
    ).create()

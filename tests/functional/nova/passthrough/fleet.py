# SPDX-License-Identifier: Apache-2.0
"""The posture of a test's hosts: who proves what, and what time it is."""

import datetime
import functools
import tempfile
from pathlib import Path
from typing import Any

import fixtures
import nova.conf
from keystoneauth1 import adapter, session
from nova.scheduler.client import report as report_client

from nova_vhard.catalogue import results
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.gates.posture_filter import PostureFilter
from nova_vhard.host import report
from nova_vhard.host.check import Result
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
from nova_vhard.placement import upkeep
from nova_vhard.placement.client import Placement
from nova_vhard.placement.connect import AdapterClient
from nova_vhard.placement.posture import Clock
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.functional.nova import helpers, rest
from tests.trees import build, capture
from tests.unit.helpers import configured, never

CONF = nova.conf.CONF
START = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
NOVAS_PREFIX = "No valid host was found. "

#: What a user reads, by the checks; none names a host or a count.
NOBODY = "no host of this cloud has passed the checks {}; "
NO_CANDIDATE = "no host with room for this server has passed the checks {}; "

#: A host that has proven its IOMMU, and one that has not.
PROVEN = "vtd-on"
ABSENT = "none"


@functools.cache
def results_of(tree: str) -> tuple[Result, ...]:
    """Return the results of all checks on a captured host."""
    with tempfile.TemporaryDirectory() as folder:
        root = Host(HostRoot(capture(tree, Path(folder))))
        return tuple(check.run(root) for check in report.load())


class Fleet(helpers.Helpers):
    """Mixin for one of Nova's test cases.

    :ivar seconds: elapsed time, for the scheduler's posture only
    """

    def _configure(self) -> None:
        super()._configure()
        self.flags(posture_ttl=1, posture_max_age=60, group="vhard")

    def _databases(self) -> list[Any]:
        return [*super()._databases(), rest.PLACEMENT]

    def _put_back(self, cloud: Any) -> None:
        super()._put_back(cloud)
        report_client.report_client_singleton().clear_provider_cache()

    def setUp(self) -> None:
        super().setUp()
        # Reporters make their own hour's name alone: those of two weeks take
        # a second.
        for name in (
            *("placement.names.DAYS", "placement.names.FEW_DAYS"),
            "status.cloud.FEW_DAYS",
        ):
            self.useFixture(fixtures.MonkeyPatch(f"nova_vhard.{name}", 0))
        # What hangs must not hang for half an hour.
        self.flags(rpc_response_timeout=20, long_rpc_timeout=60)
        self.seconds = 0.0
        filters = self.scheduler.manager.host_manager.filter_obj_map
        self.filter = filters["VirtHardeningFilter"]
        # The cloud may be that of the test before.
        self.filter._hosts = PostureFilter(CONF.vhard)
        self.filter._hosts._posture._clock = Clock(
            lambda: self.seconds, self.now, never
        )
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        placement = self.placement.fixture
        # The reporter's client, on the Placement of the test
        self.reporter = AdapterClient(
            adapter.Adapter(
                session.Session(auth=None),
                service_type="placement",
                endpoint_override=placement.endpoint,
                additional_headers={"x-auth-token": placement.token},
            )
        )

    def now(self) -> datetime.datetime:
        """Return the time that the posture is told."""
        return START + datetime.timedelta(seconds=self.seconds)

    def later(self) -> None:
        """Let time pass until the last answer counts no more."""
        self.seconds += 61

    def provider(self, host: str) -> str:
        """Return the uuid of a compute node, and of its root provider."""
        return str(self.compute_node(host).uuid)

    def publisher(self, host: str) -> PlacementPublisher:
        """Return the publisher of a host's reporter."""
        folder, compute_id = self.folder / host, self.provider(host)
        build(folder, {"/var/lib/nova/compute_id": f"{compute_id}\n"})
        conf = configured(reporter_conf, "vhard_reporter", root=str(folder))
        return PlacementPublisher(conf, Placement(self.reporter))

    def prove(
        self,
        *hosts: str,
        tree: str = PROVEN,
        at: datetime.datetime | None = None,
    ) -> None:
        """Let the reporters of hosts report what a captured tree shows."""
        result = report.HostReport(at or self.now(), results_of(tree))
        for host in hosts:
            self.publisher(host).publish(result)

    def withdraw(self, host: str) -> None:
        """Take all our traits from a host."""
        upkeep.withdraw(Placement(self.reporter), self.provider(host))

    def traits(self, host: str) -> set[str]:
        """Return the traits of a host's root provider.

        Without those that tell failed checks apart: no scheduler asks them.
        """
        result = self._get_provider_traits(self.provider(host))
        return {each for each in result if not each.startswith(results.PREFIX)}

    def flavor(self, extra_specs: dict[str, str], **more: int) -> str:
        """Make a small flavor; return its id."""
        size = {"memory_mb": 256, "vcpu": 1, "disk": 1, "ephemeral": 0}
        return str(self._create_flavor(extra_spec=extra_specs, **size | more))

    def build(self, flavor: str = "1", **more: Any) -> str:
        """Ask for a server; return its id."""
        roles = more.pop("roles", helpers.MEMBER)
        wish = self.wish(self.image(), flavorRef=flavor, **more)
        response = self.call("POST", "/v2.1/servers", wish, roles=roles)
        assert response.status_int == 202, response.text
        return str(response.json["server"]["id"])

    def lands_on(self, flavor: str = "1", **more: Any) -> str:
        """Boot a server; return the host that it has landed on."""
        server = self.build(flavor, **more)
        self.wait(server, "ACTIVE")
        return str(self.instance(server).host)

    def refused(self, flavor: str = "1", **more: Any) -> str:
        """Try to boot a server; return the reason without Nova's words."""
        fault = self.fault(self.build(flavor, **more))
        assert fault.startswith(NOVAS_PREFIX), fault
        return fault.removeprefix(NOVAS_PREFIX)

# SPDX-License-Identifier: Apache-2.0
"""The posture of a test's hosts: who proves what, and what time it is."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fixtures
import nova.conf
from nova import exception
from nova.scheduler import filters
from nova.scheduler.client import report as report_client

from nova_vhard.catalogue import results
from nova_vhard.gates.posture_filter import PostureFilter
from nova_vhard.host.report import HostReport
from nova_vhard.placement import upkeep
from nova_vhard.placement.client import VERSION, Placement
from nova_vhard.placement.posture import Clock
from tests.functional.nova import helpers, rest
from tests.functional.nova.passthrough import reports

CONF = nova.conf.CONF
POSTURE = ("/traits?name=", "/resource_providers?required=")
START = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
NOVAS_PREFIX = "No valid host was found. "

#: What a user reads, by the checks; none names a host or a count.
NOBODY = "no host of this cloud has passed the checks {}; "
NO_CANDIDATE = "no host with room for this server has passed the checks {}; "
UNKNOWN = "which hosts have passed the checks {} is not known at the moment; "


class Fleet(helpers.Helpers):
    """Mixin for one of Nova's test cases.

    :ivar seconds: elapsed time, for the scheduler's posture only
    :ivar asked: requests of the posture to Placement, in order
    :ivar placement_fault: called before each such request; may raise
    """

    def _configure(self) -> None:
        super()._configure()
        self.flags(posture_ttl=1, group="vhard")

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
        self.asked: list[str] = []
        self.placement_fault: Callable[[str], Any] = lambda url: None
        reporter = report_client.SchedulerReportClient
        real = reporter.get

        def get(client: Any, url: str, *args: Any, **more: Any) -> Any:
            # Nova asks the like, by older versions.
            if url.startswith(POSTURE) and more.get("version") == VERSION:
                self.asked.append(url)
                self.placement_fault(url)
            return real(client, url, *args, **more)

        self.useFixture(fixtures.MockPatchObject(reporter, "get", get))
        filters = self.scheduler.manager.host_manager.filter_obj_map
        self.filter = filters["VirtHardeningFilter"]
        # The cloud may be that of the test before.
        self.filter._hosts = PostureFilter(CONF.vhard)
        clock = Clock(lambda: self.seconds, self.now)
        self.filter._hosts._posture._clock = clock
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.reporter = reports.reporter(self.placement.fixture)

    def now(self) -> datetime.datetime:
        """Return the time that the posture is told."""
        return START + datetime.timedelta(seconds=self.seconds)

    def later(self) -> None:
        """Let time pass until the posture is asked again."""
        self.seconds += 2

    def provider(self, host: str) -> str:
        """Return the uuid of a compute node, and of its root provider."""
        return str(self.compute_node(host).uuid)

    def publisher(self, host: str) -> reports.PlacementPublisher:
        """Return the publisher of a host's reporter."""
        return reports.publisher(
            self.folder / host, self.provider(host), self.reporter
        )

    def prove(
        self,
        *hosts: str,
        tree: str = reports.PROVEN,
        at: datetime.datetime | None = None,
    ) -> None:
        """Let the reporters of hosts report what a captured tree shows."""
        result = HostReport(at or self.now(), reports.results(tree))
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
        made = self._create_flavor(extra_spec=extra_specs, **(size | more))
        return str(made)

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

    def left(self, hosts: list[Any], spec: Any) -> list[str]:
        """Return the names of the hosts that Nova's handler is left with."""
        result = filters.HostFilterHandler().get_filtered_objects(
            [self.filter], hosts, spec
        )
        return [each.host for each in result]

    def reason(self, hosts: list[Any], spec: Any) -> str:
        """Return why no host is left."""
        refusal = self.assertRaises(
            exception.NoValidHost, self.left, hosts, spec
        )
        return str(refusal.kwargs["reason"])

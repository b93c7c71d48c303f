# SPDX-License-Identifier: Apache-2.0
"""A port that is attached is judged by the server's host, as it is now."""

import copy
import datetime

from nova import context, objects
from nova.db.main import api as database

from nova_vhard.catalogue import traits
from nova_vhard.gates import nova_release
from nova_vhard.placement.client import Placement
from tests import services
from tests.functional.nova import service
from tests.functional.nova.passthrough import base

CHECK = "passthrough_one_time_use"
POLICY = f"passthrough: {{allow: {{ports: [vf]}}, require: [{CHECK}]}}\n"


@services.needs_nova(32, "one_time_use of PCI devices")
class TestOneTimeUse(base.FakeHosts):
    API_GATE = service.GATE
    HOSTS = ("host1",)
    POLICY = POLICY

    def setUp(self):
        super().setUp()
        port = copy.deepcopy(self.neutron.port_1)
        port["binding:vnic_type"] = "direct"
        self.neutron._ports[port["id"]] = port
        self.port = port["id"]

    def report(self, check):
        """Let the host report in this hour that it has passed a check."""
        # the clock of the API's gate is the machine's
        hour = traits.of_hour(datetime.datetime.now(datetime.UTC))
        wanted = {hour, traits.of_check(check)}
        provider = self.provider("host1")
        Placement(self.reporter).update(provider, lambda ours: wanted)

    def be(self, version):
        """Let the service of the host say its version."""
        admin = context.get_admin_context()
        cell = self.host_mappings["host1"].cell_mapping
        with context.target_cell(admin, cell) as targeted:
            found = objects.Service.get_by_compute_host(targeted, "host1")
            database.service_update(targeted, found.id, {"version": version})

    def test_a_port_is_attached(self):
        server = self.active(self.image())
        body = {"interfaceAttachment": {"port_id": self.port}}
        for check, version, outcome in (
            ("iommu", nova_release.SERVICE_OF_32, "refuse"),
            # says nothing of an older nova-compute
            (CHECK, nova_release.SERVICE_OF_32 - 1, "refuse"),
            (CHECK, nova_release.SERVICE_OF_32, "allow"),
        ):
            self.report(check)
            self.be(version)
            # Its posture has the machine's clock, and is not that of before.
            self.application = self.worker()
            events = self.decisions()
            self.call("POST", f"/v2.1/servers/{server}/os-interface", body)
            self.settle()
            outcomes = [event["outcome"] for event in events]
            self.assertEqual([outcome], outcomes, (check, version))

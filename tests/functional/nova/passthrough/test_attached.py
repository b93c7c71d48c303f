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
    """Of the check that says nothing of an older nova-compute."""

    API_GATE = service.GATE
    HOSTS = ("host1",)
    POLICY = POLICY

    def setUp(self):
        super().setUp()
        # Its posture has the machine's clock: it is not that of another test.
        self.application = self.worker()
        port = copy.deepcopy(self.neutron.port_1)
        port["binding:vnic_type"] = "direct"
        self.neutron._ports[port["id"]] = port
        self.port = port["id"]

    def report(self, *checks):
        """Let the host report in this hour what it has passed."""
        # the clock of the API's gate is the machine's
        hour = traits.of_hour(datetime.datetime.now(datetime.UTC))
        wanted = {hour, *map(traits.of_check, checks)}
        provider = self.provider("host1")
        Placement(self.reporter).update(provider, lambda ours: wanted)

    def attached(self):
        """Attach the port to a new server; return the gate's event."""
        server = self.active(self.image())
        events = self.decisions()
        body = {"interfaceAttachment": {"port_id": self.port}}
        self.call("POST", f"/v2.1/servers/{server}/os-interface", body)
        self.settle()
        (event,) = events
        return event

    def test_a_host_that_has_proven_it(self):
        self.report(CHECK)
        assert self.attached()["outcome"] == "allow"

    def test_a_host_that_has_not(self):
        self.report("iommu")
        assert self.attached()["outcome"] == "refuse"

    def test_a_host_whose_nova_is_older(self):
        self.report(CHECK)
        admin = context.get_admin_context()
        cell = self.host_mappings["host1"].cell_mapping
        with context.target_cell(admin, cell) as targeted:
            old = objects.Service.get_by_compute_host(targeted, "host1")
            version = nova_release.SERVICE_OF_32 - 1
            database.service_update(targeted, old.id, {"version": version})
        assert self.attached()["outcome"] == "refuse"
